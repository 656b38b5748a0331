"""Error against bytes on disk, for masks and trims in fp32 and int8.

A compression ratio counts a masked weight as removed, but a file still has to store where the
others are. Compressed sizes show what that costs.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import (
    MAIN_LINES,
    dense_band,
    from_dense,
    mean_and_band,
    rows_of,
    seeds_of,
)
from mirtrim.utils.errors import ArtefactError

METHODS = MAIN_LINES[:2]  # mask and trim
KIB = 1024
LABEL = "weights under zstd, KiB"
# Int8: the same colour and marker as fp32, dotted and hollow.
INT8_DASH = (0, (1, 1.5))


@style.styled()
def draw(costs: pd.DataFrame) -> Figure:
    """One panel per task: mean over seeds and one sample deviation, fp32 and int8.

    Args:
        costs: cost rows of any tasks (`runs.cost_rows`).

    Returns:
        Errors are quotients with the dense fp32 network of the same task and seed; sizes are of
        weights and buffers alone, compressed.

    Raises:
        ArtefactError: there are no cost rows, or no dense network of a seed.
    """
    if costs.empty:
        raise ArtefactError("figure bytes_on_disk: no cost rows; run the target costs")
    tasks = sorted(costs.task.unique())
    figure, axes, place = panels.grid(len(tasks), spare=True)
    for panel, task in zip(axes, tasks, strict=True):
        of_task = _relative(costs[costs.task == task])
        _panel(panel, of_task)
        panel.set_title(f"{task} ({seeds_of(of_task)})")
    return panels.finish(figure, axes, place, LABEL, panels.RELATIVE_LABEL)


def _relative(costs: pd.DataFrame) -> pd.DataFrame:
    is_dense = (costs.method == "dense") & (costs.format == "fp32")
    dense = costs[is_dense].set_index("seed").test_error
    lonely = sorted(set(costs.seed) - set(dense.index))
    if lonely:
        raise ArtefactError(
            f"cost rows of task {costs.task.iloc[0]}: no dense fp32 network of seed {lonely[0]}; "
            "export it as well"
        )
    return costs.assign(
        relative_error=costs.test_error / costs.seed.map(dense), kib=costs.weights_zstd / KIB
    )


def _panel(axes: Axes, costs: pd.DataFrame) -> None:
    band = dense_band(costs[(costs.method == "dense") & (costs.format == "fp32")])
    panels.dense_line(axes, band)
    bands = [band]
    for line in METHODS:
        for kind, of_kind in costs.groupby("format", sort=True):
            run = rows_of(of_kind, line)
            if run.empty:
                continue
            start = from_dense(of_kind[of_kind.method == "dense"], run)
            points = mean_and_band(start, "kib", "relative_error")
            own = {"ls": INT8_DASH, "mfc": "white"} if kind == "int8" else {}
            panels.band_line(
                axes, points, line.look, 0.1, label=f"{line.look.label}, {kind}", **own
            )
            bands += zip(points.low, points.high, strict=True)
    axes.set_xscale("log")
    panels.ticks(axes.xaxis, LogLocator(10, subs=(1, 3)))
    panels.quotient_axis(axes, bands)
