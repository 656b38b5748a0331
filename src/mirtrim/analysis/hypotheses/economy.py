"""Hypotheses that weigh error against what a network costs to run or to make."""

import numpy as np

from mirtrim.analysis.hypotheses.finding import Finding, computation, finding_of
from mirtrim.analysis.statistics import compare
from mirtrim.analysis.task_evidence import (
    DENSE,
    NotRun,
    TaskEvidence,
    common_ratios,
    paired_errors,
    ratios_of,
    rows_of,
    unequal_sizes,
)


@computation
def within_budget(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    at_most: dict[str, float],
    times: float,
) -> Finding:
    """A network of `run` or the dense one is within the budget, its error below `times` dense.

    Among the networks with `at_most` this much of each column, the one with the lowest mean
    validation error is tested on the test split. If none is within the budget, this counts as exact
    and needs no test.
    """
    for column in at_most:
        if column not in evidence.rows.columns or evidence.rows[column].isna().all():
            raise NotRun(f"a table with {column}")
    candidates = [(DENSE, 1.0), *((run, ratio) for ratio in ratios_of(evidence, run, None))]
    means = {
        key: rows_of(evidence, *key)[[*at_most, "validation_error"]].mean() for key in candidates
    }
    fitting = [k for k in candidates if all(means[k][c] <= most for c, most in at_most.items())]
    budget = ", ".join(f"{column} ≤ {most:,.0f}" for column, most in at_most.items())
    if not fitting:
        least = {c: min(means[key][c] for key in candidates) for c in at_most}
        reached = ", ".join(f"{column} {value:,.0f}" for column, value in least.items())
        return Finding(
            f"{run} within {budget}",
            tuple(ratio for name, ratio in candidates if name == run),
            "networks within the budget",
            0.0,
            False,
            counted=True,
            seeds=evidence.rows[evidence.rows.run == run].seed.nunique(),
            note=f"none fits; the least reached is {reached}",
        )
    name, ratio = min(fitting, key=lambda key: means[key]["validation_error"])
    note = f"{budget}; least validation error at ratio {ratio:g}"
    if name == DENSE:
        return Finding(
            "dense", (1.0,), "ratio of errors", 1.0, True, counted=True,
            seeds=len(rows_of(evidence, DENSE, 1)), note=f"{note}: the dense network fits",
        )  # fmt: skip
    first, second = paired_errors(evidence, [run, DENSE], [ratio])
    comparison = compare(first, second, generator, times=times, clusters=evidence.clusters)
    return finding_of(comparison, f"{run} / dense", [ratio], relative=True, note=note)


@computation
def not_worse_and_cheaper(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    against: str,
    ratios: list[float],
    margin: float,
    cost: str,
    share: float,
) -> Finding:
    """The error of `run` is below that of `against` plus `margin`, at most `share` of its `cost`.

    Cost is a counted column of the rows: if it is not lower by so much, the hypothesis is refuted
    without a test.
    """
    shared = common_ratios(evidence, [run, against], ratios)
    spent = [
        np.mean([rows_of(evidence, name, ratio)[cost].mean() for ratio in shared])
        for name in (run, against)
    ]
    if not spent[1] > 0:
        raise NotRun(f"{cost} of {against}")
    notes = [f"{cost}: {spent[0] / spent[1]:.2f} of {against}"]
    notes += filter(None, [unequal_sizes(evidence, run, against, shared)])
    note = "; ".join(notes)
    compared = f"{run} − {against}"
    first, second = paired_errors(evidence, [run, against], shared)
    comparison = compare(first, second, generator, margin=margin, clusters=evidence.clusters)
    if spent[0] > share * spent[1]:
        return Finding(
            compared, tuple(shared), f"{cost} of {run} / {against}", float(spent[0] / spent[1]),
            False, counted=True, seeds=len(first),
            note=f"{note}; difference of errors {comparison.difference:+.3f}",
        )  # fmt: skip
    return finding_of(comparison, compared, shared, note=note)
