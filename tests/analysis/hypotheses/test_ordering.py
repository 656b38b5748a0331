"""One order of several runs: agreement, chance, and equivalence."""

import numpy as np
import pytest

from mirtrim.analysis.hypotheses.ordering import (
    kendalls_w,
    largest_equivalence_p,
    one_order,
    permutation_p,
)
from mirtrim.utils.errors import ConfigError
from tests.analysis.worlds import ACTIVATION, BATCHNORM, MASK, TRIM, about, evidence

RUNS = [TRIM, ACTIVATION, BATCHNORM]


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_agreement_by_hand() -> None:
    """All alike is 1. Rank sums 4, 7, 7 about 6: S = 6, W = 12·6 / (9·24) = 1/3."""
    assert kendalls_w(np.array([[1, 2, 3], [4, 5, 6], [1, 5, 9]])) == pytest.approx(1)
    assert kendalls_w(np.array([[1, 2, 3], [1, 3, 2], [2, 1, 3]])) == pytest.approx(7 / 9 - 1 / 3)
    assert np.isnan(kendalls_w(np.array([[1, 2, 3]])))


def test_chance_of_full_agreement() -> None:
    """Three seeds agree on an order of three with chance 6 / 6³ = 1/36."""
    p_value = permutation_p(np.array([[1, 2, 3]] * 3), generator())
    assert p_value == pytest.approx(1 / 36, rel=0.1)


def test_no_order_is_called_an_order_too_often() -> None:
    """Planted null: 200 times random errors of five runs and four seeds."""
    random = np.random.default_rng(1)
    found = [permutation_p(random.random((4, 5)), random) for _ in range(60)]
    assert np.mean(np.array(found) < 0.05) <= 0.1


def test_a_planted_order_is_found() -> None:
    networks = {
        ("dense", 1): about(0.2, seeds=5),
        (TRIM, 4): about(0.34, seeds=5),
        (ACTIVATION, 4): about(0.30, seeds=5),
        (BATCHNORM, 4): about(0.32, seeds=5),
    }
    found = one_order(evidence(networks), generator(), runs=RUNS, ratios=[4, 8], margin=0.01)
    assert (found.effect, found.favourable) == (pytest.approx(1), True)
    assert found.p_value == pytest.approx(1 / 6**4, rel=1)  # all agree with the first
    order = f"{ACTIVATION} < {BATCHNORM} < {TRIM}"
    assert found.note == f"mean errors: {order}; largest gap 0.040"


def test_runs_that_are_shown_to_be_alike_refute_an_order() -> None:
    """Errors 0.1 points apart, in changing order: all pairs within one point."""
    random = np.random.default_rng(2)
    networks = {("dense", 1): about(0.2)}
    for run in RUNS:
        noise = 0.001 * random.standard_normal((3, 1))
        networks[run, 4] = about(0.3, step=0) + noise
    found = one_order(evidence(networks), generator(), runs=RUNS, ratios=[4], margin=0.01)
    assert not found.favourable
    assert found.p_value < 0.05


def test_equivalence_needs_every_pair() -> None:
    alike, apart = about(0.3), about(0.305, step=0.004)
    assert largest_equivalence_p([alike, alike, alike], 0.01, generator()) < 0.001
    # 0.005 beside a margin of 0.01, deviation 0.003 over three seeds: t = 2.89, one-sided p 0.051.
    assert largest_equivalence_p([alike, apart], 0.01, generator()) == pytest.approx(
        0.0509, rel=0.01
    )


def test_runs_that_differ_by_more_than_the_margin_are_not_alike() -> None:
    """A tenth apart beside a hundredth: whichever stands first, p is all but 1."""
    low, high = about(0.3), about(0.4, step=0.004)
    for pair in ([low, high], [high, low]):
        assert largest_equivalence_p(pair, 0.01, generator()) > 0.999


def test_two_runs_have_no_order() -> None:
    with pytest.raises(ConfigError, match=f"three runs at least, not {TRIM}, {MASK}"):
        one_order(evidence({("dense", 1): about(0.2)}), generator(), runs=[TRIM, MASK],
                  ratios=[4], margin=0.01)  # fmt: skip
