"""Arguments that torch takes as one number for all axes, or as one per axis."""

from typing import Any


def per_axis(value: Any, axes: int) -> Any:
    """A tuple of one number per axis."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * axes if len(values) == 1 else values
