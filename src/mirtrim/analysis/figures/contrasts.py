"""Runs that differ in one choice alone: criteria, scopes, resets."""

from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.choices import CONTRASTS, compared
from mirtrim.analysis.figures.lines import Line, dense_band, relative, rows_of, seeds_of
from mirtrim.analysis.recorded_curves import RecordedCurve
from mirtrim.analysis.style import Look
from mirtrim.utils.errors import ArtefactError

RECORDED_TITLE = "recorded by the authors on other data"


@style.styled()
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
    figure, axes, place = panels.grid(len(found) + bool(recorded))
    for panel, (task, method, values) in zip(axes, found, strict=False):
        lines = [Line(method, _look(value), {key: value}) for value in values]
        title = f"{task}: {method.replace('_', ' ')}"
        alike = _common(rows[rows.task == task], lines, title)
        dense = alike[alike.method == "dense"]
        band = dense_band(dense)
        panels.dense_line(panel, band)
        points = panels.error_lines(panel, alike, lines, alpha=min(0.15, 0.4 / len(lines)))
        panels.frame(panel, band, points)
        panel.set_title(f"{title} ({seeds_of(dense)})")
    if recorded:
        _recorded(axes[-1], recorded)
    return panels.finish(figure, axes, place, panels.RATIO_LABEL, panels.RELATIVE_LABEL)


def _common(rows: pd.DataFrame, lines: list[Line], title: str) -> pd.DataFrame:
    """The rows of seeds that all lines have."""
    seeds = set.intersection(*(set(rows_of(rows, line).seed) for line in lines))
    if not seeds:
        raise ArtefactError(f"{title}: the runs to compare share no seed; run them with one")
    return rows[rows.seed.isin(seeds)]


def _look(value: str) -> Look:
    return replace(style.CHOICES.get(value, style.OTHER), label=value.replace("_", " "))


def _recorded(axes: Axes, curves: tuple[RecordedCurve, ...]) -> None:
    axes.axhline(1, **style.DENSE)
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
    axes.set_title(RECORDED_TITLE)
    # Twice as far as the longest curve, so that the names have room.
    panels.ratio_axis(axes, 2 * max(max(curve.ratio) for curve in curves))
    panels.quotient_axis(axes, [(e, e) for curve in curves for e in curve.relative_error])
