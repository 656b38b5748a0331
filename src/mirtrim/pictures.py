"""Pictures of what a trimming did."""

from typing import TYPE_CHECKING, Any

from mirtrim.utils.errors import ConfigError

if TYPE_CHECKING:
    from mirtrim.pruning.api import TrimReport

ROW_INCHES = 0.28  # height of a layer
BEFORE, AFTER = "#d0d4da", "#2f6f9f"


def draw_units(report: "TrimReport", axes: Any = None) -> Any:
    """Bars of the units of each layer, before (pale) and after; see `TrimReport.plot`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("plot needs matplotlib; install it: pip install matplotlib") from error
    layers = report.layers
    if axes is None:
        # Not through pyplot, which opens windows and keeps what it has made.
        figure = Figure(figsize=(6.4, 1.1 + ROW_INCHES * len(layers)), layout="constrained")
        axes = figure.add_subplot()
    places = range(len(layers))
    before = [layer.units_before for layer in layers]
    after = [layer.units_after for layer in layers]
    axes.barh(places, before, color=BEFORE, label="before")
    axes.barh(places, after, color=AFTER, height=0.5, label="after")
    axes.set_yticks(places, [layer.name for layer in layers])
    axes.invert_yaxis()  # the first layer on top
    axes.set_xlabel("units")
    axes.set_title(
        f"{report.parameters_before:,} → {report.parameters_after:,} parameters "
        f"({report.ratio:.2f}×), MACs ÷ {report.speed_up:.2f}"
    )
    axes.legend(loc="lower right")
    return axes
