"""The methods by name. Every module of this folder is imported, so that it can register its own."""

import importlib
import pkgutil

from mirtrim.pruning.methods.interface import (
    METHODS,
    Method,
    Round,
    Ticket,
    method,
    settings_of,
    settings_of_name,
)
from mirtrim.utils.errors import ConfigError

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)


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
