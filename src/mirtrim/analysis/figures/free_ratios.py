"""Error against size for every starting width, and the largest ratio without loss."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import from_dense, mean_and_band
from mirtrim.analysis.free_ratios import (
    DENSE,
    KEPT,
    LEVEL,
    RANDOM,
    SCRATCH,
    TRIM,
    at,
    free_ratios,
    levels_of,
    varied,
)
from mirtrim.analysis.recorded_curves import RecordedCurves
from mirtrim.analysis.style import Look
from mirtrim.utils.errors import ArtefactError

RUNS = {TRIM: "trim, rewound", KEPT: "trim, weights kept", RANDOM: "trim, random units, rewound"}
# One look per level, from light and narrow to dark and wide.
LEVEL_LOOKS = (
    Look("#56B4E9", "o", "-", ""),
    Look("#009E73", "s", "-", ""),
    Look("#E69F00", "^", "-", ""),
    Look("#D55E00", "D", "-", ""),
    Look("#882255", "v", "-", ""),
    Look("#000000", "p", "-", ""),
)
SCRATCH_LOOKS = {
    DENSE: Look("#000000", "x", ":", "trained at that size"),
    SCRATCH: Look("#777777", "+", "none", "trained in the shape of a trim"),
}
ALONE = Look("#000000", "o", "-", "")  # a line that is told apart from no other
DIMENSION_WORDS = {"rewind": "rewound to this share of training"}
# Line style → what it is to be free.
LIMITS = {"-": {"margin": 0.01}, "--": {"times": 1.1}}
LIMIT_WORDS = {"-": "error ≤ dense + 1 point", "--": "error ≤ 1.1 × dense"}


@style.styled()
def draw_task(rows: pd.DataFrame) -> Figure:
    """Test error against parameters left: a line per level, a row per run, a column per length.

    The first dimension with several levels distinguishes lines, the second columns. A line begins
    at its dense network. Networks from scratch are a line of their own: the dense ones of all
    levels and those of the shapes of trimmed ones, as means over seeds; lines are means, and bands
    one sample deviation, over seeds.

    Args:
        rows: of one task and study (`free_ratios.read_variants`).

    Raises:
        ArtefactError: no run has rows.
    """
    dimensions = varied(rows)
    dimensions = [n for n in dimensions if len(levels_of(rows, n)) > 1] or dimensions
    runs = [run for run in RUNS if (rows.run == run).any()]
    if not runs or not dimensions:
        raise ArtefactError("figure of free ratios: no rows of trims to draw; train some")
    lines, *more = dimensions
    columns = [{name: value} for name in more[:1] for value in levels_of(rows, name)] or [{}]
    figure, grid = panels.rectangle(len(runs), len(columns), sharex=True, sharey=True)
    # They may have fewer seeds than the lines, which the titles of the panels are about.
    scratch = {
        name: replace(look, label=f"{look.label}, {seed_words(rows, name)}")
        for name, look in SCRATCH_LOOKS.items()
    }
    for row, run in zip(grid, runs, strict=True):
        for axes, column in zip(row, columns, strict=True):
            there = at(rows, **column)
            _error_panel(axes, there, run, lines, levels_of(rows, lines), scratch)
            told = [f"{value:g} {name}" for name, value in column.items()]
            title = ", ".join(filter(None, [RUNS[run], *told, seed_words(there, run)]))
            axes.set_title(title, fontsize=8.5)
    looks = [Look("", "", "", _level_words(lines, value)) for value in levels_of(rows, lines)]
    return panels.finish(figure, grid.flat, None, "parameters left", "test error", looks)


def _error_panel(
    axes: Axes,
    rows: pd.DataFrame,
    run: str,
    dimension: str,
    levels: Sequence[float],
    scratch_looks: Mapping[str, Look],
) -> None:
    # A line connects the networks that are narrower from the start; those with the shapes of trims
    # are not a series, so they are points.
    key = [f"{LEVEL}{dimension}", "target_ratio"]
    scratch = rows[rows.run.isin([DENSE, SCRATCH])].groupby(["run", *key])
    means = scratch[["parameters", "test_error"]].mean().sort_values("parameters").reset_index()
    for name, look in scratch_looks.items():
        part = means[means.run == name]
        if len(part) > (name == DENSE):
            axes.plot(
                part.parameters, part.test_error, color=look.colour, marker=look.marker,
                ls=look.dash, ms=4, lw=1, label=look.label, zorder=3,
            )  # fmt: skip
    for level, look in zip(levels, LEVEL_LOOKS * len(levels), strict=False):
        part = at(rows, **{dimension: level})
        part = from_dense(part[part.run == DENSE], part[part.run == run])
        points = mean_and_band(part, "parameters", "test_error").sort_values("x")
        if len(points):
            label = _level_words(dimension, level)
            panels.band_line(axes, points, Look(look.colour, look.marker, "-", label), 0.12)
    axes.set_xscale("log")
    # The labels of powers of ten and what lies between them overlap within a decade or two.
    panels.ticks(axes.xaxis, LogLocator(10, subs=(1, 3)), _thousands)


def _thousands(number: float) -> str:
    """ "300", "30k", "3M"."""
    places = ((1e6, "M"), (1e3, "k"), (1, ""))
    size, letter = next((one for one in places if number >= one[0]), places[-1])
    return f"{number / size:g}{letter}"


@style.styled()
def draw_free(rows: pd.DataFrame, recorded: RecordedCurves | None = None) -> Figure:
    """How far trimming is free: the largest ratio without loss against width, a line per length.

    Solid: at most one point of error above dense; dashed: at most 1.1 times dense. Both of trims
    that are rewound, as means of errors over seeds.

    Args:
        rows: of one study, all tasks.
        recorded: the authors' curves. Their largest ratio with at most 1.1 times the error is shown
            at width 1; they report no errors, so there is none for a margin of one point.

    Raises:
        ArtefactError: no run has rows.
    """
    tasks = [
        task for task, part in rows.groupby("task", sort=False) if {TRIM, DENSE} <= set(part.run)
    ]
    if not tasks:
        raise ArtefactError("figure of free ratios: no rows of trims to draw; train some")
    figure, all_axes, place = panels.grid(len(tasks), spare=True)
    for axes, task in zip(all_axes, tasks, strict=True):
        of_task = rows[rows.task == task].dropna(axis="columns", how="all")
        _free_panel(axes, of_task)
        for curve in recorded.of_task(task) if recorded else ():
            pairs = zip(curve.ratio, curve.relative_error, strict=True)
            free = [ratio for ratio, error in pairs if error <= 1.1]
            if curve.name == "trim" and "level_width" in of_task and free:
                axes.plot(
                    [1], [max(free)], marker="*", ms=11, mfc="white", ls="none",
                    color=style.DENSE_COLOUR, gid=panels.RECORDED,
                    label="trim, error ≤ 1.1 × dense",
                )  # fmt: skip
        axes.set_title(f"{task} ({seed_words(of_task, TRIM)})")
        axes.set_yscale("log", base=2)
        axes.set_ylim(0.9, 2**5.4)
        axes.set_yticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    for dash, words in LIMIT_WORDS.items():
        all_axes[0].add_line(Line2D([], [], color="#666666", ls=dash, label=words))
    across = varied(rows)[0]
    words = "width, as share of the published units" if across == "width" else across
    return panels.finish(figure, all_axes, place, words, "largest ratio without loss")


def _free_panel(axes: Axes, rows: pd.DataFrame) -> None:
    dimensions = varied(rows)
    across = next((n for n in dimensions if len(levels_of(rows, n)) > 1), dimensions[0])
    others = [n for n in dimensions if n != across and len(levels_of(rows, n)) > 1][:1]
    for dash, limit in LIMITS.items():
        table = free_ratios(rows, [across, *others], TRIM, **limit)
        groups = list(table.groupby(others[0])) if others else [(None, table)]
        looks = LEVEL_LOOKS if others else (ALONE,)
        for number, ((level, part), look) in enumerate(zip(groups, looks, strict=False)):
            # There are few ratios: lines are offset so that none covers another.
            beside = 2 ** (0.1 * (number - (len(groups) - 1) / 2))
            name = f"{level:g} {others[0]}" if others else "trained out"
            solid = dash == "-"
            axes.plot(
                part[across] * beside, part.ratio, color=look.colour, marker=look.marker, ls=dash,
                lw=1.4, ms=4 if solid else 7, mfc=look.colour if solid else "none",
                label=name if solid else None,
            )  # fmt: skip
    if across == "width":
        axes.set_xscale("log", base=2)
        levels = levels_of(rows, across)
        axes.set_xticks(levels, [_share(across, level) for level in levels])


def seed_words(rows: pd.DataFrame, run: str) -> str:
    """How many seeds a run has, from the fewest to the most of all levels: "1–3 seeds"."""
    of_run = rows[rows.run == run]
    levels = [f"{LEVEL}{name}" for name in varied(rows)]
    counts = of_run.groupby(levels, dropna=False).seed.nunique()
    if counts.empty:
        return ""
    fewest, most = counts.min(), counts.max()
    several = f"{most} {'seed' if most == 1 else 'seeds'}"
    return several if fewest == most else f"{fewest}–{several}"


def _level_words(dimension: str, level: float) -> str:
    """ "width 1/8"."""
    return f"{DIMENSION_WORDS.get(dimension, dimension)} {_share(dimension, level)}"


def _share(dimension: str, level: float) -> str:
    """0.125 of a width as "1/8"."""
    if dimension == "width" and 0 < level < 1 and (1 / level).is_integer():
        return f"1/{1 / level:g}"
    return f"{level:g}"
