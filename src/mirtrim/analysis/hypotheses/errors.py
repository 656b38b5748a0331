"""Hypotheses that compare the error of one run with that of others."""

from math import isnan, nan

import numpy as np

from mirtrim.analysis.hypotheses.finding import Finding, computation, finding_of
from mirtrim.analysis.statistics import Comparison, compare
from mirtrim.analysis.task_evidence import (
    NotRun,
    TaskEvidence,
    common_ratios,
    paired_errors,
    ratios_of,
    unequal_sizes,
)


@computation
def not_worse(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    against: str,
    ratios: list[float],
    times: float = 1.0,
    margin: float = 0.0,
) -> Finding:
    """The error of `run` is below `times` that of `against` plus `margin`, as means over `ratios`.

    With a margin this is a test of non-inferiority: the run need not be better, only not worse by
    the margin or more. The line itself moves, so being just as good can be shown.
    """
    shared = common_ratios(evidence, [run, against], ratios)
    first, second = paired_errors(evidence, [run, against], shared)
    comparison = compare(
        first, second, generator, times=times, margin=margin, clusters=evidence.clusters
    )
    compared = f"{run} / {against}" if times != 1 else f"{run} − {against}"
    note = unequal_sizes(evidence, run, against, shared)
    return finding_of(comparison, compared, shared, relative=times != 1, note=note)


@computation
def lower_error(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    against: list[str],
    ratios: list[float],
) -> Finding:
    """The error of `run` is below that of every run of `against`, as means over `ratios`.

    To be below all of them, it must pass the test against each (intersection-union test, which
    needs no correction); to fail, the test against one of them, corrected for their number. The
    reported comparison is the one that decides: the worst one.
    """
    shared = common_ratios(evidence, [run, *against], ratios)
    tables = paired_errors(evidence, [run, *against], shared)
    sizes = filter(None, (unequal_sizes(evidence, run, one, shared) for one in against))
    note = "; ".join(sizes)
    return _least_favourable(run, against, shared, tables, generator, evidence.clusters, note)


@computation
def lower_at_best_ratio(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    against: list[str],
    highest_ratio: float,
) -> Finding:
    """At its best ratio, the error of `run` is below that of every run of `against`.

    The best ratio is the one with the lowest mean validation error up to `highest_ratio`; the
    reported errors are test errors. If it is the lowest ratio of `run`, the note says so: an even
    lower one, which was not run, might be better.

    Raises:
        NotRun: `run` has no such ratio, or a run of `against` lacks the best one.
    """
    among = [ratio for ratio in ratios_of(evidence, run, None) if ratio <= highest_ratio]
    if not among:
        raise NotRun(f"{run} at a ratio up to {highest_ratio:g}")
    of_run = evidence.rows[(evidence.rows.run == run) & evidence.rows.target_ratio.isin(among)]
    validation = of_run.groupby("target_ratio").validation_error.mean()
    best = float(validation.idxmin())
    common_ratios(evidence, [run, *against], [best])
    tables = paired_errors(evidence, [run, *against], [best])
    note = f"least validation error at ratio {best:g}"
    if best == min(among):
        note += ", the lowest that was run"
    return _least_favourable(run, against, [best], tables, generator, evidence.clusters, note)


def _least_favourable(
    run: str,
    against: list[str],
    ratios: list[float],
    tables: list[np.ndarray],
    generator: np.random.Generator,
    clusters: np.ndarray,
    note: str = "",
) -> Finding:
    comparisons: dict[str, Comparison] = {
        rival: compare(tables[0], table, generator, clusters=clusters)
        for rival, table in zip(against, tables[1:], strict=True)
    }
    tested = not any(isnan(c.p_value) for c in comparisons.values())
    worse = [name for name, c in comparisons.items() if c.effect >= 0]
    if not tested:  # one seed
        rival, p_value = max(comparisons, key=lambda name: comparisons[name].effect), nan
    elif worse:
        rival = min(worse, key=lambda name: comparisons[name].p_value)
        p_value = min(1.0, len(against) * comparisons[rival].p_value)
    else:
        rival = max(comparisons, key=lambda name: comparisons[name].p_value)
        p_value = comparisons[rival].p_value
    others = [f"{name} {comparisons[name].difference:+.3f}" for name in against if name != rival]
    notes = [note] if note else []
    if others:
        notes.append(f"beside {', '.join(others)}".replace("-", "−"))
    return finding_of(
        comparisons[rival], f"{run} − {rival}", ratios, p_value=p_value, note="; ".join(notes)
    )
