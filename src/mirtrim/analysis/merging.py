"""What does one trimmed trunk for two tasks cost? A table of ways to merge, beside two networks."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from mirtrim.analysis.markup import markdown_table
from mirtrim.analysis.statistics import LEVEL
from mirtrim.runs.labels import with_labels
from mirtrim.utils.files import atomic_path, write_text

SEPARATE = "separate"
# In the order of the table.
WAYS = {
    SEPARATE: "two networks",
    "start": "trunk before both trainings",
    "average": "plain average",
    "task_vectors": "task vectors",
    "emr": "EMR-merging",
}
GROUP = ["task", "other_task", "run", "target_ratio"]


def merging_table(merges: pd.DataFrame) -> pd.DataFrame:
    """One line per pair of tasks, run, ratio and way.

    Args:
        merges: `runs.measured_rows.Merge` rows of any pairs.

    Returns:
        task, other_task, run, target_ratio, way, seeds, ratio, strength (λ, mean over seeds),
        error and other_error (of the two tasks), cost (mean over both tasks of the error minus
        that of the separate network of the same seed), low and high (its 95 % interval of Student's
        t over seeds; NaN where there is none), stored_parameters, stored_bytes, share (of the
        bytes of two networks), cosine (of both task vectors); means over seeds.
    """
    rows = with_labels(merges)
    separate = rows[rows.way == SEPARATE].set_index([*GROUP, "seed"])
    keys = pd.MultiIndex.from_frame(rows[[*GROUP, "seed"]])
    own = separate.loc[keys].reset_index(drop=True)
    costs = [
        rows[name].reset_index(drop=True) - own[name] for name in ("test_error", "other_test_error")
    ]
    rows = rows.assign(
        cost=((costs[0] + costs[1]) / 2).to_numpy(),
        share=(rows.stored_bytes.reset_index(drop=True) / own.stored_bytes).to_numpy(),
        way=pd.Categorical(rows.way, list(WAYS)),
    )
    lines = []
    for names, part in rows.groupby([*GROUP, "way"], sort=True, observed=True):
        values, low, high = part.cost.to_numpy(dtype=float), np.nan, np.nan
        mean = float(values.mean())
        if len(values) > 1 and values.std(ddof=1) > 0:
            half = float(stats.t.ppf(1 - LEVEL / 2, len(values) - 1)) * stats.sem(values)
            low, high = mean - half, mean + half
        errors = part.ratio.mean(), part.strength.mean(), part.test_error.mean()
        sizes = part.stored_parameters.mean(), part.stored_bytes.mean(), part.share.mean()
        told = (*errors, part.other_test_error.mean(), mean, low, high, *sizes, part.cosine.mean())
        lines.append((*names, len(part), *told))
    columns = [*GROUP, "way", "seeds", "ratio", "strength", "error", "other_error", "cost"]
    sizes_and_angle = ["stored_parameters", "stored_bytes", "share", "cosine"]
    return pd.DataFrame(lines, columns=[*columns, "low", "high", *sizes_and_angle])


HEAD = (
    "tasks", "run", "ratio", "trunk", "seeds", "λ", "error", "other error", "cost",
    "95 % interval", "kB", "of two networks",
)  # fmt: skip
NOTE = (
    "Both tasks are trained from one trunk, of one trimmed shape, and keep their own heads and "
    "statistics of batch norms, which are measured anew for every line. Error: 1 − main score on "
    "test, of the first and of the other task. Cost: mean over both of the error minus that of "
    "two networks, with an interval over seeds by Student's t, not corrected for the number of "
    "lines. λ is chosen on validation, the mean over seeds stands here. EMR-merging stores the "
    "trunk before both trainings, the elected vector, and a mask for each task: of two tasks that "
    "is more than two trunks."
)


def write_merging(table: pd.DataFrame, csv: Path, markdown: Path) -> None:
    """Write the table as CSV and as Markdown."""
    with atomic_path(csv) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    rows = (
        (
            f"{row.task}, {row.other_task}",
            row.run,
            f"{row.ratio:.2f}",
            WAYS[row.way],
            str(row.seeds),
            "–" if pd.isna(row.strength) else f"{row.strength:.2g}",
            f"{row.error:.3f}",
            f"{row.other_error:.3f}",
            _signed(row.cost),
            "–" if pd.isna(row.low) else f"{_signed(row.low)} to {_signed(row.high)}",
            f"{row.stored_bytes / 1000:.1f}",
            f"{row.share:.0%}",
        )
        for row in table.itertuples()
    )
    write_text(markdown, "\n".join([*markdown_table(HEAD, rows, 4), "", NOTE]) + "\n")


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
