"""What the figures share: small multiples, lines with bands, axes in ratios, one legend."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, Locator, NullLocator

from mirtrim.analysis import style
from mirtrim.analysis.figures.lines import Line, from_dense, mean_and_band, rows_of
from mirtrim.analysis.recorded_curves import RecordedCurve
from mirtrim.analysis.style import Look

RATIO_LABEL = "compression ratio (dense parameters / parameters really left)"
RELATIVE_LABEL = "test error / error of the dense network"
PANEL_INCHES = (3.5, 2.7)
# Ticks of an axis of quotients; the finer ones only where the axis is short.
COARSE = (0.125, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
FINE = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2, 2.25, 2.5, 3)
FINE_BELOW = 2.7  # highest / lowest
MOST_TICKS = 6
RECORDED = "recorded"
RECORDED_HEADING = "recorded by the authors on other data:"


def grid(panels: int, spare: bool = False) -> tuple[Figure, list[Axes], Axes | None]:
    """A figure with room for `panels`, and the first empty place, kept for a legend if `spare`."""
    places = panels + spare
    columns = 3 if places > 4 or places == 3 else min(2, places)
    lines = -(-places // columns)
    width, height = PANEL_INCHES
    figure, axes = rectangle(lines, columns, (width * max(columns, 2), height * lines + 0.4))
    flat = list(axes.flat)
    for place in flat[panels:]:
        place.set_axis_off()
    return figure, flat[:panels], flat[panels] if len(flat) > panels else None


def rectangle(
    rows: int, columns: int, inches: tuple[float, float] | None = None, **more: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of panels in rows and columns.

    Args:
        inches: its size; by default panels have the usual one.
        more: of `matplotlib.pyplot.subplots`, such as shared axes.
    """
    width, height = PANEL_INCHES
    size = inches or (max(width * columns, 5), height * rows + 0.5)
    return plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **more)


def band_line(
    axes: Axes, points: pd.DataFrame, look: Look, alpha: float = 0.15, **more: Any
) -> None:
    """A line through `points` (x, mean) in its band (low, high); see `lines.mean_and_band`.

    Args:
        more: properties of the line that differ from the usual ones.
    """
    axes.fill_between(points.x, points.low, points.high, color=look.colour, alpha=alpha, lw=0)
    words = {"color": look.colour, "ls": look.dash, "marker": look.marker, "label": look.label}
    axes.plot(points.x, points["mean"], **{**words, "ms": 4, "lw": 1.4, **more})


def recorded_line(axes: Axes, curve: RecordedCurve, look: Look, label: str) -> None:
    """What the authors of the replicated paper have recorded; last in the legend."""
    axes.plot(
        curve.ratio,
        curve.relative_error,
        color=look.colour,
        marker=look.marker,
        label=label,
        gid=RECORDED,
        zorder=1.5,
        **style.RECORDED,
    )


def dense_line(
    axes: Axes,
    band: tuple[float, float],
    at: float = 1.0,
    label: str = "dense (band: its seeds)",
) -> None:
    """The error of the dense network in the band of its seeds, if that is finite."""
    if np.isfinite(band).all():  # one seed may have none
        axes.axhspan(*band, color=style.DENSE_COLOUR, alpha=0.08, lw=0)
    axes.axhline(at, label=label, **style.DENSE)


def error_lines(
    axes: Axes, rows: pd.DataFrame, lines: Sequence[Line], x: str = "ratio", alpha: float = 0.15
) -> list[pd.DataFrame]:
    """Relative error against `x` of every line that has rows.

    Every line starts at its own dense networks, at relative error 1.

    Returns:
        The points of each line that is drawn, see `lines.mean_and_band`.
    """
    dense = rows[rows.method == "dense"]
    found = []
    for line in lines:
        run = rows_of(rows, line)
        if not run.empty:
            points = mean_and_band(from_dense(dense, run), x, "relative_error")
            band_line(axes, points, line.look, alpha)
            found.append(points)
    return found


def frame(axes: Axes, dense: tuple[float, float], found: Iterable[pd.DataFrame]) -> None:
    """Both axes, wide enough for the band of the dense network and the points of all lines."""
    bands, ends = [dense], [1.0, 2.0]
    for points in found:
        bands += zip(points.low, points.high, strict=True)
        ends += list(points.x)
    ratio_axis(axes, max(ends), min(ends))
    quotient_axis(axes, bands)


def ratio_axis(axes: Axes, highest: float, lowest: float = 1.0) -> None:
    """A logarithmic x axis from `lowest` to `highest`, with ticks at powers of two, or four."""
    left, right = lowest / 1.12, highest * 1.12
    axes.set_xscale("log", base=2)
    axes.set_xlim(left, right)
    powers = np.arange(np.ceil(np.log2(left)), np.floor(np.log2(right)) + 1)
    if len(powers) > MOST_TICKS:
        powers = powers[powers % 2 == 0]
    ticks(axes.xaxis, [2.0**power for power in powers], _fraction)


def quotient_axis(axes: Axes, bands: Iterable[tuple[float, float]]) -> None:
    """A logarithmic y axis that includes all finite `bands` (low, high), and 1.

    Logarithmic because half and twice the dense error are equally far from it.
    """
    ends = np.array([[1.0, 1.0], *bands])
    ends = ends[np.isfinite(ends).all(axis=1)]
    highest = float(ends.max())
    # A band may reach below zero; half of the lowest middle is as far as the axis follows it.
    lowest = max(float(ends.min()), 0.5 * float(ends.mean(axis=1).min()), highest * 1e-3)
    margin = max((highest / lowest) ** 0.04, 1.02)
    axes.set_yscale("log", base=2)
    axes.set_ylim(lowest / margin, highest * margin)
    ticks(axes.yaxis, quotient_ticks(lowest / margin, highest * margin))


def quotient_ticks(lowest: float, highest: float) -> list[float]:
    """Ticks of a logarithmic axis of quotients from `lowest` to `highest`."""
    ticks = FINE if highest / lowest < FINE_BELOW else COARSE
    return [float(tick) for tick in ticks if lowest <= tick <= highest]


def finish(
    figure: Figure,
    panels: Iterable[Axes],
    place: Axes | None,
    x: str,
    y: str,
    order: Sequence[Look] = (),
) -> Figure:
    """The figure with the labels of all its axes (none where empty) and one legend of all panels'
    labels: in the free place, or above the panels.

    Recorded curves come last, under a heading that says what they are; lines in the order of
    `order`, others (the dense network) before them.
    """
    own: dict[str, Any] = {}
    recorded: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            is_recorded = isinstance(handle, Line2D) and handle.get_gid() == RECORDED
            (recorded if is_recorded else own).setdefault(label, handle)
    ranks = {look.label: rank for rank, look in enumerate(order)}
    lines = sorted(own.items(), key=lambda entry: ranks.get(entry[0], -1))
    heading = {RECORDED_HEADING: Line2D([], [], ls="none")} if recorded else {}
    entries = [*lines, *heading.items(), *recorded.items()]
    words: dict[str, Any] = {"fontsize": 7.5, "handlelength": 3.2}
    words["handles"] = [handle for _, handle in entries]
    words["labels"] = [label for label, _ in entries]
    if place is not None:
        place.legend(loc="center", **words)
    else:
        columns = max(2, int(figure.get_figwidth() / 2.6))
        figure.legend(loc="outside upper center", ncols=min(columns, len(entries)), **words)
    if x:
        figure.supxlabel(x)
    if y:
        figure.supylabel(y)
    return figure


def ticks(
    axis: Any, places: Sequence[float] | Locator, form: Callable[[float], str] = "{:g}".format
) -> None:
    """The ticks of an axis, and no smaller ones."""
    axis.set_major_locator(places if isinstance(places, Locator) else FixedLocator(list(places)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))


def _fraction(value: float) -> str:
    """ "1/8" rather than 0.125, which leaves no room for its neighbours."""
    return f"{value:g}" if value >= 1 else f"1/{1 / value:g}"
