"""Which rows a line takes, its mean and band, all by hand."""

import pandas as pd
import pytest

from mirtrim.analysis import style
from mirtrim.analysis.figures.choices import compared, drawable
from mirtrim.analysis.figures.lines import (
    CONTROL_LINES,
    MAIN_LINES,
    TRIMS_AND_CONTROLS,
    dense_band,
    matches,
    mean_and_band,
    relative,
    rows_of,
    tasks_of,
)
from mirtrim.pruning.settings import PruningSettings
from mirtrim.utils.errors import ArtefactError
from tests.analysis.figures.rows import LONELY, ROWS, table, trimmed
from tests.analysis.test_rows_tables import row

WINE = "#882255"  # of Tol's muted palette, far darker than the reds of the other one
OKABE_ITO = {
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
}  # fmt: skip


def test_errors_speed_up_and_cost_are_paired_with_the_dense_network_of_the_seed() -> None:
    rows = relative(ROWS)
    trim = rows_of(rows, MAIN_LINES[1]).sort_values(["seed", "round"])
    # Dense: test errors 0.2 and 0.1, 1000 MACs, 3000 training MACs.
    assert trim.relative_error.tolist() == pytest.approx([1.5, 2.0, 2.0, 3.0])
    assert trim.speed_up_theoretical.tolist() == [4.0, 4.0, 4.0, 4.0]
    assert trim.cost.tolist() == [2.0, 2.0, 2.0, 2.0]


def test_mean_and_band_by_hand() -> None:
    rows = relative(ROWS)
    # Whatever the order of the rows, lines are drawn from the lowest ratio to the highest.
    trims = rows_of(rows, MAIN_LINES[1]).sort_values("target_ratio", ascending=False)
    points = mean_and_band(trims, "ratio", "relative_error")
    assert points.target_ratio.tolist() == [2.0, 4.0]
    assert points.x.tolist() == pytest.approx([2.05, 4.2])  # reached, not asked
    assert points["mean"].tolist() == pytest.approx([1.75, 2.5])
    # Two values apart by d have the sample deviation d / √2.
    assert points.low.tolist() == pytest.approx([1.75 - 0.353553, 2.5 - 0.707107], abs=1e-6)
    assert points.high.tolist() == pytest.approx([1.75 + 0.353553, 2.5 + 0.707107], abs=1e-6)
    assert points.seeds.tolist() == [2, 2]


def test_one_seed_has_a_band_of_no_width() -> None:
    trim = rows_of(relative(ROWS[ROWS.seed == 0]), MAIN_LINES[1])
    points = mean_and_band(trim, "ratio", "relative_error")
    assert points["mean"].tolist() == pytest.approx([1.5, 2.0])
    assert points.low.tolist() == points["mean"].tolist() == points.high.tolist()


def test_dense_band_by_hand() -> None:
    """0.2 and 0.1: mean 0.15, sample deviation 0.0707, that is 0.4714 of the mean."""
    assert dense_band(ROWS[ROWS.method == "dense"]) == pytest.approx((0.528595, 1.471405))
    assert dense_band(ROWS[(ROWS.method == "dense") & (ROWS.seed == 0)]) == (1.0, 1.0)


def test_a_row_without_its_dense_network_is_an_error() -> None:
    with pytest.raises(ArtefactError, match=r"task onset: no dense network of seed 7"):
        relative(pd.concat([ROWS, LONELY]))


def test_lines_take_only_their_own_rows() -> None:
    rows = table(
        row(),
        trimmed(0, 0.3),
        trimmed(0, 0.31, reset="reinit"),
        trimmed(0, 0.315, reset="finetune"),
        trimmed(0, 0.32, criterion="random"),
        trimmed(0, 0.33, criterion="random", scope="global"),
        trimmed(0, 0.34, order="shuffled"),
        trimmed(0, 0.35, budget="macs"),
        trimmed(0, 0.36, scale="mean"),
    )
    trims = [line for line in MAIN_LINES if line.method == "trim"]
    assert [rows_of(rows, line).test_error.tolist() for line in trims] == [
        [0.3],
        [0.31],
        [0.315],
        [0.32],
        [0.33],
    ]
    for line in trims:
        chosen = [run for run in rows.to_dict("records") if matches(run, line)]
        assert [run["test_error"] for run in chosen] == rows_of(rows, line).test_error.tolist()
    assert tasks_of(rows, trims) == ["onset"]
    assert tasks_of(rows, [MAIN_LINES[0]]) == []


def test_what_differs_in_one_choice_alone() -> None:
    usual = PruningSettings("trim").columns
    runs = [
        usual,
        {**usual, "criterion": "random"},
        {**usual, "criterion": "activation"},
        {**usual, "criterion": "batchnorm", "scope": "global"},  # differs in two
        {**usual, "method": "mask", "reset": "reinit"},  # no other mask to compare it with
        {**usual, "method": "feedback", "criterion": "-", "reset": "-"},
        {**usual, "criterion": "gradient", "minimum_units": 4},  # two as well
        {**usual, "criterion": "information", "hyperparameters": '{"decay": 0.5}'},
    ]
    assert compared(runs, "criterion") == {"trim": ["magnitude", "activation", "random"]}
    assert compared(runs, "scope") == {}
    assert compared(runs, "reset") == {}
    always = ["relative_error", "speed_up", "training_cost"]
    assert drawable([runs]) == [*always, "criteria"]
    # The same runs, but never in one task.
    assert drawable([[run] for run in runs]) == always


def test_lines_differ_without_colour_and_colours_are_safe() -> None:
    groups = (
        [line.look for line in (*MAIN_LINES, *CONTROL_LINES)],
        [line.look for line in TRIMS_AND_CONTROLS],
        [style.CHOICES[name] for name in ("local", "global")],
        [style.CHOICES[name] for name in ("rewind", "reinit", "finetune")],
        [
            style.CHOICES[name]
            for name in (
                "magnitude", "activation", "batchnorm", "gradient", "information",
                "target_information", "random",
            )
        ],
    )  # fmt: skip
    for looks in groups:
        assert len({look.marker for look in looks}) == len(looks)
        for look in looks:
            red, green, blue = (int(look.colour[i : i + 2], 16) for i in (1, 3, 5))
            assert look.colour in {*OKABE_ITO, WINE} or red == green == blue
