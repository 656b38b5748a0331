"""What does one trimmed trunk for two tasks cost? Compares ways to merge with two networks."""

import json

import pandas as pd

from mirtrim.analysis.markup import View, low_to_high
from mirtrim.analysis.statistics import t_test
from mirtrim.runs.jobs.variants import name_of
from mirtrim.runs.labels import with_labels

SEPARATE = "separate"
# In the order of the table.
WAYS = {
    SEPARATE: "two networks",
    "start": "trunk before both trainings",
    "average": "plain average",
    "task_vectors": "task vectors",
    "emr": "EMR-merging",
}
GROUP = ["task", "variant", "other_task", "run", "target_ratio"]
# Columns whose means come before and after the cost.
FIRST = ["ratio", "strength", "test_error", "other_test_error"]
LAST = ["stored_parameters", "stored_bytes", "share", "cosine"]


def merging_table(merges: pd.DataFrame) -> pd.DataFrame:
    """One line per pair of tasks, run, ratio and way.

    Args:
        merges: `runs.measured_rows.Merge` rows of any pairs.

    Returns:
        task, variant, other_task, run, target_ratio, way, seeds, ratio, strength (λ, mean over
        seeds), error and other_error (of the two tasks), cost (mean over both of the error minus
        that of the separate network of the same seed), low and high (its 95 % interval of Student's
        t over seeds; NaN where there is none), stored_parameters, stored_bytes, share (of the
        bytes of two networks), cosine (of both task vectors); means over seeds.
    """
    rows = with_labels(merges)
    keys = [*GROUP, "seed"]
    separate = rows[rows.way == SEPARATE][[*keys, "test_error", "other_test_error", "stored_bytes"]]
    rows = rows.merge(separate, on=keys, suffixes=("", "_own"), validate="many_to_one")
    costs = rows.test_error - rows.test_error_own, rows.other_test_error - rows.other_test_error_own
    rows = rows.assign(
        cost=(costs[0] + costs[1]) / 2,
        share=rows.stored_bytes / rows.stored_bytes_own,
        way=pd.Categorical(rows.way, list(WAYS)),
    )
    lines = []
    for names, part in rows.groupby([*GROUP, "way"], sort=True, observed=True):
        means = part[[*FIRST, *LAST]].mean()
        cost = t_test(part.cost.to_numpy(dtype=float))[:3]
        lines.append((*names, len(part), *means[FIRST], *cost, *means[LAST]))
    columns = [*GROUP, "way", "seeds", *FIRST, "cost", "low", "high", *LAST]
    names = {"test_error": "error", "other_test_error": "other_error"}
    return pd.DataFrame(lines, columns=columns).rename(columns=names)


NOTE = (
    "Both tasks are trained from one trunk, of one trimmed shape, and keep their own heads and "
    "statistics of batch norms, which are measured anew for every line. Error: 1 − main score on "
    "test, of the first and of the other task. Cost: mean over both of the error minus that of "
    "two networks, with an interval over seeds by Student's t, not corrected for the number of "
    "lines. λ is chosen on validation, the mean over seeds stands here. EMR-merging stores the "
    "trunk before both trainings, the elected vector, and a mask for each task: of two tasks that "
    "is more than two trunks."
)


VIEW = View(
    {
        "tasks": lambda row: f"{name_of(row.task, json.loads(row.variant))}, {row.other_task}",
        "run": "{run}",
        "ratio": "{ratio:.2f}",
        "trunk": lambda row: WAYS[row.way],
        "seeds": "{seeds}",
        "λ": "{strength:.2g}",
        "error": "{error:.3f}",
        "other error": "{other_error:.3f}",
        "cost": "{cost:+.3f}",
        "95 % interval": low_to_high,
        "kB": lambda row: f"{row.stored_bytes / 1000:.1f}",
        "of two networks": "{share:.0%}",
    },
    NOTE,
    words=4,
)
write_merging = VIEW.write
