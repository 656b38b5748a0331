"""Which parts of a network hold its parameters, and why they cannot hold fewer."""

import math

import numpy as np

from mirtrim.units.graph import UnitGraph

_NAMED = 3


def largest_holders(graph: UnitGraph, keep: np.ndarray) -> str:
    """The modules with the most parameters after a cut, in words, with reasons.

    Args:
        keep: Boolean mask over groups, (groups,).
    """
    sizes: dict[str, int] = {}
    for name in graph.unique_parameters:
        path = name.rpartition(".")[0] or name
        sizes[path] = sizes.get(path, 0) + math.prod(graph.shape_after(name, keep))
    reasons = {path: "not reached by the example" for path in map(_module, graph.unreached)}
    for layer in graph.layers:
        if layer.pinned_because:
            for path in (layer.name, *map(_module, layer.weights)):
                reasons.setdefault(path, layer.pinned_because)
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:_NAMED]
    return ", ".join(
        f"{path} ({size:,}{': ' + reasons[path] if path in reasons else ''})"
        for path, size in largest
    )


def _module(name: str) -> str:
    return name.rpartition(".")[0] or name
