"""The paired comparison: numbers done by hand, planted effects, planted nulls, coverage."""

from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from mirtrim.analysis.spread import Spread, p_value_of, seeds_to_decide, spread_of
from mirtrim.analysis.statistics import (
    bootstrap_means,
    compare,
    holm,
    t_test,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def planted(
    random: np.random.Generator, effect: float, seeds: int = 3, pieces: int = 40
) -> tuple[np.ndarray, np.ndarray]:
    """Two runs that share hard pieces; seeds, pieces and both together move the difference."""
    hard = 0.3 + 0.1 * random.standard_normal(pieces)
    difference = (
        effect
        + 0.02 * random.standard_normal((seeds, 1))
        + 0.05 * random.standard_normal((1, pieces))
        + 0.05 * random.standard_normal((seeds, pieces))
    )
    return hard + difference, np.broadcast_to(hard, (seeds, pieces)).copy()


def test_spread_by_hand() -> None:
    """Means of seeds 1, 2, 6 (variance 7); of pieces 2, 4 (variance 2).

    Residuals are ±1, 0, ±1 per seed, so their mean square is 4 / 2 = 2; of the variance between
    pieces 2 / 3 is noise of the seeds and 4 / 3 is left, half of it in a mean over two pieces.
    """
    values = np.array([[1.0, 1.0], [1.0, 3.0], [4.0, 8.0]])
    spread = spread_of(values)
    assert spread.of_seeds == pytest.approx(7)
    assert spread.of_pieces == pytest.approx((2 - 2 / 3) / 2)
    assert spread.standard_error() == pytest.approx(sqrt(7 / 3 + 2 / 3))
    assert spread.freedom() == pytest.approx(3**2 / ((7 / 3) ** 2 / 2 + (2 / 3) ** 2 / 1))
    assert spread.standard_error(7) == pytest.approx(sqrt(1 + 2 / 3))


def test_where_only_seeds_differ_it_is_the_paired_t_test() -> None:
    """Differences 1, 2, 6 on every piece: t = 3 / sqrt(7 / 3) with 2 degrees of freedom."""
    first = np.array([[1.0] * 5, [2.0] * 5, [6.0] * 5])
    result = compare(first, np.zeros((3, 5)), generator())
    assert result.p_value == pytest.approx(stats.ttest_1samp([1, 2, 6], 0).pvalue)
    assert result.p_value == pytest.approx(1 - sqrt(27 / 41))  # closed form, 0.1885
    assert result.effect == result.difference == pytest.approx(3)


def test_where_only_pieces_differ_it_is_the_t_test_over_pieces() -> None:
    pieces = np.array([0.1, 0.3, -0.1, 0.5])
    result = compare(np.tile(pieces, (3, 1)), np.zeros((3, 4)), generator())
    assert result.p_value == pytest.approx(stats.ttest_1samp(pieces, 0).pvalue)


def test_times_and_margin_move_the_line() -> None:
    first, second = np.full((2, 3), 0.33), np.full((2, 3), 0.3)
    assert compare(first, second, generator(), times=1.1).effect == pytest.approx(0)
    assert compare(first, second, generator(), margin=0.01).effect == pytest.approx(0.02)
    assert compare(first, second, generator()).ratio == pytest.approx(1.1)


def test_no_spread_is_certain() -> None:
    assert p_value_of(0.1, Spread(3, 4, 0.0, 0.0)) == 0
    assert p_value_of(0.0, Spread(3, 4, 0.0, 0.0)) == 1
    assert Spread(3, 4, 0.0, 0.0).freedom() == inf
    result = compare(np.full((2, 3), 0.4), np.full((2, 3), 0.3), generator())
    assert result.difference_interval == pytest.approx((0.1, 0.1))


def test_one_seed_decides_nothing() -> None:
    result = compare(np.full((1, 9), 0.4), np.full((1, 9), 0.3), generator())
    assert isnan(result.p_value)
    assert result.spread is None
    assert result.difference == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4))),
        (np.zeros(3), np.zeros(3)),
        (np.full((2, 2), nan), np.zeros((2, 2))),
    ],
)
def test_what_is_not_paired_is_refused(first: np.ndarray, second: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not"):
        compare(first, second, generator())


def test_bootstrap_draws_the_same_pieces_for_all_seeds() -> None:
    """All seeds agree, so the means vary by the pieces alone: variance p (1 − p) / n."""
    hit = np.tile(np.array([0.0, 1.0] * 50), (3, 1))
    means = bootstrap_means([hit], generator(), draws=4000)[0]
    assert means.mean() == pytest.approx(0.5, abs=0.005)
    assert means.std() == pytest.approx(0.05, rel=0.05)


def test_both_runs_see_the_same_draw() -> None:
    first, _ = planted(generator(), 0.0)
    alone, beside = bootstrap_means([first, first + 1], generator())
    np.testing.assert_allclose(beside - alone, 1)
    assert len(alone) == 2000


def test_the_same_seed_gives_the_same_interval() -> None:
    first, second = planted(generator(1), 0.05)
    assert compare(first, second, generator(3)) == compare(first, second, generator(3))
    other = compare(first, second, generator(4))
    assert other.difference_interval != compare(first, second, generator(3)).difference_interval


def test_a_planted_effect_is_found_and_a_planted_null_is_not() -> None:
    """150 replications, three seeds: nulls called significant in at most 10 %."""
    random = generator(5)
    null = [compare(*planted(random, 0.0), generator(), draws=2).p_value for _ in range(150)]
    real = [compare(*planted(random, 0.15), generator(), draws=2).p_value for _ in range(150)]
    assert np.mean(np.array(null) < 0.05) < 0.1
    assert np.mean(np.array(real) < 0.05) > 0.9


def test_intervals_cover_what_was_planted() -> None:
    random = generator(6)
    differences, ratios = [], []
    for _ in range(200):
        first, second = planted(random, 0.06)
        result = compare(first, second, random, draws=400)
        differences.append(result.difference_interval[0] < 0.06 < result.difference_interval[1])
        ratios.append(result.ratio_interval[0] < 0.36 / 0.3 < result.ratio_interval[1])
    assert 0.9 <= np.mean(differences) <= 0.99
    assert 0.9 <= np.mean(ratios) <= 0.99


def test_a_quotient_has_no_interval_where_a_draw_has_no_error() -> None:
    """Drawn from two pieces, the one without errors comes alone one time in four."""
    first = np.array([[0.0, 1.0], [0.0, 1.0]])
    result = compare(first, np.ones((2, 2)), generator())
    assert result.ratio == 0.5
    assert np.isnan(result.ratio_interval).all()
    assert np.isfinite(result.difference_interval).all()


def test_the_interval_of_a_quotient_knows_no_unit() -> None:
    """Errors in percent have the same quotients; twice the errors of one run twice of them."""
    first, second = planted(generator(1), 0.06)
    plain = compare(first, second, generator(3))
    low, high = plain.ratio_interval
    assert low < plain.ratio < high
    percent = compare(100 * first, 100 * second, generator(3))
    assert percent.ratio_interval == pytest.approx((low, high))
    twice = compare(2 * first, second, generator(3))
    assert twice.ratio_interval == pytest.approx((2 * low, 2 * high))
    other = compare(first, 4 * second, generator(3))
    assert other.ratio_interval == pytest.approx((low / 4, high / 4))


def test_equal_differences_are_equal_whatever_their_last_digits() -> None:
    """.155 − .145 and .165 − .155 differ in the last digit of a double, not in anything else."""
    differences = np.array([0.155, 0.165, 0.175]) - np.array([0.145, 0.155, 0.165])
    assert differences.std() > 0
    assert t_test(differences)[0] == pytest.approx(0.01)
    assert np.isnan(t_test(differences)[1:]).all()
    assert np.isfinite(t_test(np.array([0.010, 0.011, 0.010]))).all()


def test_holm_by_hand() -> None:
    """0.01·4, then 0.02·3 = 0.06, then 0.03·2 lifted to no less, then 0.9·1."""
    assert holm([0.03, 0.01, 0.9, 0.02]) == pytest.approx([0.06, 0.04, 0.9, 0.06])
    corrected = holm([0.5, nan, 0.04])
    assert corrected[0] == pytest.approx(0.5)
    assert isnan(corrected[1])  # what was not tested does not count as a test
    assert corrected[2] == pytest.approx(0.08)
    assert holm([0.8, 0.7]) == [1.0, 1.0]


def test_seeds_to_decide_is_the_power_of_the_t_test() -> None:
    """Effect of one deviation between seeds: 10 pairs have power 0.80, 9 have 0.75 (Cohen)."""
    assert seeds_to_decide(1.0, Spread(3, 50, of_seeds=1.0, of_pieces=0.0)) == 10
    assert seeds_to_decide(10.0, Spread(3, 50, of_seeds=1.0, of_pieces=0.0)) == 3
    # With one degree of freedom the line is at 12.7 standard errors, and this is 141 of them.
    assert seeds_to_decide(100.0, Spread(3, 50, of_seeds=1.0, of_pieces=0.0)) == 2
    assert seeds_to_decide(1.0, Spread(3, 50, of_seeds=1.0, of_pieces=0.0), level=0.005) > 10


def test_more_seeds_do_not_help_where_pieces_are_too_few() -> None:
    assert seeds_to_decide(1.0, Spread(3, 50, of_seeds=0.1, of_pieces=1.0)) is None
    assert seeds_to_decide(0.0, Spread(3, 50, of_seeds=1.0, of_pieces=0.0)) is None
    assert seeds_to_decide(0.0, Spread(3, 50, 0.0, 0.0)) is None
    assert seeds_to_decide(0.1, Spread(3, 50, 0.0, 0.0)) == 2
