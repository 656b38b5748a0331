"""How labels travel through torch operations; one file per family of operations."""

from mirtrim.units.handlers import (
    attention,
    convolutions,
    dimwise,
    elementwise,
    embeddings,
    indexing,
    joining,
    linear,
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
from mirtrim.units.handlers.operations import HANDLERS, METADATA

__all__ = [
    "HANDLERS",
    "METADATA",
    "attention",
    "convolutions",
    "dimwise",
    "elementwise",
    "embeddings",
    "indexing",
    "joining",
    "linear",
    "moving",
    "norms",
    "parting",
    "products",
    "properties",
    "recurrent",
    "reshaping",
    "spatial",
    "weights",
]
