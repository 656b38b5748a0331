"""Rows and scores of pieces are read from the files of jobs and from tables, old ones as well."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.task_evidence import read_pieces
from mirtrim.runs.rows import COLUMNS, LATER, read_rows
from mirtrim.utils.errors import ArtefactError
from tests.analysis.test_rows_tables import ROWS
from tests.analysis.worlds import MASK, TRIM, about, world

NEW = pd.DataFrame([asdict(row) for row in ROWS])
OLD = NEW.drop(columns=list(LATER))
FLOORED = NEW.assign(minimum_units=4, hyperparameters='{"decay": 0.5}')


def written(folder: Path, *tables: pd.DataFrame) -> list[Path]:
    paths = [folder / f"{number}.csv" for number in range(len(tables))]
    for path, table in zip(paths, tables, strict=True):
        table.to_csv(path, index=False)
    return paths


def test_the_columns_that_came_later() -> None:
    assert LATER == {"minimum_units": 2, "hyperparameters": "{}", "variant": "{}"}


@pytest.mark.parametrize("lacking", [list(LATER), ["minimum_units"], ["hyperparameters"]])
def test_old_rows_stand_for_the_defaults(tmp_path: Path, lacking: list[str]) -> None:
    table = read_rows(written(tmp_path, NEW.drop(columns=lacking)))
    assert tuple(table.columns) == COLUMNS
    assert table.to_dict("records") == NEW.to_dict("records")


@pytest.mark.parametrize("old_first", [True, False])
def test_old_and_new_rows_are_read_together(tmp_path: Path, old_first: bool) -> None:
    """Values of the new files stay, those of the old ones are the defaults."""
    tables = [OLD, FLOORED.drop(columns="hyperparameters"), FLOORED.assign(seed=7)]
    table = read_rows(written(tmp_path, *(tables if old_first else tables[::-1])))
    found = table.groupby(["minimum_units", "hyperparameters"]).size().to_dict()
    assert found == {(2, "{}"): 4, (4, "{}"): 4, (4, '{"decay": 0.5}'): 4}
    assert set(table.seed[table.hyperparameters != "{}"]) == {7}
    assert table.minimum_units.dtype == int
    old = table[table.minimum_units == 2].to_dict("records")
    assert old == NEW.to_dict("records")


@pytest.mark.parametrize("as_table", [True, False])
def test_unknown_and_missing_columns_are_refused(tmp_path: Path, as_table: bool) -> None:
    """The file is named, whether it is alone or among good ones."""
    for bad, column in (
        (OLD.assign(colour="red"), "colour"),
        (NEW.assign(colour="red"), "colour"),
        (OLD.drop(columns="budget"), "budget"),
    ):
        paths = written(tmp_path, OLD, bad, NEW)
        for chosen in (paths, paths[1:2]):
            with pytest.raises(ArtefactError, match=rf"1\.csv .*columns {column} differ"):
                read_rows(*(([], chosen) if as_table else (chosen,)))


def test_bad_values_of_the_new_columns_are_refused(tmp_path: Path) -> None:
    for bad, message in (
        (NEW.assign(minimum_units=2.5), "minimum_units: 2.5 is not an integer"),
        (NEW.assign(hyperparameters="[]"), "hyperparameters: not a JSON object"),
        (NEW.assign(variant="[]"), "variant: not a JSON object"),
    ):
        with pytest.raises(ArtefactError, match=rf"1\.csv .*{message}"):
            read_rows(written(tmp_path, NEW, bad))


def test_old_and_new_pieces_are_read_together(tmp_path: Path) -> None:
    _, pieces = world({("dense", 1): about(0.2), (TRIM, 4): about(0.3)})
    old = pieces.drop(columns=["minimum_units", "hyperparameters"])
    paths = written(tmp_path, old, pieces.assign(minimum_units=4, hyperparameters='{"decay": 0.5}'))
    for chosen in (paths, paths[::-1]):
        table = read_pieces(chosen)
        found = table.groupby(["minimum_units", "hyperparameters"]).size().to_dict()
        assert found == {(2, "{}"): len(pieces), (4, '{"decay": 0.5}'): len(pieces)}
        assert table.minimum_units.dtype == int
    defaults = read_pieces(paths[:1])
    pd.testing.assert_frame_equal(defaults, read_pieces(written(tmp_path, pieces)), check_like=True)


Read = Callable[..., pd.DataFrame]


@pytest.mark.parametrize(("read", "number"), [(read_rows, 0), (read_pieces, 1)])
class TestJobsAndTables:
    """A table of two runs and two seeds, and a newer file of one job."""

    @staticmethod
    def files(folder: Path, number: int) -> tuple[Path, Path]:
        networks = {("dense", 1): about(0.2, 2), (MASK, 4): about(0.4, 2)}
        old = world({**networks, (TRIM, 4): about(0.3, 2), (TRIM, 8): about(0.5, 2)})[number]
        new = world({(TRIM, 4): about(0.25, 2), (TRIM, 16): about(0.6, 2)})[number]
        job, table = written(folder, new[new.seed == 1], old)
        return job, table

    @staticmethod
    def networks(found: pd.DataFrame) -> set[tuple[str, int, float]]:
        columns = found[["method", "seed", "target_ratio"]]
        return set(columns.itertuples(index=False, name=None))

    def test_the_table_alone(self, tmp_path: Path, read: Read, number: int) -> None:
        _, table = self.files(tmp_path, number)
        found = read([], tables=[table])
        pd.testing.assert_frame_equal(found, read([table]))
        assert len(self.networks(found)) == 8

    def test_a_job_takes_its_place(self, tmp_path: Path, read: Read, number: int) -> None:
        """No other seed or run loses a line, and no ratio of the old job stays."""
        job, table = self.files(tmp_path, number)
        found = read([job], tables=[table])
        assert self.networks(found) == {
            *((method, seed, 1.0) for method in ("dense",) for seed in (0, 1)),
            *(("mask", seed, 4.0) for seed in (0, 1)),
            ("trim", 0, 4.0), ("trim", 0, 8.0),
            ("trim", 1, 4.0), ("trim", 1, 16.0),
        }  # fmt: skip
        # Its lines are those of its file, those of the others those of the table.
        mine = (found.method == "trim") & (found.seed == 1)
        pd.testing.assert_frame_equal(found[mine].reset_index(drop=True), read([job]))
        whole = read([table])
        others = whole[(whole.method != "trim") | (whole.seed != 1)]
        pd.testing.assert_frame_equal(
            found[~mine].reset_index(drop=True), others.reset_index(drop=True)
        )

    def test_another_minimum_is_another_job(self, tmp_path: Path, read: Read, number: int) -> None:
        job, table = self.files(tmp_path, number)
        pd.read_csv(job).assign(minimum_units=4).to_csv(job, index=False)
        found = read([job], tables=[table])
        assert len(found) == len(read([job])) + len(read([table]))

    def test_another_task_is_another_job(self, tmp_path: Path, read: Read, number: int) -> None:
        job, table = self.files(tmp_path, number)
        pd.read_csv(job).assign(task="drums").to_csv(job, index=False)
        found = read([job], tables=[table])
        assert len(found) == len(read([job])) + len(read([table]))

    def test_the_wanted_jobs_alone(self, tmp_path: Path, read: Read, number: int) -> None:
        job, table = self.files(tmp_path, number)
        wanted = {"onset": [f"{TRIM}_seed1", "dense_seed0"]}
        found = read([job], tables=[table], jobs=wanted)
        assert self.networks(found) == {("dense", 0, 1), ("trim", 1, 4), ("trim", 1, 16)}
        # From a table alone, and where the file of a job is not wanted.
        found = read([], tables=[table], jobs=wanted)
        assert self.networks(found) == {("dense", 0, 1), ("trim", 1, 4), ("trim", 1, 8)}
        found = read([job], tables=[table], jobs={"onset": [f"{MASK}_seed0"]})
        assert self.networks(found) == {("mask", 0, 4)}

    @pytest.mark.parametrize(
        ("task", "missing"),
        [
            ("onset", f"{TRIM}_seed2"),
            ("onset", f"{TRIM}_minimum_units_4_seed0"),
            ("drums", "dense_seed0"),
        ],
    )
    def test_a_missing_job_is_named(
        self, tmp_path: Path, read: Read, number: int, task: str, missing: str
    ) -> None:
        job, table = self.files(tmp_path, number)
        wanted = {"onset": ["dense_seed0"]}
        wanted[task] = [*wanted.get(task, []), missing]
        with pytest.raises(ArtefactError, match=f"^{task}/{missing}: no rows of this job; run it"):
            read([job], tables=[table], jobs=wanted)

    def test_a_job_is_wanted_and_there_is_nothing(
        self, tmp_path: Path, read: Read, number: int
    ) -> None:
        job, _ = self.files(tmp_path, number)
        pd.read_csv(job)[:0].to_csv(job, index=False)
        for paths in ([], [job]):
            with pytest.raises(ArtefactError, match="there are no rows"):
                read(paths, jobs={"onset": ["dense_seed0"]})

    def test_a_file_without_lines(self, tmp_path: Path, read: Read, number: int) -> None:
        """It has its columns, and no part in a table that is read beside it."""
        job, table = self.files(tmp_path, number)
        whole = read([table])
        pd.read_csv(job)[:0].to_csv(job, index=False)
        alone = read([job])
        assert (len(alone), list(alone.columns)) == (0, list(whole.columns))
        pd.testing.assert_frame_equal(read([job], tables=[table]), whole)

    def test_no_file_at_all(self, tmp_path: Path, read: Read, number: int) -> None:
        with pytest.raises(ArtefactError, match="there are no rows"):
            read([])
