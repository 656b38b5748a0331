"""Hypotheses about widths and lengths, from studies that vary the dense training of a task.

Each seed gives one number, which is the same for every seed if the effect lies exactly on the line.
The test is that of their mean (Student's t over seeds). Where all seeds agree to the digit, which
ratios of a coarse grid can do, there is no spread to measure by; then it is the sign test, and
there is no interval.
"""

from collections.abc import Sequence
from math import isnan

import numpy as np
import pandas as pd

from mirtrim.analysis.free_ratios import (
    DENSE,
    LEVEL,
    at,
    at_equal_size,
    free_ratios,
    growth,
    levels_compared,
    levels_in,
    levels_of,
    varied,
)
from mirtrim.analysis.hypotheses.finding import Finding, computation
from mirtrim.analysis.spread import Spread
from mirtrim.analysis.statistics import t_test
from mirtrim.analysis.task_evidence import NotRun, TaskEvidence

# Notes that begin so say which levels a finding rests on; a task's own width and length do not.
LEVELS = "levels: "


def studied(evidence: TaskEvidence, study: str) -> pd.DataFrame:
    """The rows of a study on the task, without dimensions that it does not vary.

    Raises:
        NotRun: there are none.
    """
    rows = evidence.variants
    if rows is not None:
        rows = rows[(rows.study == study) & (rows.task == evidence.task)]
    if rows is None or rows.empty:
        raise NotRun(f"study {study}")
    return rows.drop(columns=[name for name in levels_in(rows) if rows[name].isna().all()])


def over_seeds(
    values: pd.Series, compared: str, measure: str, ratios: Sequence[float], note: str
) -> Finding:
    """The finding that the mean of `values`, one for each seed, is below 0."""
    # Slopes of nothing are a last digit, not nothing.
    count, mean = len(values), round(float(values.mean()), 12)
    _, low, high, p_value = t_test(values.to_numpy(dtype=float))
    spread = None
    if count < 2:
        note = f"{note}; one seed decides nothing"
    elif isnan(p_value):
        p_value = 2.0 ** (1 - count) if mean else 1.0
    else:
        spread = Spread(count, 1, float(values.var(ddof=1)), 0.0)
    return Finding(
        compared, tuple(map(float, ratios)), measure, mean, mean < 0, low, high,
        p_value=p_value, seeds=count, distance=mean, spread=spread, note=note,
    )  # fmt: skip


@computation
def free_ratio_grows(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    study: str,
    run: str,
    dimension: str,
    margin: float,
) -> Finding:
    """The largest ratio at which `run` has no more than dense error plus `margin` grows.

    The effect is negated, so that values below 0 support the claim, as everywhere.
    """
    rows = studied(evidence, study)
    if len(levels_of(rows, dimension)) < 2:
        raise NotRun(f"study {study} at two levels of {dimension}")
    others = [name for name in varied(rows) if name != dimension]
    slopes = growth(rows, dimension, others, run=run, margin=margin)
    if slopes.empty:
        raise NotRun(f"{run} at two levels of {dimension}")
    ratios = sorted(rows[rows.run == run].target_ratio.unique())
    note = f"{LEVELS}{levels_compared(rows, dimension, run)}"
    cells = [free_ratios(of, varied(rows), run, margin=margin) for _, of in rows.groupby("seed")]
    ends = pd.concat(cells)["last"]
    if ends.any():
        note += f"; the largest ratio run is free in {ends.sum()} of {len(ends)} cells"
    return over_seeds(
        -slopes, run, f"− doublings of the largest free ratio per doubling of {dimension}", ratios,
        note,
    )  # fmt: skip


@computation
def better_than_trained_at_size(
    evidence: TaskEvidence, generator: np.random.Generator, *, study: str, run: str
) -> Finding:
    """At equal size, `run` of a wider network has less error than training at that size."""
    rows = studied(evidence, study)
    others = [name for name in varied(rows) if name != "width"]
    differences = at_equal_size(rows, run, others)
    if differences.empty:
        raise NotRun(f"study {study} at two widths")
    ratios = sorted(rows[rows.run == run].target_ratio.unique())
    return over_seeds(
        differences, f"{run} − dense of that size", "difference of errors", ratios,
        f"{LEVELS}dense networks of {levels_compared(rows, 'width', DENSE)}",
    )  # fmt: skip


@computation
def lower_error_at_level(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    study: str,
    run: str,
    against: str,
    dimension: str,
    ratios: list[float],
) -> Finding:
    """At the highest level of a dimension the error of `run` is below that of `against`.

    Means over `ratios` and over the levels of other dimensions, of those that all seeds have.
    """
    rows = studied(evidence, study)
    levels = levels_of(rows, dimension)
    if not levels:
        raise NotRun(f"study {study} at levels of {dimension}")
    if dimension == "width" and levels[-1] < 1:
        raise NotRun(f"study {study} at the published width")
    highest = at(rows, **{dimension: levels[-1]})
    keys = [*levels_in(rows), "target_ratio"]
    pairs = _differences(*(_errors(highest, name, ratios, keys) for name in (run, against)))
    if pairs.empty:
        raise NotRun(f"{run} and {against} at {dimension} {levels[-1]:g}")
    index = pairs.index.to_frame()
    where = [f"{dimension} {levels[-1]:g}"]
    for name in varied(rows):
        if name != dimension:
            values = sorted(index[f"{LEVEL}{name}"].unique())
            where.append(f"{name} {', '.join(f'{value:g}' for value in values)}")
    return over_seeds(
        pairs.mean(), f"{run} − {against}", "difference of errors",
        sorted(index.target_ratio.unique()), f"{LEVELS}{' at '.join(where)}",
    )  # fmt: skip


@computation
def lower_error_between_levels(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    study: str,
    run: str,
    dimension: str,
    level: float,
    other_level: float,
    ratios: list[float],
) -> Finding:
    """At `level` of a dimension the error of `run` is below that at `other_level`.

    Means over `ratios`, of those that all seeds have at both levels.
    """
    rows = studied(evidence, study)
    both = [at(rows, **{dimension: value}) for value in (level, other_level)]
    pairs = _differences(*(_errors(part, run, ratios, ["target_ratio"]) for part in both))
    if pairs.empty:
        raise NotRun(f"{run} at {dimension} {level:g} and {other_level:g}")
    return over_seeds(
        pairs.mean(), f"{run}: {dimension} {level:g} − {other_level:g}", "difference of errors",
        sorted(pairs.index),
        f"{LEVELS}{_fixed(rows, dimension)}{dimension} {level:g}, {other_level:g}",
    )  # fmt: skip


def _errors(
    rows: pd.DataFrame, run: str, ratios: Sequence[float], keys: Sequence[str]
) -> pd.Series:
    """Errors of a run, by cell (`keys`) and seed."""
    chosen = rows[(rows.run == run) & rows.target_ratio.isin(ratios)]
    return chosen.set_index([*keys, "seed"]).test_error


def _differences(one: pd.Series, other: pd.Series) -> pd.DataFrame:
    """Differences of errors, (cells, seeds): of all cells that every seed has which has any."""
    by_seed = (one - other).unstack("seed")
    return by_seed.dropna(axis="columns", how="all").dropna()


def _fixed(rows: pd.DataFrame, dimension: str) -> str:
    """ "width 0.5, " of other dimensions."""
    return "".join(
        f"{name} {', '.join(f'{value:g}' for value in levels_of(rows, name))}, "
        for name in varied(rows)
        if name != dimension
    )
