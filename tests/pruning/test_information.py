"""Estimates of information against truths from closed forms and numerical integrals."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr
from torch import Tensor

from mirtrim.pruning.criteria.information import (
    binned_information,
    column_information,
    default_bins,
    noisy_information,
    rank_bins,
)

SEEDS = range(10)
N = 1000
SIGMA = 1 / 16

Units = Callable[[Tensor, float], Tensor]


def assert_accurate(estimates: np.ndarray, truths: np.ndarray, most: float = 0.05) -> None:
    """Root mean square error over the first axis (seeds) of at most `most` bits everywhere."""
    errors = np.sqrt(np.mean((np.asarray(estimates) - truths) ** 2, axis=0))
    assert np.all(errors <= most), f"errors of {np.round(errors, 3)} bits"


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_bins_see_a_parabola() -> None:
    x = torch.linspace(-1, 1, N)[:, None]
    # A decile of x leaves two deciles of x² possible: log2(10) − log2(2) = 2.32 bits.
    seen = binned_information(x, rank_bins(x**2, 10)[0], bins=10)
    assert seen.item() == pytest.approx(2.32, abs=0.05)


# Discrete labels


def class_mixture_bits(means: np.ndarray) -> float:
    """I(Y; C) for C uniform, Y | C = c ~ N(means[c], 1), by numerical integration."""
    x = np.linspace(means.min() - 8, means.max() + 8, 20001)
    density = norm.pdf(x[None] - means[:, None]).mean(axis=0)
    entropy = -np.sum(density * np.log2(density)) * (x[1] - x[0])
    return float(entropy - 0.5 * math.log2(2 * math.pi * math.e))


def labelled_units(seed: int, means: np.ndarray) -> tuple[Tensor, Tensor]:
    """Labels (N,) and, with class means (classes, units), values (N, units)."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(len(means), size=N)
    values = means[labels] + rng.normal(size=(N, means.shape[1]))
    return torch.tensor(values, dtype=torch.float32), torch.tensor(labels)


def assert_label_estimator(estimate: Callable[[Tensor, Tensor], Tensor], classes: int) -> None:
    spread = np.linspace(0, 2, 24)
    means = np.random.default_rng(0).normal(size=(classes, 24)) * spread
    truths = np.array([class_mixture_bits(m) for m in means.T])
    estimates = np.array([estimate(*labelled_units(seed, means)).numpy() for seed in SEEDS])
    assert_accurate(estimates, truths, 0.08)
    assert math.sqrt(np.mean((estimates - truths) ** 2)) <= 0.05
    assert min(spearmanr(row, truths).statistic for row in estimates) >= 0.97


@pytest.mark.parametrize("classes", [2, 13, 25])
def test_bins_and_labels(classes: int) -> None:
    assert_label_estimator(binned_information, classes)


def test_a_saturated_label_estimator_is_rejected() -> None:
    with pytest.raises(AssertionError, match="bits"):
        assert_label_estimator(
            lambda v, _: torch.full((v.shape[1],), math.log2(N), dtype=torch.float64), 13
        )


def test_bins_by_hand() -> None:
    # Values 0 … 7, four bins of two; the label is the half: one bit, and one bit's worth of
    # correction: (4 − 1 + 2 − 1 − (4 − 1)) / (2 · 8 · ln 2) = 1 / 11.09 bits.
    values, labels = torch.arange(8.0)[:, None], torch.tensor([0, 0, 0, 0, 5, 5, 5, 5])
    bits = binned_information(values, labels, bins=4).item()
    assert bits == pytest.approx(1 + 1 / (16 * math.log(2)), abs=1e-12)


def test_equal_values_share_a_bin() -> None:
    values = torch.tensor([[0.0], [0.0], [0.0], [0.0], [0.0], [1.0], [2.0], [3.0]])
    # Mid-ranks 2.5 (five zeros), 5.5, 6.5, 7.5 of 8, in four bins.
    assert rank_bins(values, 4).tolist() == [[1, 1, 1, 1, 1, 2, 3, 3]]
    assert rank_bins(-values, 4).tolist() == [[2, 2, 2, 2, 2, 1, 0, 0]]


def test_dead_units_have_no_bits() -> None:
    labels = torch.arange(N) % 13
    dead = torch.full((N, 2), 3.7)
    assert binned_information(dead, labels).tolist() == [0, 0]
    assert column_information(dead, (labels[:, None] == torch.arange(13)).float()).tolist() == [
        0,
        0,
    ]


def test_a_rare_event_of_a_rectified_unit_is_seen() -> None:
    # The unit is silent but for the one label in ten that it detects: h(0.1) = 0.469 bits.
    labels = (torch.arange(N) % 10 == 0).long()
    for sign in (1, -1):
        assert binned_information(sign * labels[:, None].float(), labels).item() == pytest.approx(
            0.469, abs=0.001
        )


@settings(derandomize=True, deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(2, 60), st.integers(1, 9))
def test_bins_depend_on_ranks_only_and_stay_in_bounds(
    seed: int, units: int, n: int, classes: int
) -> None:
    values = torch.randn(n, units, generator=generator(seed)).round(decimals=1)
    labels = torch.randint(classes, (n,), generator=generator(seed + 1))
    bits = binned_information(values, labels)
    assert torch.isfinite(bits).all()
    assert (bits >= 0).all()
    assert torch.equal(bits, binned_information(values * 7 + 3, labels * 2))


# Targets of several columns


def test_columns_are_averaged_and_constant_ones_left_out() -> None:
    labels = torch.arange(N) % 2
    columns = torch.stack([labels, torch.zeros(N), torch.ones(N), torch.arange(N) // 500], dim=1)
    # One bit about the first column, none about the last, nothing to know about the others.
    bits = column_information(labels[:, None].float(), columns.float())
    assert bits.item() == pytest.approx(0.5, abs=0.002)
    assert column_information(torch.rand(N, 3), torch.zeros(N, 4)).tolist() == [0, 0, 0]


def test_columns_agree_with_labels() -> None:
    values = torch.randn(N, 5, generator=generator(0))
    labels = (values[:, 0] + torch.randn(N, generator=generator(1)) > 0).long()
    one_by_one = binned_information(values, labels, bins=8)
    together = column_information(values, labels[:, None].float(), bins=8)
    torch.testing.assert_close(one_by_one, together)


@pytest.mark.parametrize("rare", [0, 1])
def test_ten_samples_of_the_rarer_value_are_left_for_every_bin(rare: int) -> None:
    """60 of 400 are rare, zeros or ones: six bins, not the ten that 340 would allow."""
    values = torch.randn(400, 3, generator=generator(2))
    columns = torch.full((400, 1), 1.0 - rare)
    columns[values[:, 0].argsort()[:60]] = float(rare)  # the first unit knows which
    found = column_information(values, columns)
    assert torch.equal(found, column_information(values, columns, bins=6))
    assert not torch.equal(found, column_information(values, columns, bins=10))


@pytest.mark.parametrize(
    ("samples", "classes", "bins"),
    [(400, 2, 10), (80, 2, 10), (79, 2, 9), (24, 3, 2), (36, 3, 3), (8, 1, 2), (1, 5, 2)],
)
def test_four_samples_are_left_for_every_bin_and_label(
    samples: int, classes: int, bins: int
) -> None:
    """At most ten bins and at least two."""
    assert default_bins(samples, classes) == bins


def test_rare_columns_leave_no_minimum_units_of_noise() -> None:
    columns = (torch.rand(N, 60, generator=generator(0)) < 0.02).float()
    values = torch.randn(N, 64, generator=generator(1))
    assert column_information(values, columns).max() < 0.002


# A unit and the input it is computed from


def density_bits(density: np.ndarray, step: float) -> float:
    """Entropy of a sampled density less that of the noise."""
    entropy = -np.sum(density * np.log2(np.maximum(density, 1e-300))) * step
    return float(entropy - 0.5 * math.log2(2 * math.pi * math.e * SIGMA**2))


def uniform_bits(a: float) -> float:
    """Y uniform on [−a, a]."""
    x, step = np.linspace(-a - 1, a + 1, 200001, retstep=True)
    return density_bits((norm.cdf((x + a) / SIGMA) - norm.cdf((x - a) / SIGMA)) / (2 * a), step)


def rectified_bits(a: float) -> float:
    """Y = max(0, a Z), Z standard normal."""
    x, step = np.linspace(-1, 8 * a + 1, 200001, retstep=True)
    wide = math.hypot(a, SIGMA)
    positive = norm.pdf(x, 0, wide) * norm.cdf(x * a / (SIGMA * wide))
    return density_bits(0.5 * norm.pdf(x, 0, SIGMA) + positive, step)


SCALES = np.geomspace(0.01, 2, 8)


def noisy_truths() -> np.ndarray:
    gaussian = 0.5 * np.log2(1 + SCALES**2 / SIGMA**2)
    uniform = [uniform_bits(a) for a in SCALES]
    return np.array([*gaussian, *uniform, *(rectified_bits(a) for a in SCALES), 0.0])


def noisy_units(seed: int, n: int) -> Tensor:
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(n, 8)) * SCALES
    uniform = rng.uniform(-1, 1, size=(n, 8)) * SCALES
    rectified = np.maximum(0, rng.normal(size=(n, 8)) * SCALES)
    constant = np.full((n, 1), 5.0)
    units = np.concatenate([normal, uniform, rectified, constant], axis=1)
    return torch.tensor(units, dtype=torch.float32)


def assert_noisy_estimator(estimate: Units) -> None:
    truths = noisy_truths()
    units = [noisy_units(seed, 10_000) for seed in SEEDS]
    estimates = np.array([np.asarray(estimate(values, SIGMA)) for values in units])
    assert_accurate(estimates, truths)
    assert min(spearmanr(row, truths).statistic for row in estimates) >= 0.99


def test_noisy_information_against_integrals() -> None:
    # Anchors of the truths themselves: ½ log2(1 + 16² · 2²) and log2(2 · 2 · 16 / √(2πe)).
    assert noisy_truths()[7] == pytest.approx(5.001, abs=0.001)
    assert noisy_truths()[15] == pytest.approx(3.953, abs=0.05)
    assert_noisy_estimator(noisy_information)


@pytest.mark.parametrize(
    "fake",
    [
        pytest.param(lambda v, _: np.full(v.shape[1], math.log2(len(v))), id="saturated"),
        pytest.param(lambda v, _: np.full(v.shape[1], 1.6), id="constant"),
        pytest.param(
            lambda v, s: np.log2(1 + v.std(0).numpy() ** 2 / s**2), id="twice the Gaussian bits"
        ),
    ],
)
def test_wrong_noisy_estimators_are_rejected(fake: Units) -> None:
    with pytest.raises(AssertionError, match="bits"):
        assert_noisy_estimator(fake)


def test_noisy_information_of_small_samples() -> None:
    truths = 0.5 * np.log2(1 + SCALES**2 / SIGMA**2)
    for n, most in ((1000, 0.06), (200, 0.12)):
        rows = [noisy_information(noisy_units(s, n)[:, :8], SIGMA).numpy() for s in SEEDS]
        assert_accurate(np.array(rows), truths, most)


def test_a_constant_unit_has_no_bits_and_two_places_one() -> None:
    assert noisy_information(torch.full((50, 1), 1e3), 0.1).tolist() == [0]
    coin = torch.tensor([0.0, 9.0]).repeat(5000)[:, None]
    assert noisy_information(coin, 0.1).item() == pytest.approx(1, abs=0.001)


def test_noisy_information_moves_and_scales_with_the_noise() -> None:
    units = noisy_units(0, 500)
    plain = noisy_information(units, SIGMA)
    torch.testing.assert_close(
        noisy_information(units * 8 + 4, 8 * SIGMA), plain, atol=1e-2, rtol=0
    )
    # Blocks and their neighbours do not mix.
    one_by_one = torch.cat([noisy_information(units[:, i : i + 1], SIGMA) for i in range(25)])
    torch.testing.assert_close(one_by_one, plain)


def test_noise_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        noisy_information(torch.rand(5, 1), 0.0)
