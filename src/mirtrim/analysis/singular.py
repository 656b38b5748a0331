"""How masks, trims and low rank change the singular directions of weights: one table."""

from pathlib import Path

import pandas as pd

from mirtrim.analysis.markup import View, plain
from mirtrim.runs.labels import with_labels

MEANS = ("intruder_share", "leading_intruder_share", "effective_rank", "leading_energy")
NOTE = (
    "Means over layers with two outputs or more, and over seeds. Each weight is the matrix "
    "(outputs, inputs · kernel); a pair of layers is their product. Intruders: left singular "
    "vectors whose cosine with every one of the dense network's, for the units that were kept, is "
    "below {threshold} (Shuttleworth et al. 2024). Leading: a tenth of the directions, at least "
    "one. Effective rank: exp of the entropy of the singular values (Roy & Vetterli 2007). Energy: "
    "the leading directions' share of the squared singular values. With few outputs any vector "
    "resembles some other: intruders of small layers are rare by chance."
)


COLUMNS = {
    **plain("task", "run"),
    "ratio": "{target_ratio:g}",
    "seeds": "{seeds}",
    "intruders": "{intruder_share:.3f}",
    "among the leading": "{leading_intruder_share:.3f}",
    "effective rank": "{effective_rank:.1f}",
    "energy of the leading": "{leading_energy:.3f}",
}


def singular_table(views: pd.DataFrame) -> pd.DataFrame:
    """One line per task, run and ratio.

    Args:
        views: `runs.measured_rows.SingularView` rows of any tasks.

    Returns:
        task, run, target_ratio, seeds, threshold, and the means over seeds of `MEANS`.
    """
    rows = with_labels(views)
    grouped = rows.groupby(["task", "run", "target_ratio"], sort=True)
    return grouped.agg(
        seeds=("seed", "nunique"),
        threshold=("threshold", "max"),
        **{name: (name, "mean") for name in MEANS},
    ).reset_index()


def write_singular(table: pd.DataFrame, csv: Path, markdown: Path) -> None:
    """Write the table as CSV and as Markdown; notes say where directions count as the same."""
    thresholds = sorted(set(table.threshold))
    notes = [NOTE.format(threshold=f"{threshold:g}") for threshold in thresholds]
    View(COLUMNS, "\n\n".join(notes), words=2).write(table, csv, markdown)
