"""Error against bytes on disk, for masks and trims in fp32 and int8.

A compression ratio counts a masked weight as removed, but a file still has to store where the
others are. Compressed sizes show what that costs.
"""

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import MAIN_LINES, dense_band, mean_and_band, rows_of, seeds_of
from mirtrim.analysis.style import Look
from mirtrim.utils.errors import ArtefactError

METHODS = MAIN_LINES[:2]  # mask and trim
KIB = 1024
LABEL = "weights under zstd, KiB"
# Int8: the same colour and marker as fp32, dotted and hollow.
INT8_DASH = (0, (1, 1.5))


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
    with style.styled():
        figure, axes, place = panels.grid(len(tasks), spare=True)
        for panel, task in zip(axes, tasks, strict=True):
            of_task = _relative(costs[costs.task == task])
            _panel(panel, of_task)
            panel.set_title(f"{task} ({seeds_of(of_task)})", fontsize=9, loc="left")
        panels.legend(figure, axes, place)
        figure.supxlabel(LABEL, fontsize=9)
        figure.supylabel(panels.RELATIVE_LABEL, fontsize=9)
    return figure


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


def _lines(costs: pd.DataFrame) -> Iterator[tuple[str, Look, pd.DataFrame]]:
    """Format, look and points of every line, the dense network of its format at its end."""
    for line in METHODS:
        for kind, of_kind in costs.groupby("format", sort=True):
            run = rows_of(of_kind, line)
            if run.empty:
                continue
            start = of_kind[(of_kind.method == "dense") & of_kind.seed.isin(run.seed)]
            yield (
                str(kind),
                line.look,
                mean_and_band(pd.concat([start, run]), "kib", "relative_error"),
            )


def _panel(axes: Axes, costs: pd.DataFrame) -> None:
    band = dense_band(costs[(costs.method == "dense") & (costs.format == "fp32")])
    panels.dense_line(axes, band)
    bands = [band]
    for kind, look, points in _lines(costs):
        own = {"ls": INT8_DASH, "mfc": "white"} if kind == "int8" else {}
        panels.band_line(axes, points, look, 0.1, label=f"{look.label}, {kind}", **own)
        bands += zip(points.low, points.high, strict=True)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 3)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels.quotient_axis(axes, bands)
