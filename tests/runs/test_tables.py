"""Tables of results: what jobs record in them, and what of it counts as done."""

import json
import threading
from pathlib import Path

import pandas as pd
import pytest

from mirtrim.pruning.settings import DENSE, PruningSettings
from mirtrim.runs.freshness import (
    LEDGER,
    Equivalences,
    Expected,
    data_at_hand,
    why_stale,
    without_defaults,
)
from mirtrim.runs.rows import read_rows, write_rows
from mirtrim.runs.tables import job_path, jobs_in, read_cells, record, restore, table_path
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import sha256_of_value
from tests.analysis.test_rows_tables import row

TRIM = PruningSettings("trim")


def written(
    results: Path, settings: PruningSettings, seed: int = 0, ratios: tuple[float, ...] = (2.0,),
    **changes: object,
) -> Path:  # fmt: skip
    """The file of a job's rows."""
    path = job_path(results, "rows", "onset", f"{settings.name}_seed{seed}")
    rows = [
        row(task="onset", **settings.columns, seed=seed, round=n, target_ratio=ratio, **changes)
        for n, ratio in enumerate(ratios, start=1)
    ]
    write_rows(path, rows)
    return path


def test_jobs_are_recorded_each_in_its_place(tmp_path: Path) -> None:
    table = table_path(tmp_path, "rows", "onset")
    for settings, seed in ((TRIM, 1), (DENSE, 0), (TRIM, 0)):
        record(written(tmp_path, settings, seed))
    assert list(jobs_in(table)) == [
        "dense_seed0",
        "trim_magnitude_local_rewind_seed0",
        "trim_magnitude_local_rewind_seed1",
    ]
    content = table.read_bytes()
    record(written(tmp_path, TRIM, 0))
    assert table.read_bytes() == content
    # Another set of ratios takes the place of the old one, and no other job moves.
    record(written(tmp_path, TRIM, 0, ratios=(4.0, 8.0)))
    found = jobs_in(table)
    assert [line["target_ratio"] for line in found["trim_magnitude_local_rewind_seed0"]] == [
        "4.0", "8.0"
    ]  # fmt: skip
    assert [len(lines) for lines in found.values()] == [1, 2, 1]


def test_numbers_go_through_a_table_digit_for_digit(tmp_path: Path) -> None:
    error = 0.1 + 0.2  # 0.30000000000000004
    path = written(tmp_path, TRIM, test_error=error)
    record(path)
    record(written(tmp_path, DENSE))
    table = table_path(tmp_path, "rows", "onset")
    lines = jobs_in(table)["trim_magnitude_local_rewind_seed0"]
    assert lines == read_cells(path)
    assert lines[0]["test_error"] == "0.30000000000000004"


def test_columns_that_came_later(tmp_path: Path) -> None:
    path = written(tmp_path, TRIM)
    old = pd.read_csv(path).drop(columns=["minimum_units", "hyperparameters"])
    old.to_csv(path, index=False)
    record(path)
    record(written(tmp_path, PruningSettings("trim", minimum_units=3)))
    table = table_path(tmp_path, "rows", "onset")
    found = jobs_in(table)
    assert set(found) == {
        "trim_magnitude_local_rewind_seed0", "trim_magnitude_local_rewind_minimum_units_3_seed0"
    }  # fmt: skip
    first = found["trim_magnitude_local_rewind_seed0"][0]
    assert (first["minimum_units"], first["hyperparameters"]) == ("2", "{}")
    assert sorted(read_rows([], tables=[table]).minimum_units) == [2, 3]


def test_pieces_are_compressed_to_the_same_bytes(tmp_path: Path) -> None:
    keys = {**TRIM.columns, "seed": 0, "round": 1, "target_ratio": 2.0}
    for folder in (tmp_path / "a", tmp_path / "b"):
        path = job_path(folder, "pieces", "onset", "trim_magnitude_local_rewind_seed0")
        path.parent.mkdir(parents=True)
        lines = [{"track_id": track, "score": 0.5, "task": "onset", **keys} for track in "zab"]
        pd.DataFrame(lines).to_csv(path, index=False)
        record(path)
    tables = [table_path(tmp_path / name, "pieces", "onset") for name in "ab"]
    assert tables[0].read_bytes() == tables[1].read_bytes()
    assert [line["track_id"] for line in read_cells(tables[0])] == ["z", "a", "b"]


def test_jobs_that_end_together_do_not_lose_each_other(tmp_path: Path) -> None:
    paths = [written(tmp_path, TRIM, seed) for seed in range(8)]
    threads = [threading.Thread(target=record, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(jobs_in(table_path(tmp_path, "rows", "onset"))) == 8


def test_what_a_table_lacks_is_put_back(tmp_path: Path) -> None:
    for seed in (0, 1):
        record(written(tmp_path, TRIM, seed))
    table = table_path(tmp_path, "rows", "onset")
    content = table.read_text().splitlines(keepends=True)
    table.write_text("".join(content[:2]))
    restore(tmp_path)
    assert table.read_text() == "".join(content)
    # What it has stays, whatever the job's file says: it may be the newer one.
    written(tmp_path, TRIM, 0, test_error=0.9)
    restore(tmp_path)
    assert table.read_text() == "".join(content)


def test_a_table_of_one_job_is_not_recorded_again(tmp_path: Path) -> None:
    record(written(tmp_path, TRIM))
    table = table_path(tmp_path, "rows", "onset")
    content = table.read_text()
    written(tmp_path, TRIM, test_error=0.9)
    restore(tmp_path)
    assert table.read_text() == content
    table.unlink()
    restore(tmp_path)
    assert jobs_in(table)["trim_magnitude_local_rewind_seed0"][0]["test_error"] == "0.9"


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    record(written(tmp_path, TRIM))
    table = table_path(tmp_path, "rows", "onset")
    table.write_text(table.read_text() + "onset,1\n")
    with pytest.raises(ArtefactError, match=r"rows/onset.csv is damaged .*; delete it"):
        record(written(tmp_path, DENSE))
    with pytest.raises(ArtefactError, match="onset.csv is damaged"):
        jobs_in(table)


@pytest.mark.parametrize("column", ["method", "seed", "minimum_units"])
def test_a_line_that_says_of_no_run_whose_it_is_is_damage(tmp_path: Path, column: str) -> None:
    path = written(tmp_path, TRIM)
    frame = pd.read_csv(path)
    if column == "minimum_units":
        frame[column] = "many"
    else:
        frame = frame.drop(columns=column)
    frame.to_csv(path, index=False)
    with pytest.raises(ArtefactError, match=r"_seed0\.csv is damaged \(.+\); delete it and run"):
        read_cells(path)


LINES = [{"code_digest": "c1", "config_digest": "s1", "target_ratio": ratio} for ratio in "24"]
WANTED = Expected("c1", "s1", (2.0, 4.0), "code compress onset trim", "settings task onset")


def test_why_a_result_is_stale() -> None:
    def why(**changes: object) -> str | None:
        return why_stale(LINES, Expected(**{**vars(WANTED), **changes}), Equivalences())

    assert why() is None
    assert why(code="c2") == "the code behind it has changed"
    assert why(settings="s2") == "its settings have changed"
    assert why(ratios=(2.0,)) == "other ratios are asked for"
    assert why_stale([], WANTED, Equivalences()) == "missing"
    mixed = [LINES[0], {**LINES[1], "code_digest": "c0"}]
    assert why_stale(mixed, WANTED, Equivalences()) == "the code behind it has changed"


def test_data_in_a_folder_of_ones_own_can_change(tmp_path: Path) -> None:
    manifest, store = tmp_path / "corpus.json", tmp_path / "store.json"
    assert data_at_hand(manifest, store, "now") is None  # a clone: nothing has been prepared
    manifest.write_text('{"tracks": 3, "folder_state": "now"}')
    assert data_at_hand(manifest, store, "now") is None
    store.write_text('{"digests": {"frames.npy": "a"}}')
    found = data_at_hand(manifest, store, "now")
    assert found == sha256_of_value({"frames.npy": "a"})[:16]
    assert data_at_hand(manifest, store, "later") == "changed"
    assert data_at_hand(manifest, store, None) is None  # rendered here
    lines = [{**line, "data_digest": found} for line in LINES]
    assert why_stale(lines, WANTED, Equivalences(), found) is None
    assert why_stale(lines, WANTED, Equivalences(), "changed") == "its data have changed"
    manifest.write_text("{")
    assert data_at_hand(manifest, store, "now") is None


def test_what_has_been_proven_is_fresh(tmp_path: Path) -> None:
    of = WANTED.of_code
    proofs = [
        {"digests": {of: ["c1", "c2"], "code dense onset": ["c1", "x"]}},
        {"digests": {"settings task onset": ["s1", "s2"]}},
        {"digests": {of: ["c2", "c3"]}},
    ]
    path = tmp_path / LEDGER
    path.write_text(json.dumps({"proofs": proofs}))
    known = Equivalences.read(path)
    assert known.latest("c1", of) == known.latest("c2", of) == "c3"
    assert known.latest("c0", of) == "c0"  # of another time: not proven
    assert known.latest("c1", "code dense onset") == "x"
    assert known.first("c3", of) == "c1"
    assert known.first("c9", of) == "c9"
    now = Expected("c3", "s2", WANTED.ratios, of, WANTED.of_settings)
    assert why_stale(LINES, now, known) is None
    assert why_stale(LINES, now, Equivalences()) is not None
    path.write_text('{"proofs": [{"digests": {"a": ["b"]}}]}')
    with pytest.raises(ArtefactError, match="holds no proofs"):
        Equivalences.read(path)


def test_what_is_at_its_default_is_no_part_of_settings() -> None:
    schema = {
        "properties": {
            "epochs": {},
            "rate": {"default": 0.1},
            "network": {"default": {}, "properties": {"width": {"default": 8}, "depth": {}}},
        }
    }
    block = {"epochs": 3, "rate": 0.1, "network": {"width": 8, "depth": 2}}
    assert without_defaults(block, schema) == {"epochs": 3, "network": {"depth": 2}}
    assert without_defaults({"epochs": 3, "rate": 0.2, "network": {}}, schema) == {
        "epochs": 3, "rate": 0.2
    }  # fmt: skip
    assert without_defaults({"new": [1, {"a": 2}]}, schema) == {"new": [1, {"a": 2}]}


def test_a_variant_younger_than_a_proof_shares_the_proof_of_its_task() -> None:
    """Its digest is that of the task, as is its code; a digest of other code is not."""
    known = Equivalences(
        [
            {"code dense chord": ["a", "b"], "code compress chord trim_rewind": ["k", "l"]},
            {"code dense chord": ["b", "c"], "code dense chord-epochs_5": ["b", "d"]},
        ]
    )
    assert known.latest("a", "code dense chord") == "c"
    assert known.latest("a", "code dense chord-epochs_5") == "d"  # its own proof
    assert known.latest("a", "code dense chord-width_1-epochs_5") == "c"
    assert known.latest("x", "code dense chord-width_1-epochs_5") == "x"
    assert known.first("c", "code dense chord-width_1-epochs_5") == "a"
    assert known.latest("k", "code compress chord-width_1-epochs_5 trim_rewind") == "l"
    assert known.latest("k", "code compress chord-width_1-epochs_5 mask_rewind") == "k"
    assert known.latest("a", "code dense pitch-epochs_5") == "a"
