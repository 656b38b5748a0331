"""Budgets are counted, errors within them are tested."""

import numpy as np
import pytest

from mirtrim.analysis.hypotheses.economy import not_worse_and_cheaper, within_budget
from mirtrim.analysis.task_evidence import NotRun
from tests.analysis.worlds import MASK, TRIM, about, evidence

NETWORKS = {
    ("dense", 1): about(0.20),
    (TRIM, 2): about(0.24),
    (TRIM, 4): about(0.40),
    (MASK, 4): about(0.25),
}
BYTES = {("dense", 1): 1000, (TRIM, 2): 500, (TRIM, 4): 250, (MASK, 4): 1000}


def random() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(
    ("most", "ratio", "effect", "favourable", "counted"),
    [
        (2000, (1,), 1.0, True, True),  # the dense network fits: nothing to trim
        (600, (2,), 1.2, True, False),  # the better of two that fit
        (300, (4,), 2.0, False, False),
        (200, (2, 4), 0.0, False, True),  # none fits
    ],
)
def test_the_best_network_within_a_budget(
    most: float, ratio: tuple[float, ...], effect: float, favourable: bool, counted: bool
) -> None:
    found = within_budget(
        evidence(NETWORKS, bytes_raw=BYTES), random(),
        run=TRIM, at_most={"bytes_raw": most}, times=1.6,
    )  # fmt: skip
    assert (found.ratios, found.favourable, found.counted) == (ratio, favourable, counted)
    assert found.effect == pytest.approx(effect)


def test_a_budget_of_what_was_not_measured() -> None:
    with pytest.raises(NotRun, match="a table with arena_bytes"):
        within_budget(evidence(NETWORKS), random(), run=TRIM, at_most={"arena_bytes": 1}, times=1.6)


@pytest.mark.parametrize(
    ("share", "margin", "favourable", "counted"),
    [
        (0.5, 0.20, True, False),  # half the cost, 0.15 worse, a margin of 0.2
        (0.5, 0.01, False, False),
        (0.4, 0.20, False, True),  # too dear, whatever the error
    ],
)
def test_not_worse_for_less(share: float, margin: float, favourable: bool, counted: bool) -> None:
    cost = {key: 1 for key in NETWORKS} | {(TRIM, 4): 50, (MASK, 4): 100}
    found = not_worse_and_cheaper(
        evidence(NETWORKS, total_training_macs=cost), random(), run=TRIM, against=MASK,
        ratios=[4], margin=margin, cost="total_training_macs", share=share,
    )  # fmt: skip
    assert (found.favourable, found.counted) == (favourable, counted)
    assert f"0.50 of {MASK}" in found.note
    assert found.effect == pytest.approx(0.5 if counted else 0.15)
