"""Hypotheses about linear mode connectivity: does the order of the batches decide the valley?"""

import numpy as np

from mirtrim.analysis.hypotheses.finding import Finding, computation
from mirtrim.analysis.hypotheses.free_ratios import over_seeds
from mirtrim.analysis.task_evidence import NotRun, TaskEvidence
from mirtrim.runs.rows import with_names


@computation
def connected(
    evidence: TaskEvidence,
    generator: np.random.Generator,
    *,
    run: str,
    ratios: list[float],
    limit: float,
) -> Finding:
    """Between two trainings of a ticket of `run` the error barrier is below `limit`.

    The effect is the barrier, mean over `ratios`, minus the limit; the test is Student's t over
    seeds.
    """
    rows = evidence.barriers
    if rows is not None and len(rows):
        rows = with_names(rows[rows.task == evidence.task])[0]
        rows = rows[(rows.run == run) & rows.target_ratio.isin(ratios)]
    if rows is None or rows.empty:
        raise NotRun(f"connectivity of {run}")
    used = sorted(rows.target_ratio.unique())
    by_seed = rows.groupby("seed").error_barrier.mean()
    return over_seeds(
        by_seed - limit, run, f"error barrier − {limit:g}", used,
        f"mean barrier {by_seed.mean():.3f}",
    )  # fmt: skip
