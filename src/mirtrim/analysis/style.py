"""How all figures look: one palette, one marker and one dash per method."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl

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
# Where curves of several other methods stand in one panel.
OTHERS = (
    OTHER,
    Look("#E69F00", "P", "--", ""),
    Look("#882255", "X", "-.", ""),
    Look("#56B4E9", "d", "-", ""),
)
DENSE_COLOUR = "#000000"

# Variants of a method that are drawn beside the method itself; wine is from Tol's muted palette.
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

# Values of one choice (criterion, scope, reset), beside each other; a further one is `OTHER`.
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
        "grid.color": "#dddddd",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "figure.dpi": 100,
        "svg.hashsalt": "mirtrim",  # element ids are random without it
        "svg.fonttype": "path",
    }
    with mpl.rc_context(settings):
        yield
