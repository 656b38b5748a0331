"""Comparisons of errors: what is planted is found, on the right side of the line."""

from dataclasses import replace

import numpy as np
import pytest

from mirtrim.analysis.hypotheses.errors import lower_at_best_ratio, lower_error, not_worse
from mirtrim.analysis.task_evidence import NotRun
from tests.analysis.worlds import NOTHING, REINIT, TRIM, about, evidence


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


WORLD = {
    ("dense", 1): about(0.30),
    (NOTHING, 2): about(0.29),
    (TRIM, 2): about(0.28),
    (TRIM, 4): about(0.305, step=0.004),
    (TRIM, 8): about(0.36),
    (REINIT, 2): about(0.32),
    (REINIT, 4): about(0.35),
}


def test_not_worse_than_a_margin() -> None:
    """Worse by half a point: within a margin of one point, not within one of nothing."""
    found = not_worse(
        evidence(WORLD), generator(), run=TRIM, against="dense", ratios=[4], margin=0.01
    )
    assert found.favourable
    assert found.effect == pytest.approx(0.005)
    assert found.distance == pytest.approx(-0.005)
    assert found.low < 0.005 < found.high < 0.02
    # Seeds' differences 0.002 to 0.008 about 0.005, deviation 0.003, against a line at 0.01.
    assert found.spread is not None
    assert found.spread.of_seeds == pytest.approx(0.003**2)
    strict = not_worse(evidence(WORLD), generator(), run=TRIM, against="dense", ratios=[4])
    assert not strict.favourable


def test_not_worse_than_a_multiple() -> None:
    found = not_worse(
        evidence(WORLD), generator(), run=TRIM, against="dense", ratios=[8], times=1.1
    )
    assert (found.measure, found.effect) == ("ratio of errors", pytest.approx(1.2))
    assert not found.favourable
    # 0.03 above the line. Pieces 0.1 apart count −0.1 times: variance 1.667e-4, a quarter of it in
    # the mean; t = 4.65 with 3 degrees of freedom.
    assert found.p_value == pytest.approx(0.0188, rel=0.01)


def test_errors_are_means_over_ratios() -> None:
    found = lower_error(evidence(WORLD), generator(), run=TRIM, against=[REINIT], ratios=[2, 4, 8])
    assert found.ratios == (2, 4)
    assert found.effect == pytest.approx((-0.04 - 0.045) / 2)
    assert found.favourable


def test_to_beat_all_is_to_beat_the_strongest() -> None:
    found = lower_error(
        evidence(WORLD), generator(),
        run=TRIM, against=[REINIT, "dense"], ratios=[4],
    )  # fmt: skip
    assert found.compared == f"{TRIM} − dense"
    assert not found.favourable
    assert found.note == f"beside {REINIT} −0.045"
    alone = lower_error(evidence(WORLD), generator(), run=TRIM, against=["dense"], ratios=[4])
    assert found.p_value == pytest.approx(min(1, 2 * alone.p_value))  # one of two


def test_where_all_are_beaten_the_least_sure_counts() -> None:
    """0.06 below one and 0.045 below the other, seeds 0.001 and 0.004 apart."""
    networks = {
        ("dense", 1): about(0.36), (TRIM, 4): about(0.30, step=0),
        (REINIT, 4): about(0.345, step=0.004),
    }  # fmt: skip
    for against in (["dense", REINIT], [REINIT, "dense"]):
        found = lower_error(evidence(networks), generator(), run=TRIM, against=against, ratios=[4])
        assert found.favourable
        assert (found.compared, found.note) == (f"{TRIM} − {REINIT}", "beside dense −0.060")
    # No correction: t = 0.045 / (0.004 / √3) = 19.49 with 2 degrees of freedom.
    assert found.p_value == pytest.approx(1 - 19.4856 / (19.4856**2 + 2) ** 0.5, rel=1e-3)


def test_validation_chooses_the_ratio_and_test_decides() -> None:
    """Validation prefers ratio 4, at which test is worse than dense."""
    validation = {(TRIM, 2): 0.28, (TRIM, 4): 0.27, (TRIM, 8): 0.1}
    found = lower_at_best_ratio(
        evidence(WORLD, validation), generator(), run=TRIM, against=["dense"], highest_ratio=6.67
    )
    assert found.ratios == (4,)
    assert found.effect == pytest.approx(0.005)
    assert not found.favourable


def test_the_highest_ratio_may_be_chosen() -> None:
    validation = {(TRIM, 2): 0.28, (TRIM, 4): 0.27, (TRIM, 8): 0.1}
    for highest, chosen in ((4, (4,)), (8, (8,))):
        found = lower_at_best_ratio(
            evidence(WORLD, validation), generator(),
            run=TRIM, against=["dense"], highest_ratio=highest,
        )  # fmt: skip
        assert found.ratios == chosen


@pytest.mark.parametrize(
    ("more", "ratio", "note"),
    [
        ({}, 2, "least validation error at ratio 2, the lowest that was run"),
        # Ratios near 1 count as soon as there are rows of them.
        (
            {1.1: 0.2, 1.25: 0.27},
            1.1,
            "least validation error at ratio 1.1, the lowest that was run",
        ),
        ({1.1: 0.29, 1.25: 0.26}, 1.25, "least validation error at ratio 1.25"),
    ],
)
def test_the_edge_of_the_grid_is_told(more: dict[float, float], ratio: float, note: str) -> None:
    networks = {**WORLD, **{(TRIM, key): about(error) for key, error in more.items()}}
    found = lower_at_best_ratio(
        evidence(networks), generator(), run=TRIM, against=["dense"], highest_ratio=6.67
    )
    assert (found.ratios, found.note) == ((ratio,), note)


def test_the_best_ratio_is_that_of_the_run_and_the_control_must_have_it() -> None:
    """To choose among the ratios of the control would test another ratio than the claim says."""
    validation = {(TRIM, 2): 0.28, (TRIM, 4): 0.27, (TRIM, 8): 0.1}
    with pytest.raises(NotRun, match=f"^{NOTHING} at ratio 4$"):
        lower_at_best_ratio(
            evidence(WORLD, validation), generator(),
            run=TRIM, against=[NOTHING], highest_ratio=6.67,
        )  # fmt: skip
    found = lower_at_best_ratio(
        evidence(WORLD, {**validation, (TRIM, 2): 0.26}), generator(),
        run=TRIM, against=[NOTHING], highest_ratio=6.67,
    )  # fmt: skip
    assert found.ratios == (2,)
    assert found.effect == pytest.approx(-0.01)
    with pytest.raises(NotRun, match=f"^{TRIM} at a ratio up to 1.2$"):
        lower_at_best_ratio(
            evidence(WORLD), generator(), run=TRIM, against=["dense"], highest_ratio=1.2
        )


def test_one_seed_decides_nothing() -> None:
    networks = {("dense", 1): about(0.2, seeds=1), (TRIM, 4): about(0.3, seeds=1)}
    found = not_worse(evidence(networks), generator(), run=TRIM, against="dense", ratios=[4])
    assert np.isnan(found.p_value)
    assert found.note == "one seed decides nothing"


@pytest.mark.parametrize("error", [0.3, 0.1])
def test_one_seed_has_no_p_beside_several_rivals_either(error: float) -> None:
    """Worse or better than both: no p, which would count as a test and correct the others."""
    networks = {("dense", 1): about(0.2, seeds=1), (REINIT, 4): about(0.25, seeds=1)}
    networks[TRIM, 4] = about(error, seeds=1)
    for against in (["dense", REINIT], [REINIT, "dense"]):
        found = lower_error(evidence(networks), generator(), run=TRIM, against=against, ratios=[4])
        assert np.isnan(found.p_value)
        assert found.compared == f"{TRIM} − dense"


def test_a_quotient_is_told_as_one() -> None:
    found = not_worse(
        evidence(WORLD), generator(), run=TRIM, against="dense", ratios=[8], times=1.1
    )
    assert found.compared == f"{TRIM} / dense"


def test_sizes_that_differ_though_they_were_not_to_are_told() -> None:
    """The trim lands at 4.4x where 4x was asked; the others, a tenth smaller, do not differ."""
    known = evidence(WORLD)
    rows = known.rows.copy()
    rows.loc[(rows.run == TRIM) & (rows.target_ratio == 4), "ratio"] = 4.4
    rows.loc[(rows.run == TRIM) & (rows.target_ratio == 2), "ratio"] = 2.09
    uneven = replace(known, rows=rows)
    told = f"sizes differ at 4x: {TRIM} 4.4x, {REINIT} 4x"
    ratios = [2.0, 4.0]
    found = lower_error(uneven, generator(), run=TRIM, against=[REINIT], ratios=ratios)
    assert found.note == told
    margin = not_worse(uneven, generator(), run=TRIM, against=REINIT, ratios=ratios, margin=0.01)
    assert margin.note == told
    # Neither the dense network nor one of which nothing was removed is meant to be as small.
    assert not_worse(uneven, generator(), run=TRIM, against="dense", ratios=[4]).note == ""
    rows.loc[rows.run == NOTHING, "ratio"] = 1.0
    assert lower_error(uneven, generator(), run=TRIM, against=[NOTHING], ratios=[2]).note == ""
