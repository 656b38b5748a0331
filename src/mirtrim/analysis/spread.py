"""How sure a mean over seeds and pieces is, when every seed is tested on the same pieces.

The model and its sources are described in `mirtrim.analysis.statistics`.
"""

from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from scipy import stats

LEVEL = 0.05  # of significance; intervals hold 1 − LEVEL
POWER = 0.8
MOST_SEEDS = 100


@dataclass(frozen=True)
class Spread:
    """How sure a mean over seeds and pieces is.

    Attributes:
        seeds, pieces: how many there are; clusters in the place of pieces where there are some.
        of_seeds: sample variance of the means of the seeds.
        of_pieces: variance that the choice of pieces (or clusters) gives to the mean over all;
            more seeds do not lower it.
    """

    seeds: int
    pieces: int
    of_seeds: float
    of_pieces: float

    def standard_error(self, seeds: int | None = None) -> float:
        """Of the mean, with the actual or a hypothetical number of `seeds`."""
        return sqrt(self.of_seeds / (seeds or self.seeds) + self.of_pieces)

    def freedom(self, seeds: int | None = None) -> float:
        """Degrees of freedom of the standard error (Satterthwaite's rule for two variances).

        Two seeds have one at most: they may agree by chance, and then the rule trusts the pieces
        alone.
        """
        seeds = seeds or self.seeds
        by_seeds = self.of_seeds / seeds
        terms = 0.0
        if by_seeds > 0:
            terms += by_seeds**2 / (seeds - 1)
        if self.of_pieces > 0:
            terms += self.of_pieces**2 / (self.pieces - 1)
        if terms == 0:
            return inf
        freedom = (by_seeds + self.of_pieces) ** 2 / terms
        return min(freedom, 1.0) if seeds == 2 else freedom


def by_cluster(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """One column per cluster, whose spread is that of the mean over pieces.

    A cluster's column is the mean over all plus what its pieces add to it, so that large clusters
    weigh more, and means of rows and of the table stay those over pieces. Clusters of one size
    give their means; clusters of one piece give `values`.

    Args:
        values: (seeds, pieces).
        clusters: name or number of each piece's cluster, (pieces,).

    Returns:
        (seeds, clusters), in the order of the sorted clusters.
    """
    names, members = np.unique(clusters, return_inverse=True)
    if len(clusters) != values.shape[1]:
        raise ValueError(f"{len(clusters)} clusters are named for {values.shape[1]} pieces")
    centre = values.mean()
    added = np.stack([(values - centre)[:, members == g].sum(axis=1) for g in range(len(names))])
    return centre + added.T * len(names) / values.shape[1]


def spread_of(values: np.ndarray, clusters: np.ndarray | None = None) -> Spread:
    """What seeds and pieces contribute to the spread of the mean of `values`.

    Args:
        values: (seeds, pieces), two seeds at least.
        clusters: of each piece, (pieces,); None if pieces are independent. A few clusters may look
            similar by chance; clustering never makes a mean more certain than independent pieces
            do, and degrees of freedom are those of the clusters. Of one cluster nothing is known
            but its pieces.
    """
    alone = _crossed(values)
    if clusters is None or len(np.unique(clusters)) < 2:
        return alone
    found = _crossed(by_cluster(values, clusters))
    return replace(found, of_pieces=max(found.of_pieces, alone.of_pieces))


def _crossed(values: np.ndarray) -> Spread:
    """Components of variance of rows and columns, (seeds, pieces or clusters)."""
    seeds, pieces = values.shape
    of_seed, of_piece = values.mean(axis=1), values.mean(axis=0)
    if pieces < 2:
        return Spread(seeds, pieces, float(of_seed.var(ddof=1)), 0.0)
    rest = values - of_seed[:, None] - of_piece[None, :] + values.mean()
    rest_square = float((rest**2).sum()) / ((seeds - 1) * (pieces - 1))
    # Half of what a mean over seeds shows of a piece is noise of the seeds: take that off.
    of_pieces = max(float(of_piece.var(ddof=1)) - rest_square / seeds, 0.0) / pieces
    return Spread(seeds, pieces, float(of_seed.var(ddof=1)), of_pieces)


def p_value_of(effect: float, spread: Spread) -> float:
    """Two-sided p of a mean under Student's t distribution; needs no equal variances."""
    error = spread.standard_error()
    if error == 0:
        return 1.0 if effect == 0 else 0.0
    return float(2 * stats.t.sf(abs(effect) / error, spread.freedom()))


def seeds_to_decide(
    effect: float, spread: Spread, level: float = LEVEL, power: float = POWER
) -> int | None:
    """How many seeds would make `effect` significant with a chance of `power`.

    Power of the two-sided t test from the noncentral t distribution. It assumes that the effect
    and the variances are those observed, and that the pieces stay the same.

    Returns:
        The number, or None if `MOST_SEEDS` do not suffice (the effect is too near to the line, or
        there are too few pieces).
    """
    numbers = range(2, MOST_SEEDS + 1)
    errors = np.array([spread.standard_error(seeds) for seeds in numbers])
    if errors[0] == 0:
        return 2 if effect != 0 else None
    freedom = np.array([spread.freedom(seeds) for seeds in numbers])
    line = stats.t.ppf(1 - level / 2, freedom)
    enough = stats.nct.sf(line, freedom, abs(effect) / errors) >= power
    return numbers[int(enough.argmax())] if enough.any() else None
