"""Pieces of the JSON schemas in which tasks declare the keys of their configuration.

Every function gives the schema of one key; a key without a default must be configured.
"""

from collections.abc import Mapping
from typing import Any

# "features", "network" and "training" → key → JSON schema.
Schema = Mapping[str, Mapping[str, Any]]


def integer(description: str, default: int | None = None, **limits: Any) -> dict[str, Any]:
    """An integer, at least 1 unless `limits` (in JSON schema's words) say otherwise."""
    return _key({"type": "integer", "minimum": 1, **limits}, description, default)


def number(description: str, default: float | None = None, **limits: Any) -> dict[str, Any]:
    """A number within `limits`, in JSON schema's words."""
    return _key({"type": "number", **limits}, description, default)


def positive(description: str, default: float | None = None) -> dict[str, Any]:
    """A number above 0."""
    return number(description, default, exclusiveMinimum=0)


def dropout(description: str, default: float) -> dict[str, Any]:
    """A probability of zeroing something in training."""
    return number(description, default, minimum=0, exclusiveMaximum=1)


def choice(description: str, *values: str) -> dict[str, Any]:
    """One of `values`; the first is the default."""
    return _key({"enum": list(values)}, description, values[0])


def switch(description: str, default: bool) -> dict[str, Any]:
    """True or false."""
    return _key({"type": "boolean"}, description, default)


def array(description: str, items: Mapping[str, Any], **limits: Any) -> dict[str, Any]:
    """A list within `limits`, in JSON schema's words; they may contain a default."""
    return _key({"type": "array", "items": dict(items), **limits}, description, None)


def _key(schema: dict[str, Any], description: str, default: Any) -> dict[str, Any]:
    known = {} if default is None else {"default": default}
    return {**schema, **known, "description": description}


SAMPLE_RATE = integer("Hz after resampling.")
HOP = integer("Samples between frames.")
