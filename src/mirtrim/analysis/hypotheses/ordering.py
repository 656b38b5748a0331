"""Whether several runs keep one order."""

from itertools import combinations

import numpy as np
from scipy import stats

from mirtrim.analysis.hypotheses.finding import Finding, computation
from mirtrim.analysis.spread import LEVEL
from mirtrim.analysis.statistics import compare
from mirtrim.analysis.task_evidence import TaskEvidence, common_ratios, paired_errors
from mirtrim.utils.errors import ConfigError

PERMUTATIONS = 10_000


@computation
def one_order(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    runs: list[str],
    ratios: list[float],
    margin: float,
) -> Finding:
    """The runs have the same order of error for every seed.

    The effect is Kendall's W over seeds: 1 if all seeds rank the runs in the same way, about 1 /
    seeds if they rank them at random. Its p-value is Friedman's, from random permutations within
    seeds, because a few seeds are too few for his chi-squared approximation. W is bounded and
    biased upwards in a bootstrap, so no interval is given. The hypothesis is refuted where every
    pair of runs is shown to differ by less than `margin` (two one-sided tests for each pair).
    """
    if len(runs) < 3:
        raise ConfigError(f"runs: an order needs three runs at least, not {', '.join(runs)}")
    shared = common_ratios(evidence, runs, ratios)
    tables = paired_errors(evidence, runs, shared)
    errors = np.stack([table.mean(axis=1) for table in tables], axis=1)
    w = kendalls_w(errors)
    p_value = permutation_p(errors, generator)
    gap = largest_equivalence_p(tables, margin, generator, evidence.clusters)
    order = " < ".join(runs[place] for place in np.argsort(errors.mean(axis=0), kind="stable"))
    alike = p_value >= LEVEL and gap < LEVEL
    return Finding(
        f"{len(runs)} runs",
        tuple(shared),
        "Kendall's W over seeds",
        w,
        not alike,
        p_value=gap if alike else p_value,
        seeds=len(errors),
        pieces=tables[0].shape[1],
        clusters=len(np.unique(evidence.clusters)),
        note=f"mean errors: {order}; largest gap {np.ptp(errors.mean(axis=0)):.3f}",
    )


def kendalls_w(errors: np.ndarray) -> float:
    """Agreement of the rows of `errors`, (seeds, runs), on the order of the columns; 0 to 1."""
    seeds, runs = errors.shape
    if seeds < 2:
        return float("nan")
    statistic = stats.friedmanchisquare(*errors.T).statistic
    return float(statistic / (seeds * (runs - 1)))


def permutation_p(errors: np.ndarray, generator: np.random.Generator) -> float:
    """Chance of an agreement at least as large where each row, (seeds, runs), is shuffled."""
    seeds, runs = errors.shape
    if seeds < 2:
        return float("nan")
    ranks = stats.rankdata(errors, axis=1)
    shuffled = generator.permuted(np.broadcast_to(ranks, (PERMUTATIONS, seeds, runs)), axis=2)
    larger = shuffled.sum(axis=1).var(axis=1) >= ranks.sum(axis=0).var() * (1 - 1e-9)
    return float((1 + larger.sum()) / (1 + PERMUTATIONS))


def largest_equivalence_p(
    tables: list[np.ndarray],
    margin: float,
    generator: np.random.Generator,
    clusters: np.ndarray | None = None,
) -> float:
    """Largest p of "these two runs differ by `margin` or more" over all pairs of runs."""
    largest = 0.0
    for first, second in combinations(tables, 2):
        for one, other in ((first, second), (second, first)):
            test = compare(one, other, generator, margin=margin, draws=2, clusters=clusters)
            # One-sided, and two-sided p is twice that where the effect has the right sign.
            one_sided = test.p_value / 2 if test.effect < 0 else 1 - test.p_value / 2
            largest = max(largest, one_sided)
    return largest
