"""Paired comparison of two runs whose errors are known for every seed and every test piece.

Every seed is tested on the same pieces, so seeds and pieces are crossed, not nested: a hard piece
is hard for all seeds, and resampling pieces within each seed would count it several times. The
design is that of radiologists (seeds) who read the same cases (pieces), and the test is the one
made for it: Hillis, "A comparison of denominator degrees of freedom methods for multiple observer
ROC analysis", Statistics in Medicine 26, 2007. Simulated with three seeds, it calls 5 to 8 % of
nulls significant at the 5 % level; with five seeds 5 %. With two seeds it would call two to seven
times as many significant as the level says, so they have one degree of freedom at most. The
bootstrap draws seeds, and one set of pieces for all of them: Owen, "The pigeonhole bootstrap",
Annals of Applied Statistics 1, 2007.

Pieces that share a player or a song are not independent. With `clusters` the units that are drawn,
counted and tested are clusters of pieces: the mean stays that over pieces, and its variance is the
cluster-robust one (linearised, Liang & Zeger, Biometrika 73, 1986), with as many degrees of freedom
as there are clusters less one. Where every piece is a cluster this is the same as without.
Simulated with five seeds and a tenth to six tenths of the variance of pieces between clusters, it
calls 4 to 5 % of nulls significant with eight clusters, up to 8 % with three; taken for independent
the same pieces give 8 to 49 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan

import numpy as np
from scipy import stats

from mirtrim.analysis.spread import LEVEL, Spread, p_value_of, spread_of

DRAWS = 2000
MOST_SIGNS = 4096  # random signs, or all there are of twelve clusters
ROUNDING = 1e-12  # differences of errors that are no larger are last digits


@dataclass(frozen=True)
class Comparison:
    """Compare the error of one run with that of another, over the same seeds and pieces.

    Attributes:
        effect: mean of first − times · second − margin.
        difference, ratio: of the mean errors, first − second and first / second.
        difference_interval, ratio_interval: that hold 95 %; NaN with one seed.
        p_value: two-sided, that `effect` is 0; NaN with one seed, which decides nothing.
        p_signs: two-sided, of `sign_flip_p`; another look at the same question, which decides
            nothing.
        spread: of `effect`; None with one seed.
        seeds, pieces, clusters: how many.
    """

    effect: float
    difference: float
    ratio: float
    difference_interval: tuple[float, float]
    ratio_interval: tuple[float, float]
    p_value: float
    p_signs: float
    spread: Spread | None
    seeds: int
    pieces: int
    clusters: int


def compare(
    first: np.ndarray,
    second: np.ndarray,
    generator: np.random.Generator,
    *,
    times: float = 1.0,
    margin: float = 0.0,
    draws: int = DRAWS,
    clusters: np.ndarray | None = None,
) -> Comparison:
    """Test whether the mean error of `first` is `times` that of `second` plus `margin`.

    Args:
        first, second: errors, (seeds, pieces), in the same order of seeds and of pieces.
        generator: source of the bootstrap's draws.
        times, margin: the line between "not worse" and "worse".
        draws: of the bootstrap.
        clusters: what each piece belongs to, (pieces,); None if pieces are independent.

    Raises:
        ValueError: shapes differ, or something is not a finite number.
    """
    if first.shape != second.shape or first.ndim != 2 or not first.size:
        raise ValueError(f"errors of shape {first.shape} and {second.shape} are not paired")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("an error is not a finite number")
    contrast = first - times * second - margin
    effect = float(contrast.mean())
    mean, other = float(first.mean()), float(second.mean())
    ratio = mean / other if other > 0 else nan
    seeds, pieces = first.shape
    if clusters is None:
        clusters = np.arange(pieces)
    sizes = (seeds, pieces, len(np.unique(clusters)))
    if seeds < 2:
        none = (nan, nan)
        return Comparison(effect, mean - other, ratio, none, none, nan, nan, None, *sizes)
    spread = spread_of(contrast, clusters)
    means = bootstrap_means([first, second], generator, draws, clusters)
    return Comparison(
        effect,
        mean - other,
        ratio,
        _widened(mean - other, means[0] - means[1], spread_of(first - second, clusters)),
        _ratio_interval(first, second, means, clusters),
        p_value_of(effect, spread),
        sign_flip_p(contrast, generator, clusters),
        spread,
        *sizes,
    )


def sign_flip_p(
    contrast: np.ndarray, generator: np.random.Generator, clusters: np.ndarray | None = None
) -> float:
    """Two-sided p that clusters of pieces are as often on one side as on the other.

    The mean of `contrast` beside those that come out if the signs of whole clusters are turned
    (Fisher's randomisation test). It assumes no distribution, but treats the seeds as fixed, and
    cannot be below 2 ** (1 - clusters): with three clusters it is 1/4 at best.

    Args:
        contrast: (seeds, pieces).
        generator: of random signs where there are more than `MOST_SIGNS` of them.
        clusters: of each piece, (pieces,); None if pieces are independent.
    """
    sums = contrast.mean(axis=0)
    if clusters is not None:
        sums = np.bincount(np.unique(clusters, return_inverse=True)[1], weights=sums)
    exact = 2 ** len(sums) <= MOST_SIGNS
    if exact:
        signs = 1 - 2 * (np.arange(2 ** len(sums))[:, None] >> np.arange(len(sums)) & 1)
    else:
        signs = generator.choice([-1, 1], size=(MOST_SIGNS, len(sums)))
    # Rounding must not tell equal sums apart.
    as_far = int((np.abs(signs @ sums) >= abs(sums.sum()) - 1e-9 * np.abs(sums).sum()).sum())
    return as_far / len(signs) if exact else (1 + as_far) / (1 + len(signs))


def bootstrap_means(
    tables: Sequence[np.ndarray],
    generator: np.random.Generator,
    draws: int = DRAWS,
    clusters: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Means of `tables`, (seeds, pieces) each, over the same random seeds and pieces.

    Args:
        clusters: of each piece, (pieces,), which are drawn whole; None draws pieces.

    Returns:
        One array of (draws,) per table.
    """
    seeds, pieces = tables[0].shape
    members = np.arange(pieces)
    if clusters is not None:
        members = np.unique(clusters, return_inverse=True)[1]
    units = int(members.max()) + 1
    of_seeds = generator.multinomial(seeds, np.full(seeds, 1 / seeds), size=draws) / seeds
    drawn = generator.multinomial(units, np.full(units, 1 / units), size=draws)
    of_pieces = drawn[:, members].astype(float)
    of_pieces /= of_pieces.sum(axis=1, keepdims=True)
    return [((of_seeds @ table) * of_pieces).sum(axis=1) for table in tables]


def _ratio_interval(
    first: np.ndarray, second: np.ndarray, means: list[np.ndarray], clusters: np.ndarray
) -> tuple[float, float]:
    """On the scale of logarithms, whose spread to first order is that of the scaled contrast."""
    mean, other = float(first.mean()), float(second.mean())
    if min(mean, other) <= 0 or min(means[0].min(), means[1].min()) <= 0:
        return (nan, nan)
    spread = spread_of(first / mean - second / other, clusters)
    low, high = _widened(np.log(mean / other), np.log(means[0] / means[1]), spread)
    return float(np.exp(low)), float(np.exp(high))


def _widened(estimate: float, draws: np.ndarray, spread: Spread) -> tuple[float, float]:
    """Percentiles of `draws`, stretched about the estimate.

    A few seeds drawn from themselves vary too little (by (n − 1) / n in variance), and their
    tails are those of the normal distribution. The stretch gives the draws the unbiased standard
    error and the tails of Student's t, as Hesterberg (The American Statistician 69, 2015) does by
    moving the percentiles; the shape stays that of the bootstrap.
    """
    deviation = float(draws.std())
    if deviation == 0:
        return estimate, estimate
    tails = stats.t.ppf(1 - LEVEL / 2, spread.freedom()) / stats.norm.ppf(1 - LEVEL / 2)
    stretch = tails * spread.standard_error() / deviation
    low, high = np.quantile(draws, [LEVEL / 2, 1 - LEVEL / 2])
    below, above = (float(low) - estimate) * stretch, (float(high) - estimate) * stretch
    return estimate + below, estimate + above


def t_test(values: np.ndarray, line: float = 0.0) -> tuple[float, float, float, float]:
    """Mean of independent values, both ends of its 95 % interval, and p of the mean being `line`.

    Student's t, two-sided. The interval and p are NaN for one value, or if all are the same but
    for rounding.
    """
    mean, count = float(values.mean()), len(values)
    if count < 2 or np.ptp(values) <= ROUNDING * (1 + np.abs(values).max()):
        return mean, nan, nan, nan
    half = float(stats.t.ppf(1 - LEVEL / 2, count - 1) * stats.sem(values))
    return mean, mean - half, mean + half, float(stats.ttest_1samp(values, line).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979), in the order given; NaN stays NaN."""
    corrected = [nan] * len(p_values)
    order = sorted((p, place) for place, p in enumerate(p_values) if isfinite(p))
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[place] = largest
    return corrected
