"""Hypotheses about counts. They are exact and the same for every seed, and need no test."""

import numpy as np
from scipy import stats

from mirtrim.analysis.hypotheses.finding import Finding, computation
from mirtrim.analysis.task_evidence import (
    DENSE,
    NotRun,
    TaskEvidence,
    common_ratios,
    ratios_of,
    rows_of,
)


@computation
def unchanged_and_reduced(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    unchanged: str,
    reduced: str,
    columns: list[str],
) -> Finding:
    """At every ratio, run `unchanged` has as much of all `columns` as the dense network, and
    run `reduced` less.

    The effect is the share of networks (both runs, all ratios and seeds) for which this is true.
    """
    dense = rows_of(evidence, DENSE, 1)[columns]
    lonely = set(evidence.rows[evidence.rows.run.isin([unchanged, reduced])].seed) - set(
        dense.index
    )
    if lonely:
        raise NotRun(f"{DENSE} with seed {min(lonely)}")
    holds, odd = [], []
    for run in (unchanged, reduced):
        for ratio in ratios_of(evidence, run, None):
            of_run = rows_of(evidence, run, ratio)[columns]
            beside = dense.loc[of_run.index]
            true = of_run == beside if run == unchanged else of_run < beside
            holds += list(true.all(axis=1))
            odd += [f"{run} {column}" for column in columns if not true[column].all()]
    share = float(np.mean(holds))
    return Finding(
        f"{unchanged}, {reduced} and dense",
        tuple(common_ratios(evidence, [unchanged, reduced], None)),
        "share of networks",
        share,
        share == 1.0,
        counted=True,
        seeds=evidence.rows.seed.nunique(),
        note=f"not so: {', '.join(dict.fromkeys(odd))}" if odd else ", ".join(columns),
    )


@computation
def faster_decline(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    declines: str,
    faster_than: str,
    highest_ratio: float,
) -> Finding:
    """Column `declines` falls faster than column `faster_than` along the ratios of `run`.

    The effect is the slope of log `declines` on log `faster_than`, dense network included, by
    least squares over the ratios up to `highest_ratio`; faster is a slope above 1.
    """
    ratios = [ratio for ratio in ratios_of(evidence, run, None) if ratio <= highest_ratio]
    if len(ratios) < 2:
        raise NotRun(f"{run} at two ratios up to {highest_ratio:g}")
    parts = [rows_of(evidence, DENSE, 1), *(rows_of(evidence, run, ratio) for ratio in ratios)]
    counts = np.array([[part[declines].mean(), part[faster_than].mean()] for part in parts])
    fit = stats.linregress(np.log(counts[:, 1]), np.log(counts[:, 0]))
    fewer = counts[0] / counts[-1]
    return Finding(
        f"{declines} and {faster_than} of {run}",
        tuple(ratios),
        "slope of logarithms",
        float(fit.slope),
        float(fit.slope) > 1,
        counted=True,
        seeds=evidence.rows[evidence.rows.run == run].seed.nunique(),
        note=(
            f"at the last ratio {fewer[1]:.1f} times fewer {faster_than} and "
            f"{fewer[0]:.1f} times fewer {declines}"
        ),
    )


@computation
def as_fast(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    column: str,
    tolerance: float,
    faster: str,
) -> Finding:
    """By measured `column`, `run` is within `tolerance` (a share) of the dense network at every
    ratio, and run `faster` is faster than it at the highest.

    Latency is measured on networks of one seed, so no test over seeds is made: the
    effect is the largest deviation of `run` from the dense network, as a share.
    """
    if column not in evidence.rows.columns:
        raise NotRun(f"a table with {column}")
    ratios = common_ratios(evidence, [run, faster], None)
    dense = rows_of(evidence, DENSE, 1)[column].mean()
    shares = [rows_of(evidence, run, ratio)[column].mean() / dense - 1 for ratio in ratios]
    quick = rows_of(evidence, faster, ratios[-1])[column].mean() / dense
    if not np.isfinite([*shares, quick]).all():
        raise NotRun(f"{column} of dense, {run} and {faster} at every ratio")
    worst = max(shares, key=abs)
    return Finding(
        f"{run} and {faster} beside dense",
        tuple(ratios),
        f"{column} of {run} / dense − 1",
        float(worst),
        bool(abs(worst) <= tolerance and quick < 1),
        counted=True,
        note=f"{faster} at ratio {ratios[-1]:g}: {quick:.2f} of dense",
    )
