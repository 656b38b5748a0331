"""Studies that vary their tasks, drawn level by level against the compression ratio."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.free_ratios import LEVEL_LOOKS
from mirtrim.analysis.figures.lines import from_dense, mean_and_band
from mirtrim.analysis.free_ratios import LEVEL, levels_in
from mirtrim.analysis.levels import DENSE
from mirtrim.analysis.style import Look
from mirtrim.runs.labels import label_of_name
from mirtrim.utils.errors import ArtefactError

DRAWN = {"test_error": "test error", "calibration_error": "expected calibration error"}
AXES = {"rewind": "epoch that weights are rewound to, as share of the training"}
GROUP_LOOKS = {
    "rare_error": Look("#D55E00", "s", "-", "rarest third of the classes"),
    "test_error": Look("#000000", "o", ":", "all classes"),
    "frequent_error": Look("#0072B2", "^", "--", "most frequent third"),
}


@style.styled()
def draw_calibration_of_levels(lines: pd.DataFrame) -> Figure:
    """Error above, calibration error below, against the ratio: a line per level.

    A column per task and run; every line begins at its dense networks, at 1. Lines are means,
    bands one sample deviation, over seeds.

    Raises:
        ArtefactError: no run but the dense one has lines.
    """
    columns = _runs(lines)
    looks = style.labelled(LEVEL_LOOKS, _combinations(lines))
    figure, grid = panels.rectangle(len(DRAWN), len(columns))
    for row, (measure, words) in zip(grid, DRAWN.items(), strict=True):
        row[0].set_ylabel(words, fontsize=9)
        for axes, (task, run) in zip(row, columns, strict=True):
            part = _with_dense(lines, task, run)
            for look in looks:
                _line(axes, part[_words(part) == look.label], measure, look)
            panels.ratio_axis(axes, float(part.ratio.max()))
            axes.set_ylim(bottom=0)
            axes.set_title(f"{task}, {label_of_name(run)}")
    return panels.finish(figure, grid.flat, None, "compression ratio", "", looks)


@style.styled()
def draw_errors_at_levels(rows: pd.DataFrame, dimension: str) -> Figure:
    """Error against the levels of one setting: a line per ratio, a panel per task and run.

    Lines are means, bands one sample deviation, over seeds. Dense networks are a line as well.

    Args:
        rows: of one study (`free_ratios.read_variants`).

    Raises:
        ArtefactError: no run but the dense one has rows.
    """
    columns, name = _runs(rows), f"{LEVEL}{dimension}"
    ratios = sorted(rows.target_ratio.unique())
    names = [f"{ratio:g}x" if ratio > 1 else "dense" for ratio in ratios]
    looks = style.labelled(LEVEL_LOOKS, names)
    figure, grid = panels.rectangle(1, len(columns))
    for axes, (task, run) in zip(grid[0], columns, strict=True):
        part = rows[(rows.task == task) & rows.run.isin([run, DENSE])]
        for ratio, look in zip(ratios, looks, strict=True):
            of_ratio = part[part.target_ratio == ratio]
            if len(of_ratio):
                points = mean_and_band(of_ratio, name, "test_error", name)
                panels.band_line(axes, points, look, 0.12)
        axes.set_ylim(bottom=0)
        axes.set_title(f"{task}, {label_of_name(run)}")
    along = AXES.get(dimension, dimension)
    return panels.finish(figure, grid[0], None, along, "test error", looks)


@style.styled()
def draw_groups_of_classes(lines: pd.DataFrame) -> Figure:
    """Error of rare, of frequent and of all classes against the ratio.

    A row per task and run, a column per combination of levels; otherwise as the other figure.

    Args:
        lines: see `levels.read_groups`.

    Raises:
        ArtefactError: no run but the dense one has lines.
    """
    runs, combinations = _runs(lines), _combinations(lines)
    figure, grid = panels.rectangle(len(runs), len(combinations))
    for row, (task, run) in zip(grid, runs, strict=True):
        row[0].set_ylabel(f"{task}, {label_of_name(run)}", fontsize=9)
        part = _with_dense(lines, task, run)
        for axes, words in zip(row, combinations, strict=True):
            of_level = part[_words(part) == words]
            for measure, look in GROUP_LOOKS.items():
                _line(axes, of_level, measure, look)
            panels.ratio_axis(axes, float(part.ratio.max()))
            axes.set_ylim(0, 1.03)  # markers at 1 stand whole
            axes.set_title(words)
    looks = list(GROUP_LOOKS.values())
    return panels.finish(figure, grid.flat, None, "compression ratio", "test error", looks)


def _line(axes: Axes, lines: pd.DataFrame, measure: str, look: Look) -> None:
    if len(lines):
        panels.band_line(axes, mean_and_band(lines, "ratio", measure), look, 0.12)


def _runs(lines: pd.DataFrame) -> list[tuple[str, str]]:
    """(task, run) of everything but dense networks."""
    found = lines[lines.run != DENSE][["task", "run"]].drop_duplicates()
    if found.empty:
        raise ArtefactError("figure of levels: no compressed network to draw; train some")
    return sorted(found.itertuples(index=False, name=None))


def _with_dense(lines: pd.DataFrame, task: str, run: str) -> pd.DataFrame:
    of_task = lines[lines.task == task]
    dense, trimmed = (of_task[of_task.run == name] for name in (DENSE, run))
    return from_dense(dense, trimmed, levels_in(lines))


def _words(lines: pd.DataFrame) -> pd.Series:
    """ "damage 4, imbalance 20" of every line."""
    names = levels_in(lines)
    told = [
        ", ".join(
            f"{name.removeprefix(LEVEL)} {value:g}"
            for name, value in zip(names, values, strict=True)
            if value == value  # another study of the task has that dimension
        )
        for values in lines[names].itertuples(index=False, name=None)
    ]
    return pd.Series(told, index=lines.index, dtype=object)


def _combinations(lines: pd.DataFrame) -> list[str]:
    """The same of every combination of levels, in rising order."""
    return list(dict.fromkeys(_words(lines.sort_values(levels_in(lines)))))
