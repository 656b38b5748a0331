"""How labels travel through torch operations; one file per family of operations."""

from mirtrim.units.handlers import (  # noqa: F401
    attention,
    contracting,
    dimwise,
    elementwise,
    indexing,
    joining,
    layers,
    moving,
    norms,
    parting,
    products,
    properties,
    recurrent,
    reshaping,
    spatial,
    weights,
)
from mirtrim.units.handlers.operations import HANDLERS, METADATA, RUN_BY_HANDLERS

__all__ = ["HANDLERS", "METADATA", "RUN_BY_HANDLERS"]
