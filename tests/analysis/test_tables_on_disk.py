"""Many files are read as one table, and a damaged one is found."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.runs.tables_on_disk import read_tables
from mirtrim.utils.errors import ArtefactError


def files(folder: Path, *contents: str) -> list[Path]:
    paths = [folder / f"{number}.csv" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_text(content)
    return paths


def whole_numbers(table: pd.DataFrame) -> None:
    if list(table.columns) != ["name", "n"] or table.n.dtype != int:
        raise ValueError("n is no whole number")


def test_files_are_joined_in_their_order_and_text_stays_text(tmp_path: Path) -> None:
    paths = files(tmp_path, 'name,n\n007,1\n"a, b",2\n', "name,n\n", "name,n\n1e3,3")
    table = read_tables(paths, ["name"], whole_numbers, "counts")
    assert table.to_dict("list") == {"name": ["007", "a, b", "1e3"], "n": [1, 2, 3]}


def test_floats_are_those_of_one_file_read_alone(tmp_path: Path) -> None:
    values = [0.1 + 0.2, 1 / 3, 1e-300, 123456789.123456789]
    paths = files(tmp_path, *(f"x\n{value!r}\n" for value in values))
    alone = [pd.read_csv(path).x[0] for path in paths]
    assert read_tables(paths, [], lambda table: None, "numbers").x.tolist() == alone


def test_a_text_of_two_lines_is_one_cell(tmp_path: Path) -> None:
    """Such files are not read at once, as their lines are not their rows."""
    paths = files(tmp_path, 'name,n\n"a\nb",1\n', "name,n\nc,2\nd,3\n")
    table = read_tables(paths, ["name"], whole_numbers, "counts")
    assert table.to_dict("list") == {"name": ["a\nb", "c", "d"], "n": [1, 2, 3]}
    assert table.index.tolist() == [0, 1, 2]


def test_columns_that_came_later_are_filled_in(tmp_path: Path) -> None:
    paths = files(tmp_path, "name\nx\n", "name,n\ny,2\n", 'name\n"a\nb"\n')
    for some in (paths[:2], paths):
        table = read_tables(some, ["name"], whole_numbers, "counts", {"n": 7})
        assert table.n.tolist() == [7, 2, 7][: len(some)]


def test_files_with_different_columns_are_joined_too(tmp_path: Path) -> None:
    paths = files(tmp_path, "a,b\n1,2\n", "a,c\n3,4\n")
    table = read_tables(paths, [], lambda table: None, "numbers")
    assert table.fillna(0).to_dict("list") == {"a": [1, 3], "b": [2, 0], "c": [0, 4]}


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "name,n\nx,1.5\n",
        "name,n\nx\n",
        "name,m\nx,1\n",
        'name,n\n"x,1\ny,2\n',
        "name,n\nx,1,2,3\n",
    ],
)
def test_the_damaged_file_is_named(tmp_path: Path, damaged: str) -> None:
    paths = files(tmp_path, "name,n\nx,1\n", damaged, "name,n\ny,2\n")
    with pytest.raises(ArtefactError, match=r"1\.csv does not hold counts .*; delete it and run"):
        read_tables(paths, ["name"], whole_numbers, "counts")


def test_bytes_that_are_no_text_are_damage(tmp_path: Path) -> None:
    paths = files(tmp_path, "name,n\nx,1\n", "")
    paths[1].write_bytes(b"name,n\n\xff\xfe,1\n")
    with pytest.raises(ArtefactError, match=r"1\.csv does not hold counts"):
        read_tables(paths, ["name"], whole_numbers, "counts")
