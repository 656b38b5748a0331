"""Which units go: scope, scale, minimum_units, and the cut that reaches a target.

A selection is made by bisection on one number, the share of units kept, until the *counted*
size of the result is as large as possible without passing the target.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from mirtrim.pruning.criteria import UnitScores
from mirtrim.pruning.settings import UNUSED, assert_known
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError, RatioError

_NAMED = 3


def largest_holders(graph: UnitGraph, keep: np.ndarray) -> str:
    """The modules with the most parameters after a cut, in words, with reasons.

    Args:
        keep: Boolean mask over groups, (groups,).
    """
    sizes: dict[str, int] = {}
    for name in graph.unique_parameters:
        path = _module(name)
        sizes[path] = sizes.get(path, 0) + math.prod(graph.shape_after(name, keep))
    reasons = {path: "not reached by the example" for path in map(_module, graph.unreached)}
    for layer in graph.layers:
        if layer.pinned_because:
            for path in (layer.name, *map(_module, layer.weights)):
                reasons.setdefault(path, layer.pinned_because)
    for path in sizes:
        for module, why in graph.unlisted.items():
            # A parametrisation keeps its parameters in a module of its own.
            if path == module or path.startswith(f"{module}.parametrizations."):
                reasons.setdefault(path, why)
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:_NAMED]
    return ", ".join(
        f"{path} ({size:,}{': ' + reasons[path] if path in reasons else ''})"
        for path, size in largest
    )


def _module(name: str) -> str:
    return name.rpartition(".")[0] or name


FAR = 1.1  # times smaller than asked, from which a cut is filled up


def group_scores(
    graph: UnitGraph, scores: UnitScores, scale: str, weights: Mapping[str, Tensor] | None = None
) -> np.ndarray:
    """Mean score of the units of each group, (groups,); group 0 gets infinity.

    Args:
        scale: what makes layers comparable: "none"; "max", divide by the largest absolute
            score of the layer (the replicated code); "fan_in", divide by the number of
            incoming weights of a unit; "macs", scale "max", then divide the score of a group
            by the MACs that its removal saves.
        weights: tensors by name, needed for "fan_in".
    """
    assert_known("scale", scale)
    totals, counts = np.zeros(graph.group_count), np.zeros(graph.group_count)
    for layer in graph.layers:
        values = scores[layer.name].detach().double().cpu().numpy()
        if values.shape != layer.groups.shape or not np.isfinite(values).all():
            raise ConfigError(
                f"layer {layer.name}: a criterion must give {len(layer.groups)} finite scores; "
                "mend it, or weights that are not finite"
            )
        if scale in ("max", "macs"):
            values = values / max(float(np.abs(values).max()), np.finfo(float).tiny)
        elif scale == "fan_in":
            if weights is None:
                raise ValueError("scale 'fan_in' needs the weights")
            values = values / graph.unit_weights(layer, weights).shape[1]
        np.add.at(totals, layer.groups, values)
        np.add.at(counts, layer.groups, 1)
    result = totals / np.maximum(counts, 1)
    if scale == "macs":
        result = result / np.maximum(macs_of_groups(graph), 1)
    result[0] = np.inf
    return result


def macs_of_groups(graph: UnitGraph) -> np.ndarray:
    """MACs that go when one group alone is removed from the whole network, (groups,)."""
    keep = graph.all_kept()
    total = graph.macs(keep)
    saved = np.zeros(graph.group_count)
    for group in range(1, graph.group_count):
        keep[group] = False
        saved[group] = total - graph.macs(keep)
        keep[group] = True
    return saved


def blocks(graph: UnitGraph) -> list[np.ndarray]:
    """Removable groups, partitioned into sets of layers that share groups.

    Layers tied by a residual sum or a gate are ranked as one, because a cut in one is a cut
    in the other.
    """
    sets: list[set[int]] = []
    for layer in graph.layers:
        merged = set(layer.groups.tolist()) - {0}
        if not merged:
            continue
        apart = [s for s in sets if not s & merged]
        for other in sets:
            if other & merged:
                merged |= other
        sets = [*apart, merged]
    return [np.array(sorted(s)) for s in sets]


def choose_units(
    graph: UnitGraph,
    scores: np.ndarray,
    target: float,
    *,
    scope: str = "local",
    minimum_units: int = 2,
    size: Callable[[np.ndarray], float] | None = None,
) -> np.ndarray:
    """The groups to keep so that the network is as large as possible but not over `target`.

    Args:
        scores: of every group, from `group_scores`.
        target: upper limit of `size`.
        scope: "local" keeps the same share of every block; "global" ranks all groups at once.
        minimum_units: groups that every block keeps at least.
        size: counted size of a cut, by default its parameters.

    Returns:
        Boolean mask (groups,), entry 0 True.

    Raises:
        RatioError: even the smallest cut is over the target.
    """
    size = size or graph.parameters
    assert_known("scope", scope)
    ranked = ranked_blocks(graph, scores)
    sure = [block[:minimum_units] for block in ranked]
    rest = _local(ranked, minimum_units) if scope == "local" else _global(ranked, scores, sure)
    sure.append(last_of_tensors(graph, _mask(graph, sure), rest))

    def keep_of(step: int) -> np.ndarray:
        return _mask(graph, [*sure, rest[:step]])

    smallest = size(keep_of(0))
    if smallest > target:
        raise RatioError(
            f"cannot get below {smallest:.0f} (target: {target:.0f}) with a minimum of "
            f"{minimum_units} units per layer; largest ratio from here: "
            f"{size(graph.all_kept()) / smallest:.2f}; "
            f"most parameters are held by {largest_holders(graph, keep_of(0))}"
        )
    return keep_of(most_within(target, len(rest), lambda step: size(keep_of(step))))


def most_within(target: float, options: int, size: Callable[[int], float]) -> int:
    """The last of the steps 0 … `options` whose size, which rises, is at most `target`.

    Step 0 is taken to be.
    """
    return bisect_right(range(1, options + 1), target, key=size)


def ranked_blocks(graph: UnitGraph, scores: np.ndarray) -> list[np.ndarray]:
    """The groups of each block, highest score first."""
    return [block[np.argsort(-scores[block], kind="stable")] for block in blocks(graph)]


def filled(
    graph: UnitGraph,
    scores: np.ndarray,
    keep: np.ndarray,
    target: float,
    *,
    scope: str = "local",
    size: Callable[[np.ndarray], float] | None = None,
) -> np.ndarray:
    """A cut that is far below its target with the groups given back that still fit.

    Where one group is large, such as a head with its part of a residual stream, the next cut in
    order may be half as large as asked. They come back in the order in which they would have
    stayed; a block whose next group does not fit gets no more.

    Args:
        scores, target, scope, size: as for `choose_units`, which has made `keep`.
    """
    size = size or graph.parameters
    if size(keep) * FAR >= target:
        return keep
    waiting = [
        (-scores[group] if scope == "global" else (k + 0.5) / len(block), b, group)
        for b, block in enumerate(ranked_blocks(graph, scores))
        for k, group in enumerate(block)
        if not keep[group]
    ]
    closed: set[int] = set()
    keep = keep.copy()
    for _, b, group in sorted(waiting):
        if b not in closed:
            keep[group] = True
            if size(keep) > target:
                keep[group] = False
                closed.add(b)
    return keep


def smallest_cut(graph: UnitGraph, minimum_units: int) -> np.ndarray:
    """The cut that leaves every block at its minimum; which groups survive does not matter."""
    sets = blocks(graph)
    keep = _mask(graph, [block[:minimum_units] for block in sets])
    rest = np.concatenate([np.zeros(0, dtype=int), *(block[minimum_units:] for block in sets)])
    keep[last_of_tensors(graph, keep, rest)] = True
    return keep


def last_of_tensors(graph: UnitGraph, keep: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Groups without which a tensor would be left empty, as they come back in the order `rest`.

    A block keeps its minimum, but a part of it may be all that some tensor has: one layer makes
    both a residual stream and a skip connection, and only the latter is normalised.

    Args:
        keep: what stays anyway, (groups,).
    """
    place = np.zeros(graph.group_count, dtype=int)
    place[rest] = np.arange(len(rest)) + 1
    along = {id(groups): groups for slices in graph.slices.values() for groups in slices}
    empty = [one for one in along.values() if one is not None and not keep[one].any()]
    return np.array([one[place[one].argmin()] for one in empty], dtype=int)


def _mask(graph: UnitGraph, kept: list[np.ndarray]) -> np.ndarray:
    removable = np.zeros(graph.group_count, dtype=bool)
    removable[0] = True
    for groups in kept:
        removable[groups] = True
    return removable


def _local(ranked: list[np.ndarray], minimum_units: int) -> np.ndarray:
    """Groups above the minima, the most overdue first: so that all blocks keep the same share."""
    # (k - 1/2) / n is the share from which rounding gives a block of n groups its k-th unit.
    steps = sorted(
        ((k - 0.5) / len(block), b, block[k - 1])
        for b, block in enumerate(ranked)
        for k in range(min(minimum_units, len(block)) + 1, len(block) + 1)
    )
    return np.array([group for *_, group in steps], dtype=int)


def _global(ranked: list[np.ndarray], scores: np.ndarray, sure: list[np.ndarray]) -> np.ndarray:
    """Groups above the minima, best first over all blocks."""
    above = (block[len(kept) :] for block, kept in zip(ranked, sure, strict=True))
    rest = np.concatenate([np.zeros(0, dtype=int), *above])
    return rest[np.argsort(-scores[rest], kind="stable")]


def ordered(scores: Tensor | np.ndarray, order: str) -> Tensor | np.ndarray:
    """`scores` such that the lowest go first, whatever the order; so they do without one."""
    if order != UNUSED:
        assert_known("order", order)
    return -scores if order == "highest_first" else scores


def shuffled_units(graph: UnitGraph, keep: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """As many groups per block as `keep` has, drawn at random, (groups,)."""
    result = keep.copy()
    for block in blocks(graph):
        places = torch.randperm(len(block), generator=generator).numpy()
        result[block] = keep[block][places]
    return result


def shuffled_weights(
    alive: Mapping[str, Tensor], chosen: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """As many weights per tensor as `chosen` has, drawn at random among those `alive`."""
    result = {}
    for name, mask in alive.items():
        places = mask.flatten().nonzero()[:, 0]
        drawn = torch.randperm(len(places), generator=generator)[: int(chosen[name].sum())]
        flat = torch.zeros_like(mask.flatten())
        flat[places[drawn.to(places.device)]] = True
        result[name] = flat.reshape(mask.shape)
    return result
