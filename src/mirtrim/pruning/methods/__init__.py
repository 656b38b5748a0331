"""The methods by name. A new one is a class with one decorator, in a file imported here."""

from mirtrim.pruning.methods import (  # noqa: F401 - every file registers what it defines
    controls,
    cram,
    depthwise,
    feedback,
    feedback_units,
    gradual,
    low_rank,
    mask,
    one_shot,
    optimal_surgeon,
    platon,
    powerpropagation,
    same_mask,
    semi_structured,
    snip,
    soup,
    top_kast,
    trim,
)
from mirtrim.pruning.methods.interface import (
    METHODS,
    Method,
    Round,
    Ticket,
    method,
)
from mirtrim.pruning.methods.reading import settings_of, settings_of_name
from mirtrim.utils.errors import ConfigError


def get_method(name: str) -> Method:
    """An instance of the method called `name`."""
    if name not in METHODS:
        raise ConfigError(f"unknown method {name!r}; known: {', '.join(sorted(METHODS))}")
    return METHODS[name]()


__all__ = [
    "METHODS",
    "Method",
    "Round",
    "Ticket",
    "get_method",
    "method",
    "settings_of",
    "settings_of_name",
]
