"""Widths that kernels like: units go and stay in packs.

A vector kernel computes 4, 8 or 16 units at once and pays for those that are not there. So every
block of layers keeps a multiple of a pack; below one pack halves of it, since registers come in
halves as well.

Measured in ONNX Runtime with AVX-512: a convolution over two dimensions costs the same for 1 to
16 outputs, and again for 17 to 32 (its block; with AVX2 it has 8); a recurrent layer has small
steps at multiples of 4 and larger ones at 16; a convolution over time and a linear layer take
any width alike.

The full width and the minimum are always allowed, whatever they are: a layer never
grows, and the smallest network is that of plain trimming.
"""

import itertools
from collections.abc import Callable

import numpy as np

from mirtrim.pruning.selection import last_of_tensors, most_within, ranked_blocks
from mirtrim.pruning.settings import assert_known
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError, RatioError


def allowed_widths(width: int, multiple_of: int, minimum_units: int) -> list[int]:
    """Unit counts that a layer of `width` units may have, ascending.

    allowed_widths(20, 8, 2) is [2, 4, 8, 16, 20].

    Raises:
        ConfigError: a number is below 1.
    """
    if min(width, multiple_of, minimum_units) < 1:
        raise ConfigError(
            f"widths: width, multiple_of and minimum_units must be at least 1, got {width}, "
            f"{multiple_of}, {minimum_units}"
        )
    least = min(minimum_units, width)
    found = {least, width, *range(multiple_of, width, multiple_of)}
    half = multiple_of
    while half % 2 == 0:
        half //= 2
        found.add(half)
    return sorted(count for count in found if least <= count <= width)


def choose_packs(
    graph: UnitGraph,
    scores: np.ndarray,
    target: float,
    *,
    multiple_of: int = 8,
    scope: str = "local",
    minimum_units: int = 2,
    size: Callable[[np.ndarray], float] | None = None,
) -> np.ndarray:
    """The groups to keep, like `selection.choose_units`, but in whole packs of each block.

    Layers of one block share their number of units unless they are tied in part only. What
    whole steps leave of the target is filled with at most one more pack per block.

    Args:
        scores: of every group, from `group_scores`.
        target: upper limit of `size`.
        multiple_of: units in a pack; 1 allows every width.
        scope: "local" keeps as near as possible the same share of every block; "global" ranks
            packs of all blocks by the mean score of their groups.
        minimum_units: groups that every block keeps at least.
        size: counted size of a cut, by default its parameters.

    Returns:
        Boolean mask (groups,), entry 0 True.

    Raises:
        RatioError: even the smallest cut is over the target.
    """
    assert_known("scope", scope)
    size = size or graph.parameters
    ranked = ranked_blocks(graph, scores)
    widths = [allowed_widths(len(block), multiple_of, minimum_units) for block in ranked]
    keep = np.zeros(graph.group_count, dtype=bool)
    keep[0] = True
    for block, allowed in zip(ranked, widths, strict=True):
        keep[block[: allowed[0]]] = True
    every = np.concatenate([np.zeros(0, dtype=int), *ranked])
    keep[last_of_tensors(graph, keep, every)] = True
    smallest = size(keep)
    if smallest > target:
        raise RatioError(
            f"cannot get below {smallest:.0f} (target: {target:.0f}) with a minimum of "
            f"{minimum_units} units per layer; largest ratio from here: "
            f"{size(graph.all_kept()) / smallest:.2f}"
        )
    packs = [
        (_urgency(scope, scores[block], start, stop), index, block[start:stop])
        for index, (block, allowed) in enumerate(zip(ranked, widths, strict=True))
        for start, stop in itertools.pairwise(allowed)
    ]
    packs.sort(key=lambda pack: pack[0])  # stable: within a block from the best to the worst
    taken = _as_many_as_fit(keep, [groups for _, _, groups in packs], target, size)
    closed = set()
    for _, index, groups in packs[taken:]:
        if index not in closed:
            closed.add(index)
            keep[groups] = True
            if size(keep) > target:
                keep[groups] = False
    return keep


def _urgency(scope: str, scores: np.ndarray, start: int, stop: int) -> float:
    """The lower, the earlier the pack is kept."""
    if scope == "global":
        return -float(scores[start:stop].mean())
    # The share of the block from which on rounding to the nearest allowed width takes it in.
    return (start + stop) / 2 / len(scores)


def _as_many_as_fit(
    keep: np.ndarray, packs: list[np.ndarray], target: float, size: Callable[[np.ndarray], float]
) -> int:
    """Add the first packs to `keep`, in place, as many as stay within the target."""

    def with_first(count: int) -> np.ndarray:
        result = keep.copy()
        for groups in packs[:count]:
            result[groups] = True
        return result

    most = most_within(target, len(packs), lambda count: size(with_first(count)))
    keep |= with_first(most)
    return most
