"""Error against what the training has cost, at one compression ratio per row of panels."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import (
    CONTROL_LINES,
    MAIN_LINES,
    dense_band,
    mean_and_band,
    nearest_ratio,
    relative,
    rows_of,
    tasks_of,
)
from mirtrim.utils.errors import ArtefactError

LINES = (*MAIN_LINES, *CONTROL_LINES)
SAME_COST = 1.15  # quotient of two costs whose markers would cover each other
SHIFT_POINTS = 6.0
COST_LABEL = "training MACs of everything that led to the network, in dense trainings"


@style.styled()
def draw(rows: pd.DataFrame, ratios: Sequence[float] = (4, 16)) -> Figure:
    """A column per task, a row per ratio, a point per method: mean and sample deviation.

    Args:
        rows: result rows of any tasks.
        ratios: target ratios; if a task does not have one, its nearest target ratio (by quotient)
            is used, as the panel's title says.

    Raises:
        ArtefactError: no line has rows.
    """
    rows = relative(rows)
    tasks = tasks_of(rows, MAIN_LINES)
    if not tasks:
        raise ArtefactError("figure training_cost: no rows of mask, trim or feedback to draw")
    size = (max(2.3 * len(tasks), 5), 2.3 * len(ratios) + 1.2)
    figure, grid = panels.rectangle(len(ratios), len(tasks), size)
    for line, ratio in zip(grid, ratios, strict=True):
        for axes, task in zip(line, tasks, strict=True):
            of_task = rows[rows.task == task]
            nearest = nearest_ratio(of_task, ratio)
            _panel(axes, of_task, nearest)
            axes.set_title(f"{task}, ratio {nearest:g}")
    looks = [line.look for line in LINES]
    return panels.finish(figure, grid.flat, None, COST_LABEL, panels.RELATIVE_LABEL, looks)


def _panel(axes: Axes, rows: pd.DataFrame, ratio: float) -> None:
    band = dense_band(rows[rows.method == "dense"])
    panels.dense_line(axes, band)
    bands, costs = [band], [1.0, 2.0]
    at_ratio = rows[rows.target_ratio == ratio]
    found = [
        (line, mean_and_band(of_line, "cost", "relative_error").iloc[0])
        for line in LINES
        if not (of_line := rows_of(at_ratio, line)).empty
    ]
    shifts = _shifts([float(point.x) for _, point in found])
    for (line, point), shift in zip(found, shifts, strict=True):
        beside = offset_copy(axes.transData, axes.get_figure(root=True), x=shift, units="points")
        axes.errorbar(
            point.x,
            point["mean"],
            yerr=point.high - point["mean"],
            color=line.look.colour,
            marker=line.look.marker,
            mec="#000000",
            mew=0.4,
            ms=5.5,
            lw=1,
            ls="none",
            label=line.look.label,
            transform=beside,
        )
        bands.append((float(point.low), float(point.high)))
        costs.append(float(point.x))
    room = (max(costs) / min(costs)) ** 0.1  # for markers that stand beside each other
    panels.ratio_axis(axes, max(costs) * room, min(costs) / room)
    panels.quotient_axis(axes, bands)


def _shifts(costs: Sequence[float]) -> list[float]:
    """How many points to the right each marker moves, so that equal costs appear side by side."""
    cells = [round(float(np.log(cost) / np.log(SAME_COST))) for cost in costs]
    shifts = []
    for place, cell in enumerate(cells):
        before, all_ = cells[:place].count(cell), cells.count(cell)
        shifts.append(SHIFT_POINTS * (before - (all_ - 1) / 2))
    return shifts
