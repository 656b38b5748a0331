"""Relative error against true compression, every task, with the authors' recorded curves."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import (
    MAIN_LINES,
    Line,
    dense_band,
    mean_and_band,
    relative,
    rows_of,
    seeds_of,
    tasks_of,
)
from mirtrim.analysis.recorded_curves import RecordedCurve, RecordedCurves
from mirtrim.utils.errors import ArtefactError

RECORDED_LOOKS = {
    "trim": style.LOOKS["trim"],
    "trim_reinit": style.VARIANTS["trim_reinit"],
    "mask": style.LOOKS["mask"],
}
RECORDED_LABELS = {
    "trim": "trim",
    "trim_reinit": "trim (reinit)",
    "mask": "mask, at its true ratio",
}


def draw(
    rows: pd.DataFrame,
    recorded: RecordedCurves | None = None,
    lines: Sequence[Line] = MAIN_LINES,
) -> Figure:
    """One panel per task: mean over seeds and one sample deviation, paired with the dense network.

    Args:
        rows: result rows of any tasks; a line without rows is left out.
        recorded: the authors' curves, drawn thin where there are any of a task. They do not
            widen a panel: what lies outside is cut off.
        lines: what is drawn, in the order of the legend.

    Raises:
        ArtefactError: no line has rows.
    """
    rows = relative(rows)
    tasks = tasks_of(rows, lines)
    if not tasks:
        raise ArtefactError("figure relative_error: no rows of mask, trim or feedback to draw")
    with style.styled():
        figure, axes, place = panels.grid(len(tasks), spare=True)
        for panel, task in zip(axes, tasks, strict=True):
            of_task = rows[rows.task == task]
            _panel(panel, of_task, recorded.of_task(task) if recorded else (), lines)
            seeds = seeds_of(*(rows_of(of_task, line) for line in lines))
            panel.set_title(f"{task} ({seeds})", fontsize=9, loc="left")
        panels.legend(figure, axes, place, [line.look for line in lines])
        figure.supxlabel(panels.RATIO_LABEL, fontsize=9)
        figure.supylabel(panels.RELATIVE_LABEL, fontsize=9)
    return figure


def _panel(
    axes: Axes,
    rows: pd.DataFrame,
    recorded: tuple[RecordedCurve, ...],
    lines: Sequence[Line],
) -> None:
    dense = rows[rows.method == "dense"]
    band = dense_band(dense)
    panels.dense_line(axes, band)
    bands, highest = [band], 2.0
    for line in lines:
        run = rows_of(rows, line)
        if run.empty:
            continue
        # Every run starts at its own dense networks: ratio 1, relative error 1.
        start = dense[dense.seed.isin(run.seed)]
        points = mean_and_band(pd.concat([start, run]), "ratio", "relative_error")
        panels.band_line(axes, points, line.look)
        bands += zip(points.low, points.high, strict=True)
        highest = max(highest, float(points.x.max()))
    for curve in recorded:
        look, label = RECORDED_LOOKS[curve.name], RECORDED_LABELS[curve.name]
        panels.recorded_line(axes, curve, look, label)
    panels.ratio_axis(axes, highest)
    panels.quotient_axis(axes, bands)
