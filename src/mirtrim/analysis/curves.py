"""Curves of the test error against the achieved compression ratio."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import MAIN_LINES, from_dense, matches, seeds_of
from mirtrim.runs.labels import label_of
from mirtrim.runs.rows import RUN_KEYS

ERROR_LABEL = "test error (1 − main score)"
LABEL_INCHES = 4.6  # what the label of the ratios needs


@style.styled()
def draw_error_curve(rows: pd.DataFrame, paths: Sequence[Path]) -> None:
    """Test error over compression ratio for every run of one task.

    Lines are means over seeds, bands reach from the smallest to the largest seed, the grey
    band shows the same for the dense network.

    Args:
        rows: result rows of one task.
        paths: one file per format wanted (.svg, .pdf, .png).
    """
    figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    _panel(axes, rows)
    subject = f"{rows.task.iloc[0]} on {rows.corpus.iloc[0]}"
    axes.set_title(f"{subject}: {seeds_of(rows)}, line: mean, band: range")
    axes.set_xlabel(panels.RATIO_LABEL)
    axes.set_ylabel(ERROR_LABEL)
    axes.legend(loc="upper left")
    style.save_figure(figure, paths)


@style.styled()
def draw_overview(rows: pd.DataFrame, paths: Sequence[Path]) -> None:
    """One panel like `draw_error_curve` for every task, and one legend.

    Args:
        rows: result rows of all tasks.
        paths: one file per format wanted (.svg, .pdf, .png).
    """
    tasks = sorted(rows.task.unique())
    # The legend has its own place, next to two panels.
    columns = 3 if len(tasks) > 1 else 1
    lines = -(-(len(tasks) + (len(tasks) > 1)) // columns)
    size = (max(3.6 * columns, LABEL_INCHES), 2.9 * lines)
    figure, grid = panels.rectangle(lines, columns, size)
    places = list(grid.flat)
    for axes, task in zip(places, tasks, strict=False):
        _panel(axes, rows[rows.task == task])
        axes.set_title(task)
    for axes in places[len(tasks) :]:
        axes.set_axis_off()
    handles, labels = places[0].get_legend_handles_labels()
    if len(places) > len(tasks):
        places[len(tasks)].legend(handles, labels, loc="center")
    else:
        places[0].legend(loc="upper left")
    figure.supxlabel(panels.RATIO_LABEL)
    figure.supylabel(ERROR_LABEL)
    style.save_figure(figure, paths)


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    """All runs of one task."""
    dense = rows[rows.method == "dense"]
    error = dense.test_error
    panels.dense_line(axes, (error.min(), error.max()), error.mean(), "dense")
    runs = list(rows[rows.method != "dense"].groupby(RUN_KEYS, sort=True))
    others = cycle(style.OTHERS)
    for values, run in runs:
        keys = dict(zip(RUN_KEYS, values, strict=True))
        look = _look(keys)
        if look is style.OTHER:
            look = next(others)
        label = look.label if look.label and len(runs) <= 2 else label_of(keys)
        _run(axes, look, label, from_dense(dense, run))
    axes.set_xscale("log", base=2)
    panels.ticks(axes.xaxis, sorted({1.0, *rows.target_ratio}))
    axes.set_ylim(bottom=0)


def _look(keys: dict[str, str]) -> style.Look:
    of_run = (line.look for line in MAIN_LINES if matches(keys, line))
    return next(of_run, style.look_of(keys["method"]))


def _run(axes: Axes, look: style.Look, label: str, run: pd.DataFrame) -> None:
    by_ratio = run.groupby("target_ratio")
    error = by_ratio.test_error
    points = pd.DataFrame(
        {"x": by_ratio.ratio.mean(), "mean": error.mean(), "low": error.min(), "high": error.max()}
    )
    panels.band_line(axes, points, replace(look, label=label), lw=1.5)
