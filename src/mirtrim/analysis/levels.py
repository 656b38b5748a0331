"""Results of studies that vary their tasks, for every level, run and ratio.

Two pages are made of it: error and calibration (wrong labels), and errors of rare and of frequent
classes (long tail).
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.analysis.free_ratios import LEVEL, levels_in
from mirtrim.analysis.markup import Cell, View, mean_of, number
from mirtrim.analysis.tables import means_and_deviations
from mirtrim.runs.labels import label_of_name
from mirtrim.runs.measured_rows import Inspection, read_measured
from mirtrim.runs.rows import with_names
from mirtrim.tasks.flaws import frequent_first
from mirtrim.utils.errors import ArtefactError

DENSE = "dense"
CALIBRATION = {
    "test_error": "error",
    "calibration_error": "calibration error",
    "overconfidence": "overconfidence",
}
GROUPS = {
    "test_error": "error",
    "frequent_error": "frequent third",
    "rare_error": "rarest third",
    "forgets_rare": "forgets the rare by",
}


def read_inspected(
    variants: Mapping[str, Mapping[str, Any]],
    jobs: Mapping[str, Collection[str]],
    tables: Sequence[Path],
    files: Sequence[Path] = (),
) -> pd.DataFrame:
    """What was found on the networks of all variants (`runs.measured_rows.Inspection`).

    Args:
        variants: as `runs.plan.Plan.variants`, of one study.
        jobs: whose rows a variant's are → jobs that were to be inspected.
        tables, files: of inspections, called by the task or variant whose they are.

    Returns:
        Their lines with `run` and a column `level_<dimension>` for every dimension.

    Raises:
        ArtefactError: a file is damaged, or a wanted job is in none.
    """
    parts = []
    for variant in variants.values():
        name = variant["rows"]
        if not jobs.get(name):
            continue  # nothing of it has been trained so far
        found = read_measured(
            Inspection,
            [path for path in files if path.parent.name == name],
            [path for path in tables if path.name == f"{name}.csv"],
            {variant["task"]: jobs[name]},
        )
        told = {f"{LEVEL}{key}": float(value) for key, value in variant["values"].items()}
        parts.append(with_names(found)[0].assign(**told))
    if not parts:
        raise ArtefactError("no network of the study has been inspected; run the study")
    return pd.concat(parts, ignore_index=True)


def class_errors(scores: str, classes: Sequence[str]) -> pd.Series:
    """Share of the test tracks of each class that are called something else.

    Args:
        scores: of a row, JSON with `confusion/<true>/<called>`.

    Returns:
        By class; NaN for one without test tracks.

    Raises:
        ArtefactError: there is no confusion in them.
    """
    known: dict[str, float] = json.loads(scores)
    counts = np.array(
        [[known.get(f"confusion/{a}/{b}", 0.0) for b in classes] for a in classes], dtype=float
    )
    if not counts.sum():
        raise ArtefactError(
            "these rows do not say which classes were taken for which; rare classes are told of "
            "tasks with one class per track"
        )
    with np.errstate(invalid="ignore"):
        return pd.Series(1 - counts.diagonal() / counts.sum(1), index=list(classes))


def with_groups(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Rows with the errors of the frequent and of the rare classes.

    Args:
        rows: of one variant.
        classes: the most frequent one first.

    Returns:
        The rows with `frequent_error` and `rare_error`, the mean error of the first and of the
        last third of the classes, each class counting alike, and `forgets_rare`: by how much more
        the error of the rare ones has risen above that of the dense network of the same seed than
        that of the frequent ones; NaN without such a network.
    """
    third = max(1, round(len(classes) / 3))
    errors = [class_errors(scores, classes) for scores in rows.scores]
    rows = rows.assign(
        frequent_error=[float(one.iloc[:third].mean()) for one in errors],
        rare_error=[float(one.iloc[-third:].mean()) for one in errors],
    )
    gap = rows.rare_error - rows.frequent_error
    dense = gap[rows.run == DENSE].set_axis(rows.seed[rows.run == DENSE])
    return rows.assign(forgets_rare=gap - rows.seed.map(dense))


def read_groups(rows: pd.DataFrame, variants: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The same of all variants of a study (`free_ratios.read_variants`).

    A variant with equally frequent classes is a control; its classes are listed in the order of the
    other variants.

    Args:
        variants: as `runs.plan.Plan.variants`, of that study.
    """
    parts = []
    for variant in variants.values():
        same = (rows.task == variant["task"]) & (rows.variant == json.dumps(variant["values"]))
        if same.any():
            of_task = (one for one in variants.values() if one["task"] == variant["task"])
            training = (one["block"]["training"] for one in of_task)
            drawn = [block["rare_classes"] for block in training if block.get("rare_classes")]
            own = variant["block"]["training"].get("rare_classes") or next(iter(drawn), None)
            order = own.get("order", 0) if own else 0
            classes = frequent_first(variant["block"]["features"]["classes"], order)
            parts.append(with_groups(rows[same], classes))
    if not parts:
        raise ArtefactError("the study has no rows; run it")
    return pd.concat(parts, ignore_index=True)


def level_table(lines: pd.DataFrame, measured: Collection[str]) -> pd.DataFrame:
    """One line per task, combination of levels, run and ratio; dense networks first.

    Args:
        lines: one per network, with `run` and levels.
        measured: columns that are reported.

    Returns:
        task, the dimensions, run, target_ratio, seeds, ratio (mean), and mean and sample deviation
        of every measured column.
    """
    names = levels_in(lines)
    order = lines.run.ne(DENSE).rename("order")
    groups = lines.groupby(["task", *names, order, "run", "target_ratio"], sort=True, dropna=False)
    table = groups.agg(seeds=("seed", "nunique"), ratio=("ratio", "mean"))
    table = (
        table.assign(**means_and_deviations(groups, measured)).reset_index().drop(columns="order")
    )
    return table.rename(columns={name: name.removeprefix(LEVEL) for name in names})


CALIBRATION_NOTE = (
    "Mean ± sample deviation over seeds, on test, whose labels are right. Calibration error: "
    "expected calibration error, 15 bins of equal width; overconfidence: mean probability minus "
    "the share that is true, of the class of a track or of a frame of a chord."
)
GROUPS_NOTE = (
    "Mean ± sample deviation over seeds, on test. Frequent and rarest third: mean error of these "
    "classes, each counting alike; where all are equally frequent, of the classes that are made "
    "rare elsewhere. Forgets the rare by: how much more their error has risen above that of the "
    "dense network of the same seed than that of the frequent ones."
)


def write_levels(
    table: pd.DataFrame, words: Mapping[str, str], note: str, csv: Path, markdown: Path
) -> None:
    """Write a table as CSV and as Markdown.

    Args:
        table: see `level_table`.
        words: measured column → what a reader calls it.
    """
    dimensions = list(table.columns[1 : table.columns.get_loc("run")])
    columns: dict[str, Cell] = {
        "task": "{task}",
        **{name: _level(name) for name in dimensions},
        "run": lambda row: label_of_name(row.run),
        "seeds": "{seeds}",
        "ratio": "{ratio:.2f}",
        **{word: _mean(name) for name, word in words.items()},
    }
    View(columns, note, 2 + len(dimensions)).write(table, csv, markdown)


def _level(dimension: str) -> Callable[[pd.Series], str]:
    return lambda row: number(row[dimension], "g", "")


def _mean(measure: str) -> Callable[[pd.Series], str]:
    told = mean_of(measure)
    return lambda row: told(row).replace("-", "−")
