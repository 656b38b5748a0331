"""Rows and pieces are paired by run, seed and piece, or refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.task_evidence import (
    NotRun,
    common_ratios,
    gather,
    largest_gap,
    paired_errors,
    read_pieces,
    rows_of,
)
from mirtrim.runs.cost_rows import read_cost_rows, read_latencies
from mirtrim.runs.labels import labels_of
from mirtrim.runs.rows import RUN_KEYS, with_names
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import GLOBAL, MASK, TRIM, about, evidence, world

NETWORKS = {("dense", 1): about(0.2), (TRIM, 4): about(0.3), (TRIM, 8): about(0.5)}


def test_errors_are_paired_and_averaged_over_ratios() -> None:
    found = evidence(NETWORKS)
    trim, dense = paired_errors(found, [TRIM, "dense"], [4, 8])
    np.testing.assert_allclose(trim, about(0.4))
    np.testing.assert_allclose(dense, about(0.2))


def test_only_common_seeds_are_compared() -> None:
    found = evidence({("dense", 1): about(0.2, seeds=5), (TRIM, 4): about(0.3, seeds=2)})
    trim, dense = paired_errors(found, [TRIM, "dense"], [4])
    assert trim.shape == dense.shape == (2, 4)
    assert dense[0, 0] == pytest.approx(0.2 - 0.002 - 0.15)  # seed 0 of five


def test_ratios_that_both_runs_have() -> None:
    found = evidence({**NETWORKS, (MASK, 8): about(0.2), (MASK, 16): about(0.3)})
    assert common_ratios(found, [TRIM, MASK], None) == [8]
    assert common_ratios(found, [TRIM, "dense"], [4, 8, 16]) == [4, 8]
    assert common_ratios(found, ["dense"], None) == [1]


@pytest.mark.parametrize(
    ("runs", "ratios", "message"),
    [
        ([TRIM, GLOBAL], [4], f"^{GLOBAL}$"),
        ([TRIM, "dense"], [16, 32], f"^{TRIM} at ratio 16 or 32$"),
        ([TRIM, MASK], None, f"^{TRIM} and {MASK} at a common ratio$"),
    ],
)
def test_what_is_missing_is_named(runs: list[str], ratios: list[float], message: str) -> None:
    found = evidence({**NETWORKS, (MASK, 16): about(0.2)})
    with pytest.raises(NotRun, match=message):
        common_ratios(found, runs, ratios)


def test_pieces_of_a_row_that_is_not_there_are_refused() -> None:
    rows, pieces = world(NETWORKS)
    with pytest.raises(ArtefactError, match=f"{TRIM}, ratio 8, seed 2 is missing in rows"):
        gather(rows[~((rows.seed == 2) & (rows.target_ratio == 8))], pieces)
    with pytest.raises(ArtefactError, match=f"{TRIM}, ratio 8, seed 2 is missing in pieces"):
        gather(rows, pieces[~((pieces.seed == 2) & (pieces.target_ratio == 8))])


def test_a_lost_or_doubled_piece_is_refused() -> None:
    rows, pieces = world(NETWORKS)
    with pytest.raises(ArtefactError, match="different pieces"):
        gather(rows, pieces.drop(index=[len(pieces) - 1]))
    with pytest.raises(ArtefactError, match="a piece is scored twice"):
        gather(rows, pd.concat([pieces, pieces.tail(1)]))


@pytest.mark.parametrize(
    ("column", "value", "name", "label"),
    [
        ("minimum_units", 4, f"{TRIM}_minimum_units_4", "trim (minimum units 4)"),
        ("hyperparameters", '{"decay": 0.5}', f"{TRIM}_decay_0p5", "trim (decay 0.5)"),
        ("reference", "mask_a", f"{TRIM}_reference_mask_a", "trim (of mask a)"),
    ],
)
def test_runs_that_differ_in_one_column_are_two_runs(
    column: str, value: object, name: str, label: str
) -> None:
    """At one ratio and with the same seeds, rows and pieces of the two are kept apart."""
    rows, pieces = world({("dense", 1): about(0.2), (TRIM, 4): about(0.3)})
    others = [table.assign(**{column: value}) for table in world({(TRIM, 4): about(0.4)})]
    (found,) = gather(pd.concat([rows, others[0]]), pd.concat([pieces, others[1]]))
    assert set(found.networks) == set(found.errors) == {("dense", 1), (TRIM, 4), (name, 4)}
    labels = labels_of(with_names(pd.concat([rows, others[0]]))[1])
    assert labels == {"dense": "dense", TRIM: "trim", name: label}
    for run, error in ((TRIM, 0.3), (name, 0.4)):
        assert rows_of(found, run, 4).test_error.mean() == pytest.approx(error)
        np.testing.assert_allclose(found.errors[run, 4], about(error))


def test_two_references_of_one_label_are_two_runs() -> None:
    rows, pieces = world(NETWORKS)
    for table in (rows, pieces):
        table.loc[table.target_ratio == 8, "reference"] = "trim_a"
        table.loc[table.target_ratio == 4, "reference"] = "trim_b"
    (found,) = gather(rows, pieces)
    first, second = f"{TRIM}_reference_trim_b", f"{TRIM}_reference_trim_a"
    assert set(found.errors) == {("dense", 1), (first, 4), (second, 8)}


def test_measurements_are_joined_by_the_settings_and_old_ones_by_their_defaults() -> None:
    """A table of before there was a floor is of the runs with the usual one."""
    rows, pieces = world(NETWORKS)
    higher = [table.assign(minimum_units=4) for table in world({(TRIM, 4): about(0.4)})]
    latency = rows[[*RUN_KEYS, "task", "target_ratio", "seed"]].assign(median_ms=2.0)
    (found,) = gather(
        pd.concat([rows, higher[0]]),
        pd.concat([pieces, higher[1]]),
        [latency.drop(columns=["minimum_units", "hyperparameters"])],
    )
    assert list(rows_of(found, TRIM, 4).median_ms) == [2.0] * 3
    assert rows_of(found, f"{TRIM}_minimum_units_4", 4).median_ms.isna().all()


def test_measurements_are_joined_by_run_and_ratio() -> None:
    rows, pieces = world(NETWORKS)
    latency = pd.DataFrame(
        {
            "task": "onset", "run": ["dense", TRIM, TRIM], "target_ratio": [1.0, 4.0, 8.0],
            "latency_ms": [4.0, 2.0, 1.0], "macs": [1, 1, 1],
        }
    )  # fmt: skip
    found = gather(rows, pieces, [latency])[0]
    assert list(rows_of(found, TRIM, 8).latency_ms) == [1.0, 1.0, 1.0]
    assert list(rows_of(found, TRIM, 8).macs) == [1000] * 3  # the row's own
    with pytest.raises(ArtefactError, match="needs the columns task, target_ratio, and run"):
        gather(rows, pieces, [latency.drop(columns="run")])


def test_several_measurements_of_one_network_are_called_by_their_kind() -> None:
    rows, pieces = world(NETWORKS)
    costs = pd.DataFrame(
        {
            "task": "onset", "run": TRIM, "seed": [0, 0], "target_ratio": [4.0, 4.0],
            "format": ["fp32", "int8"], "weights_raw": [400, 100],
        }
    )  # fmt: skip
    found = rows_of(gather(rows, pieces, [costs])[0], TRIM, 4)
    assert found.loc[0, "weights_raw int8"] == 100
    assert found.loc[0, "weights_raw fp32"] == 400
    assert np.isnan(found.loc[1, "weights_raw int8"])


@pytest.mark.parametrize("nothing", [read_cost_rows([]), read_latencies([])], ids=["costs", "ms"])
def test_measurements_without_a_line_add_nothing(nothing: pd.DataFrame) -> None:
    """A profile whose rows are all stale has none, and no rows: pandas refuses to join the two."""
    rows, pieces = world(NETWORKS)
    columns = gather(rows, pieces)[0].rows.columns
    assert gather(rows, pieces, [nothing])[0].rows.columns.equals(columns)
    assert gather(rows.iloc[:0], pieces.iloc[:0], [nothing]) == []


def test_one_network_is_enough_to_gather() -> None:
    (found,) = gather(*world({("dense", 1): about(0.2, seeds=1)}))
    assert list(found.networks) == [("dense", 1.0)]
    assert found.errors["dense", 1.0].shape == (1, 4)


def test_the_gap_between_rows_and_pieces() -> None:
    rows, pieces = world(NETWORKS)
    assert largest_gap(gather(rows, pieces)[0]) == pytest.approx(0)
    rows.loc[0, "test_error"] += 0.01
    assert largest_gap(gather(rows, pieces)[0]) == pytest.approx(0.01)


def test_a_damaged_file_of_pieces_is_named(tmp_path: Path) -> None:
    _, pieces = world(NETWORKS)
    path = tmp_path / "pieces.csv"
    pieces.to_csv(path, index=False)
    assert len(read_pieces([path])) == len(pieces)
    pieces.drop(columns="seed").to_csv(path, index=False)
    with pytest.raises(ArtefactError, match=r"pieces\.csv .*column seed is missing"):
        read_pieces([path])
    pieces.assign(score=np.nan).to_csv(path, index=False)
    with pytest.raises(ArtefactError, match="score: not a finite number"):
        read_pieces([path])
    path.write_text("")
    with pytest.raises(ArtefactError, match="delete it"):
        read_pieces([path])
