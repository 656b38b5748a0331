"""Relative error against true compression, every task, with the authors' recorded curves."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import (
    MAIN_LINES,
    Line,
    dense_band,
    relative,
    rows_of,
    seeds_of,
    tasks_of,
)
from mirtrim.analysis.recorded_curves import RecordedCurves
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


@style.styled()
def draw(
    rows: pd.DataFrame,
    recorded: RecordedCurves | None = None,
    lines: Sequence[Line] = MAIN_LINES,
) -> Figure:
    """One panel per task: mean over seeds and one sample deviation, paired with the dense network.

    Args:
        rows: result rows of any tasks; a line without rows is left out.
        recorded: the authors' curves, drawn thin for tasks that have some. They do not extend the
            axes: points outside are clipped.
        lines: what is drawn, in the order of the legend.

    Raises:
        ArtefactError: no line has rows.
    """
    rows = relative(rows)
    tasks = tasks_of(rows, lines)
    if not tasks:
        raise ArtefactError("figure relative_error: no rows of mask, trim or feedback to draw")
    figure, axes, place = panels.grid(len(tasks), spare=True)
    for panel, task in zip(axes, tasks, strict=True):
        of_task = rows[rows.task == task]
        band = dense_band(of_task[of_task.method == "dense"])
        panels.dense_line(panel, band)
        found = panels.error_lines(panel, of_task, lines)
        for curve in recorded.of_task(task) if recorded else ():
            look, label = RECORDED_LOOKS[curve.name], RECORDED_LABELS[curve.name]
            panels.recorded_line(panel, curve, look, label)
        panels.frame(panel, band, found)
        seeds = seeds_of(*(rows_of(of_task, line) for line in lines))
        panel.set_title(f"{task} ({seeds})")
    looks = [line.look for line in lines]
    return panels.finish(figure, axes, place, panels.RATIO_LABEL, panels.RELATIVE_LABEL, looks)
