"""How labels travel through torch operations; one file per family of operations."""

from mirtrim.units.handlers import (
    attention,
    dimwise,
    elementwise,
    indexing,
    joining,
    moving,
    norms,
    parting,
    products,
    recurrent,
    reshaping,
    weighted,
)
from mirtrim.units.handlers.operations import HANDLERS, METADATA

__all__ = [
    "HANDLERS",
    "METADATA",
    "attention",
    "dimwise",
    "elementwise",
    "indexing",
    "joining",
    "moving",
    "norms",
    "parting",
    "products",
    "recurrent",
    "reshaping",
    "weighted",
]
