"""Runs that differ in one choice alone: criteria, scopes, resets."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.choices import CONTRASTS, compared
from mirtrim.analysis.figures.lines import (
    Line,
    dense_band,
    mean_and_band,
    relative,
    rows_of,
    seeds_of,
)
from mirtrim.analysis.recorded_curves import RecordedCurve
from mirtrim.analysis.style import Look
from mirtrim.utils.errors import ArtefactError

RECORDED_TITLE = "recorded by the authors on other data"


def draw(rows: pd.DataFrame, name: str, recorded: tuple[RecordedCurve, ...] = ()) -> Figure:
    """One panel per task and method, one line per value; seeds that all its lines have.

    Args:
        rows: result rows of any tasks.
        name: one of `choices.CONTRASTS`.
        recorded: the authors' curves of the same contrast, in a panel of their own.

    Raises:
        ArtefactError: nothing to compare in any task, or no seed that all lines have.
    """
    key = CONTRASTS[name]
    rows = relative(rows)
    found = [
        (str(task), method, values)
        for task, part in rows.groupby("task", sort=True)
        for method, values in compared(part.to_dict("records"), key).items()
    ]
    if not found:
        raise ArtefactError(
            f"figure {name}: no task has rows of one method that differ in {key} alone; "
            f"run a method with a second {key}"
        )
    with style.styled():
        figure, axes, place = panels.grid(len(found) + bool(recorded))
        for panel, (task, method, values) in zip(axes, found, strict=False):
            of_task = rows[rows.task == task]
            lines = [Line(method, _look(value), {key: value}) for value in values]
            title = f"{task}: {method.replace('_', ' ')}"
            runs, dense = _common([rows_of(of_task, line) for line in lines], of_task, title)
            _panel(panel, lines, runs, dense)
            title += f" ({seeds_of(dense)})"
            panel.set_title(title, fontsize=9, loc="left")
        if recorded:
            _recorded(axes[-1], recorded)
        panels.legend(figure, axes, place)
        figure.supxlabel(panels.RATIO_LABEL, fontsize=9)
        figure.supylabel(panels.RELATIVE_LABEL, fontsize=9)
    return figure


def _common(
    runs: list[pd.DataFrame], rows: pd.DataFrame, title: str
) -> tuple[list[pd.DataFrame], pd.DataFrame]:
    """The rows of each run, and of the dense networks, of seeds that all runs have."""
    seeds = set.intersection(*(set(run.seed) for run in runs))
    if not seeds:
        raise ArtefactError(f"{title}: the runs to compare share no seed; run them with one")
    return [run[run.seed.isin(seeds)] for run in runs], rows[
        (rows.method == "dense") & rows.seed.isin(seeds)
    ]


def _panel(axes: Axes, lines: list[Line], runs: list[pd.DataFrame], dense: pd.DataFrame) -> None:
    band = dense_band(dense)
    panels.dense_line(axes, band)
    bands, highest = [band], 2.0
    for line, run in zip(lines, runs, strict=True):
        points = mean_and_band(pd.concat([dense, run]), "ratio", "relative_error")
        panels.band_line(axes, points, line.look, alpha=min(0.15, 0.4 / len(lines)))
        bands += zip(points.low, points.high, strict=True)
        highest = max(highest, float(points.x.max()))
    panels.ratio_axis(axes, highest)
    panels.quotient_axis(axes, bands)


def _look(value: str) -> Look:
    look = style.CHOICES.get(value, style.OTHER)
    return Look(look.colour, look.marker, look.dash, value.replace("_", " "))


def _recorded(axes: Axes, curves: tuple[RecordedCurve, ...]) -> None:
    axes.axhline(1, color=style.DENSE_COLOUR, lw=1, ls=(0, (1, 2)))
    for curve in curves:
        look = _look(curve.name)
        panels.recorded_line(axes, curve, look, "")
        end = (curve.ratio[-1], curve.relative_error[-1])
        axes.annotate(
            look.label,
            end,
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=look.colour,
        )
    axes.set_title(RECORDED_TITLE, fontsize=9, loc="left")
    # Twice as far as the longest curve, so that the names have room.
    panels.ratio_axis(axes, 2 * max(max(curve.ratio) for curve in curves))
    panels.quotient_axis(axes, [(e, e) for curve in curves for e in curve.relative_error])
