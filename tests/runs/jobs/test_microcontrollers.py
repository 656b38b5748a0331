"""The microcontroller job: files that an interpreter runs, what they take, and their errors."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.runs.cost_rows import read_arenas
from mirtrim.runs.jobs.microcontrollers import fit_to_boards
from mirtrim.runs.rows import read_rows
from mirtrim.utils.errors import ArtefactError
from tests.runs.jobs.synthetic import Job

pytest.importorskip("tflite_micro")


@pytest.fixture(scope="module")
def fitted(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boards")
    done: list[tuple[int, int]] = []
    fit_to_boards(
        Job(undisturbed).setting,
        read_rows([undisturbed / "trim.csv"]),
        undisturbed / "trim",
        files_folder=folder,
        table_path=folder / "arenas.csv",
        count=lambda now, of_all: done.append((now, of_all)),
    )
    assert done == [(1, 2), (2, 2)]
    return folder


def test_every_network_has_a_file_and_a_line_in_both_formats(
    undisturbed: Path, fitted: Path
) -> None:
    assert (fitted / "arenas.csv").read_text().startswith("task,")  # no numbers of lines
    found = read_arenas([fitted / "arenas.csv"])
    trained = read_rows([undisturbed / "trim.csv"])
    assert found.target_ratio.tolist() == [2, 2, 4, 4]
    assert found.variant.tolist() == ["fp32", "int8"] * 2
    for (_, row), parameters in zip(found.iterrows(), trained.parameters.repeat(2), strict=True):
        file = fitted / f"ratio-{row.target_ratio:g}.{row.variant}.tflite"
        assert row.flash_bytes == file.stat().st_size
        assert row.parameters == parameters
        assert 0 < row.arena_used_bytes <= row.arena_bytes


def test_a_file_of_floats_has_the_error_of_its_network(undisturbed: Path, fitted: Path) -> None:
    found = read_arenas([fitted / "arenas.csv"])
    trained = read_rows([undisturbed / "trim.csv"])
    plain, small = (found[found.variant == kind] for kind in ("fp32", "int8"))
    assert plain.test_error.tolist() == pytest.approx(trained.test_error.tolist(), abs=1e-8)
    assert (plain.difference < 1e-4).all()
    # One byte in the place of four, beside what describes the network and its scales, which is
    # as much in the smallest one; errors nearly the same.
    saved = plain.flash_bytes.to_numpy() - small.flash_bytes.to_numpy()
    assert saved[0] > saved[1] >= 0
    assert (small.difference > 0).all()
    assert small.test_error.tolist() == pytest.approx(trained.test_error.tolist(), abs=0.1)


def test_a_table_without_a_column_is_named(fitted: Path, tmp_path: Path) -> None:
    table = pd.read_csv(fitted / "arenas.csv").drop(columns="variant")
    table.to_csv(tmp_path / "arenas.csv", index=False)
    with pytest.raises(
        ArtefactError, match=r"arenas\.csv does not hold arenas \(column variant is missing\)"
    ):
        read_arenas([tmp_path / "arenas.csv"])
