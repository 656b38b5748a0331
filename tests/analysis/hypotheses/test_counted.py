"""Counts decide without a test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.hypotheses.counted import as_fast, faster_decline, unchanged_and_reduced
from mirtrim.analysis.task_evidence import NotRun, gather
from tests.analysis.worlds import MASK, TRIM, about, evidence, world

NETWORKS = {key: about(0.3) for key in (("dense", 1), (MASK, 4), (TRIM, 2), (TRIM, 4))}
MACS = {("dense", 1): 1600, (MASK, 4): 1600, (TRIM, 2): 400, (TRIM, 4): 100}
PARAMETERS = {("dense", 1): 100, (MASK, 4): 100, (TRIM, 2): 50, (TRIM, 4): 25}
LEFT = {("dense", 1): 100, (MASK, 4): 25, (TRIM, 2): 50, (TRIM, 4): 25}
RANDOM = np.random.default_rng(0)


def columns(**changes: dict[tuple[str, float], int]) -> dict[str, dict[tuple[str, float], int]]:
    return {"macs": MACS, "parameters": PARAMETERS, "nonzeros": LEFT, **changes}


def test_masks_change_nothing_and_trims_reduce() -> None:
    found = unchanged_and_reduced(
        evidence(NETWORKS, **columns()), RANDOM,
        unchanged=MASK, reduced=TRIM, columns=["parameters", "macs"],
    )  # fmt: skip
    assert (found.effect, found.favourable, found.counted) == (1.0, True, True)


def test_a_seed_without_its_dense_network_is_not_counted() -> None:
    part = evidence(NETWORKS, **columns())
    dense = part.rows.run == "dense"
    for gone, missing in (
        (dense & (part.rows.seed == 2), "^dense with seed 2$"),
        (dense, "^dense$"),
    ):
        with pytest.raises(NotRun, match=missing):
            unchanged_and_reduced(
                replace(part, rows=part.rows[~gone]), RANDOM,
                unchanged=MASK, reduced=TRIM, columns=["macs"],
            )  # fmt: skip


def test_one_count_that_differs_refutes() -> None:
    """Three seeds of one mask among nine networks."""
    odd = {**MACS, (MASK, 4): 1599}
    found = unchanged_and_reduced(
        evidence(NETWORKS, **columns(macs=odd)), RANDOM,
        unchanged=MASK, reduced=TRIM, columns=["parameters", "macs"],
    )  # fmt: skip
    assert found.effect == pytest.approx(6 / 9)
    assert not found.favourable
    assert found.note == f"not so: {MASK} macs"


def test_the_slope_of_a_quadratic_fall_is_two() -> None:
    found = faster_decline(
        evidence(NETWORKS, **columns()), RANDOM,
        run=TRIM, declines="macs", faster_than="parameters", highest_ratio=16,
    )  # fmt: skip
    assert found.effect == pytest.approx(2)
    assert (found.favourable, found.counted, found.seeds) == (True, True, 3)
    assert found.ratios == (2, 4)
    assert found.note == "at the last ratio 4.0 times fewer parameters and 16.0 times fewer macs"


def test_a_slower_fall_refutes() -> None:
    slow = {**MACS, (TRIM, 2): 1131, (TRIM, 4): 800}
    found = faster_decline(
        evidence(NETWORKS, **columns(macs=slow)), RANDOM,
        run=TRIM, declines="macs", faster_than="parameters", highest_ratio=16,
    )  # fmt: skip
    assert found.effect == pytest.approx(0.5, abs=1e-3)
    assert not found.favourable
    with pytest.raises(NotRun, match=f"^{TRIM} at two ratios up to 3$"):
        faster_decline(
            evidence(NETWORKS, **columns()), RANDOM,
            run=TRIM, declines="macs", faster_than="parameters", highest_ratio=3,
        )  # fmt: skip


def test_what_falls_as_fast_does_not_fall_faster() -> None:
    found = faster_decline(
        evidence(NETWORKS, **columns()), RANDOM,
        run=TRIM, declines="parameters", faster_than="parameters", highest_ratio=4,
    )  # fmt: skip
    assert (found.effect, found.favourable) == (1.0, False)
    assert found.ratios == (2, 4)  # the highest included


@pytest.mark.parametrize(("of_mask", "favourable"), [(4.2, True), (3.0, False)])
def test_latency_of_masks(of_mask: float, favourable: bool) -> None:
    latency = pd.DataFrame(
        {
            "task": "onset", "run": ["dense", MASK, TRIM], "target_ratio": [1, 4, 4],
            "latency_ms": [4.0, of_mask, 2.0],
        }
    )  # fmt: skip
    settings = {"run": MASK, "faster": TRIM, "column": "latency_ms", "tolerance": 0.1}
    found = as_fast(gather(*world(NETWORKS), [latency])[0], RANDOM, **settings)
    assert (found.favourable, found.counted) == (favourable, True)
    # Of one seed, and of no pieces: nothing is estimated.
    assert (found.seeds, found.pieces, found.clusters) == (0, 0, 0)
    assert found.effect == pytest.approx(of_mask / 4 - 1)
    assert found.note == f"{TRIM} at ratio 4: 0.50 of dense"
    with pytest.raises(NotRun, match="a table with latency_ms"):
        as_fast(evidence(NETWORKS), RANDOM, **settings)
