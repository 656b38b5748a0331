"""Which of several settings decides a contrast? Two runs beside each other in every variant.

A study with `contrasts` trains pairs of runs at every combination of levels, such as optimiser x
length; where the sign of their difference changes says which level it hangs on.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mirtrim.analysis.free_ratios import LEVEL, varied
from mirtrim.analysis.markup import (
    interval,
    markdown_table,
    mean_and_deviation,
    number,
    write_table,
)
from mirtrim.analysis.spread import LEVEL as SIGNIFICANCE
from mirtrim.analysis.statistics import holm, t_test
from mirtrim.runs.labels import label_of_name
from mirtrim.utils.errors import ArtefactError


def factor_table(rows: pd.DataFrame, contrasts: Sequence[Sequence[str]]) -> pd.DataFrame:
    """One line per task, combination of levels, contrast and ratio.

    Args:
        rows: of one study (`free_ratios.read_variants`).
        contrasts: pairs of names of runs (run, against).

    Returns:
        task, the dimensions of the study, target_ratio, run, against, seeds, mean and sample
        deviation of both test errors, difference (run − against, mean over seeds that have both),
        low and high (95 %, Student's t over seeds; NaN for one seed), p, p_corrected (Holm, over
        all lines), verdict: "lower", "higher" or "undecided", of the run.

    Raises:
        ArtefactError: no variant has both runs of any contrast.
    """
    dimensions = varied(rows)
    names = [f"{LEVEL}{name}" for name in dimensions]
    lines = []
    for key, part in rows.groupby(["task", *names, "target_ratio"], sort=True):
        for run, against in contrasts:
            one, other = (part[part.run == n].set_index("seed").test_error for n in (run, against))
            differences = (one - other).dropna().to_numpy()
            if not len(differences):
                continue
            told = [one.mean(), one.std(ddof=1), other.mean(), other.std(ddof=1)]
            lines.append([*key, run, against, len(differences), *told, *t_test(differences)])
    if not lines:
        pairs = ", ".join(" and ".join(pair) for pair in contrasts)
        raise ArtefactError(f"contrasts: no variant has rows of {pairs}; run the study")
    errors = ["run_mean", "run_deviation", "against_mean", "against_deviation"]
    first = ["task", *dimensions, "target_ratio", "run", "against", "seeds"]
    table = pd.DataFrame(lines, columns=[*first, *errors, "difference", "low", "high", "p"])
    table["p_corrected"] = holm(table.p.tolist())
    decided = table.p_corrected < SIGNIFICANCE
    side = np.where(table.difference < 0, "lower", "higher")
    return table.assign(verdict=np.where(decided, side, "undecided"))


NOTE = (
    "Test errors, mean ± sample deviation over seeds; the difference of each seed's two networks, "
    "with its 95 % interval and p (Student's t over seeds, corrected after Holm for the number of "
    "lines). Lower: the run has less error than what it stands against."
)


def write_factors(table: pd.DataFrame, csv: Path, markdown: Path) -> None:
    """Write the table as CSV and as Markdown."""
    dimensions = list(table.columns[1 : table.columns.get_loc("target_ratio")])
    head = (
        "task", *dimensions, "ratio", "run", "against", "seeds", "its error", "the other's",
        "difference", "95 % interval", "p", "",
    )  # fmt: skip
    lines = (_cells(row, dimensions) for _, row in table.iterrows())
    write_table(table, csv, markdown, [*markdown_table(head, lines), "", NOTE])


def _cells(row: pd.Series, dimensions: Sequence[str]) -> list[str]:
    return [
        str(row.task),
        *(f"{row[name]:g}" for name in dimensions),
        f"{row.target_ratio:g}",
        label_of_name(row.run),
        label_of_name(row.against),
        str(row.seeds),
        mean_and_deviation(row.run_mean, row.run_deviation),
        mean_and_deviation(row.against_mean, row.against_deviation),
        number(row.difference, "+.3f"),
        interval(row.low, row.high),
        number(row.p_corrected, ".3f"),
        row.verdict,
    ]
