"""How all figures look and are written: one palette, one marker and one dash per method."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # no display is needed, or looked for

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from mirtrim.utils.files import atomic_path

PNG_DPI = 200


@dataclass(frozen=True)
class Look:
    """How a method is drawn; markers and dashes keep it apart without colour."""

    colour: str
    marker: str
    dash: str
    label: str


# Okabe & Ito's palette, safe for the common kinds of colour blindness.
LOOKS = {
    "mask": Look("#0072B2", "o", "--", "mask: weights set to zero"),
    "trim": Look("#D55E00", "s", "-", "trim: units removed"),
    "feedback": Look("#009E73", "^", "-.", "feedback: weights"),
    "feedback_units": Look("#CC79A7", "v", "-", "feedback: units removed at the end"),
}
OTHER = Look("#666666", "D", ":", "")
# For panels with curves of several other methods.
OTHERS = (
    OTHER,
    Look("#E69F00", "P", "--", ""),
    Look("#882255", "X", "-.", ""),
    Look("#56B4E9", "d", "-", ""),
)
DENSE_COLOUR = "#000000"
DENSE: dict[str, Any] = {"color": DENSE_COLOUR, "lw": 1, "ls": (0, (1, 2))}  # of its error

# Variants of a method that are drawn next to the method itself; wine is from Tol's muted palette.
VARIANTS = {
    "trim_reinit": Look("#E69F00", "D", "--", "trim, fresh weights (reinit)"),
    "trim_finetune": Look("#882255", "p", "-", "trim, weights kept (finetune)"),
    "trim_random_local": Look("#56B4E9", "<", ":", "trim, random units (local)"),
    "trim_shuffled": Look("#56B4E9", "<", "--", "control: as many units per layer, at random"),
    "trim_random_global": Look("#666666", ">", ":", "trim, random units (global)"),
    "nothing_removed": Look("#999999", "P", ":", "control: same rounds, nothing removed"),
    "dense_longer": Look("#000000", "X", ":", "control: dense, trained as long"),
    "narrower": Look("#56B4E9", "d", ":", "control: narrower from the start"),
    "same_shape": Look("#F0E442", "h", ":", "control: same shape, fresh weights"),
}

# Values of one choice (criterion, scope, reset), side by side; any other one is `OTHER`.
CHOICES = {
    "magnitude": Look("#D55E00", "s", "-", ""),
    "activation": Look("#0072B2", "o", "--", ""),
    "batchnorm": Look("#009E73", "^", "-.", ""),
    "gradient": Look("#CC79A7", "v", "-", ""),
    "information": Look("#E69F00", "D", "--", ""),
    "target_information": Look("#56B4E9", "P", "-.", ""),
    "random": Look("#666666", "X", ":", ""),
    "local": Look("#D55E00", "s", "-", ""),
    "global": Look("#0072B2", "o", "--", ""),
    "rewind": Look("#D55E00", "s", "-", ""),
    "reinit": Look("#E69F00", "D", "--", ""),
    "finetune": Look("#0072B2", "^", "-.", ""),
}
# What others have measured, on other data: thin, with small open markers.
RECORDED: dict[str, Any] = {"lw": 0.7, "ls": (0, (6, 3)), "ms": 3.0, "mfc": "white", "mew": 0.7}


def labelled(looks: Sequence[Look], labels: Iterable[str]) -> list[Look]:
    """A look for every label; after the last one they begin again."""
    return [replace(look, label=label) for look, label in zip(cycle(looks), labels, strict=False)]


def look_of(method: str) -> Look:
    """The look of `method`."""
    return LOOKS.get(method, OTHER)


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib settings for all figures; reproducible bytes included."""
    settings: dict[Any, Any] = {
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.titlesize": 9,
        "axes.titlelocation": "left",
        "figure.labelsize": 9,
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "figure.dpi": 100,
        "svg.hashsalt": "mirtrim",  # element ids are random without it
        "svg.fonttype": "path",
    }
    with mpl.rc_context(settings):
        yield


@styled()
def save_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure in every format wanted (.svg, .pdf, .png), the same bytes each time; free it.

    It is laid out once, and has no dates.
    """
    if engine := figure.get_layout_engine():
        engine.execute(figure)
        figure.set_layout_engine("none")  # or every format would do it again
    for path in paths:
        with atomic_path(path) as temporary:
            _write(figure, path.suffix, temporary)
    plt.close(figure)


def _write(figure: Figure, suffix: str, path: Path) -> None:
    """As `Figure.savefig` does, which however draws everything twice, once to lay it out."""
    if suffix == ".svg":
        FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})
    elif suffix == ".pdf":
        from matplotlib.backends.backend_pdf import FigureCanvasPdf  # slow, and seldom wanted

        FigureCanvasPdf(figure).print_pdf(path, metadata={"CreationDate": None})
    elif suffix == ".png":
        figure.set_dpi(PNG_DPI)
        FigureCanvasAgg(figure).print_png(path)
    else:
        raise ValueError(f"figures are written as .svg, .pdf or .png, not as {suffix}")
