"""Paired differences in studies that vary their tasks.

Which of several settings decides a contrast? A study with `contrasts` trains pairs of runs at every
combination of levels, such as optimiser x length; where the sign of their difference changes shows
which level decides.

Does a setting change errors at all? A study with `told: levels` trains the same runs at every level
of one setting, such as the precision, and compares every level with the first.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.analysis.free_ratios import DENSE, LEVEL, varied
from mirtrim.analysis.markup import Cell, View, low_to_high, mean_of
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
        task, the dimensions of the study, target_ratio, run, against, seeds that have both, mean
        and sample deviation of both test errors, difference (run − against),
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
            compared = _compared(one, other)
            if compared:
                lines.append([*key, run, against, *compared])
    if not lines:
        pairs = ", ".join(" and ".join(pair) for pair in contrasts)
        raise ArtefactError(f"contrasts: no variant has rows of {pairs}; run the study")
    return _with_verdicts(lines, ["task", *dimensions, "target_ratio", "run", "against"])


def first_levels(variants: Iterable[Mapping[str, Any]]) -> tuple[str, dict[str, float]]:
    """The dimension of which a study has several levels, and the first level of each task.

    Args:
        variants: as `runs.plan.Plan.variants`, of that study. Configurations let it vary one
            dimension of each task.
    """
    levels: dict[tuple[str, str], list[float]] = {}
    for variant in variants:
        for name, value in variant["values"].items():
            of_task = levels.setdefault((variant["task"], name), [])
            if value not in of_task:
                of_task.append(float(value))
    several = {key: values for key, values in levels.items() if len(values) > 1}
    dimension = next(name for _, name in several)
    return dimension, {task: values[0] for (task, _), values in several.items()}


def level_contrasts(
    rows: pd.DataFrame, dimension: str, firsts: Mapping[str, float]
) -> pd.DataFrame:
    """One line per task, run, ratio and level but the first.

    Args:
        rows: of one study (`free_ratios.read_variants`).
        dimension, firsts: see `first_levels`; all levels are compared with the first.

    Returns:
        task, run, target_ratio, level, against (the first level), then as `factor_table`; the
        difference is the error at the level minus that at the first.

    Raises:
        ArtefactError: no run has two levels.
    """
    name = f"{LEVEL}{dimension}"
    lines = []
    for (task, run, ratio), part in rows.groupby(["task", "run", "target_ratio"], sort=True):
        errors = part.set_index(["seed", name]).test_error.unstack()
        if run == DENSE and (errors.nunique(axis=1) < 2).all():
            continue  # a level, such as the rewind point, that comes behind the dense training
        against = firsts[task]
        for level in errors.columns.drop(against, errors="ignore"):
            compared = against in errors and _compared(errors[level], errors[against])
            if compared:
                lines.append([task, run, ratio, level, against, *compared])
    if not lines:
        raise ArtefactError("levels: no run has been trained at two levels; run the study")
    return _with_verdicts(lines, ["task", "run", "target_ratio", "level", "against"])


def _compared(one: pd.Series, other: pd.Series) -> list[float] | None:
    """Seeds of both, their means and deviations, difference, interval and p; None without any."""
    paired = pd.DataFrame({"one": one, "other": other}).dropna()
    if paired.empty:
        return None
    errors = [paired.one.mean(), paired.one.std(), paired.other.mean(), paired.other.std()]
    return [len(paired), *errors, *t_test((paired.one - paired.other).to_numpy())]


def _with_verdicts(lines: Sequence[Sequence[object]], keys: Sequence[str]) -> pd.DataFrame:
    errors = ["run_mean", "run_deviation", "against_mean", "against_deviation"]
    columns = [*keys, "seeds", *errors, "difference", "low", "high", "p"]
    table = pd.DataFrame(lines, columns=columns)
    table["p_corrected"] = holm(table.p.tolist())
    decided = table.p_corrected < SIGNIFICANCE
    side = np.where(table.difference < 0, "lower", "higher")
    return table.assign(verdict=np.where(decided, side, "undecided"))


PAIRED = (
    "Test errors, mean ± sample deviation over seeds; the difference of each seed's two networks, "
    "with its 95 % interval and p (Student's t over seeds, corrected after Holm for the number of "
    "lines)."
)
NOTE = f"{PAIRED} Lower: the run has less error than what it stands against."
LEVELS_NOTE = f"{PAIRED} Lower: less error at that level than at the one it stands against."
DIFFERENCE: dict[str, Cell] = {
    "difference": "{difference:+.3f}",
    "95 % interval": low_to_high,
    "p": "{p_corrected:.3f}",
    "": "{verdict}",
}


def write_factors(table: pd.DataFrame, csv: Path, markdown: Path) -> None:
    """Write the table as CSV and as Markdown."""
    dimensions = list(table.columns[1 : table.columns.get_loc("target_ratio")])
    columns: dict[str, Cell] = {
        "task": "{task}",
        **{name: f"{{{name}:g}}" for name in dimensions},
        "ratio": "{target_ratio:g}",
        "run": lambda row: label_of_name(row.run),
        "against": lambda row: label_of_name(row.against),
        "seeds": "{seeds}",
        "its error": mean_of("run"),
        "the other's": mean_of("against"),
        **DIFFERENCE,
    }
    View(columns, NOTE).write(table, csv, markdown)


def write_level_contrasts(table: pd.DataFrame, dimension: str, csv: Path, markdown: Path) -> None:
    """The same of `level_contrasts`.

    Args:
        dimension: what the study varies.
    """
    columns: dict[str, Cell] = {
        "task": "{task}",
        "run": lambda row: label_of_name(row.run),
        "ratio": "{target_ratio:g}",
        dimension: "{level:g}",
        "against": "{against:g}",
        "seeds": "{seeds}",
        "error": mean_of("run"),
        "of the other": mean_of("against"),
        **DIFFERENCE,
    }
    View(columns, LEVELS_NOTE).write(table, csv, markdown)
