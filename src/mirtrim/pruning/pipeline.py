"""From a network to a smaller one: discover, score, select, cut, check.

There is one such pipeline. `mirtrim.trim`, trimming for speed and every method that removes units
go through it, whole (`prune_units`) or, where they choose units long before they remove them, by
its steps.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring, score_units
from mirtrim.pruning.kernel_widths import choose_packs
from mirtrim.pruning.selection import choose_units, filled, group_scores, ordered, shuffled_units
from mirtrim.pruning.settings import PruningSettings, assert_known
from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError, RatioError, TraceError


@dataclass(frozen=True)
class UnitCut:
    """What the pipeline made.

    Attributes:
        network: the trimmed network; shares nothing with the one that it was cut from.
        graph: the unit graph of the network before.
        keep: which groups of units stayed, (groups,), Boolean.
        difference: how far the trimmed network is from the full one with the removed units gated
            to zero; see `pruning.checking.check_equivalence`.
    """

    network: nn.Module
    graph: UnitGraph
    keep: np.ndarray
    difference: float


def prune_units(
    network: nn.Module,
    example_inputs: Tensor | tuple[Any, ...] | dict[str, Any],
    settings: PruningSettings,
    *,
    ratio: float,
    scoring: Callable[[UnitGraph], Scoring],
    dense_size: float | None = None,
    check_inputs: Callable[[], Any] | None = None,
    protect: Sequence[str] = (),
    strict: bool = False,
    multiple_of: int | None = None,
    microseconds: Mapping[str, float] | None = None,
    fill: bool = False,
) -> UnitCut:
    """Remove the units of `network` that score lowest until its counted size is small enough.

    Args:
        example_inputs: what `network` is called with, for tracing.
        settings: criterion, scope, scale, order, what is counted, minimum of units.
        ratio: how many times smaller than `dense_size` the network becomes, at least.
        scoring: what the criterion gets to see, given the unit graph; its generator also draws
            the units of order "shuffled".
        dense_size: counted size that the ratio refers to; None for that of `network`.
        check_inputs: makes the inputs on which the cut is checked; None for `example_inputs`.
        protect: names of modules that keep all their units.
        strict: refuse a network with an operation that cannot be followed, instead of keeping the
            units that enter it.
        multiple_of: units that go and stay together, see `pruning.kernel_widths`; None for any
            number.
        microseconds: price of a unit of each layer; scores are divided by it.
        fill: give units back where the cut is far smaller than asked, see `selection.filled`.

    Raises:
        TraceError: an operation cannot be followed, or the cut is not what it should be.
        RatioError: the ratio is out of reach; names the highest one.
        ConfigError: an unknown criterion, scope, scale or count, or wrong prices.
    """
    graph = discover(network, example_inputs, protect, strict=strict)
    size = size_of(graph, settings)
    if not size(graph.all_kept()):
        raise RatioError(f"{type(network).__name__} has no {settings.budget}: nothing to trim")
    context = scoring(graph)
    scores = rank_units(context, settings, microseconds)
    target = (size(graph.all_kept()) if dense_size is None else dense_size) / ratio
    keep = select_units(context, scores, settings, target, multiple_of)
    if fill:
        keep = filled(graph, scores, keep, target, scope=settings.scope, size=size)
    inputs = example_inputs if check_inputs is None else check_inputs()
    return remove_units(network, graph, keep, inputs)


def size_of(graph: UnitGraph, settings: PruningSettings) -> Callable[[np.ndarray], int]:
    """The counted size of a cut, in what the settings count."""
    assert_known("budget", settings.budget)
    return graph.parameters if settings.budget == "parameters" else graph.macs


def rank_units(
    context: Scoring,
    settings: PruningSettings,
    microseconds: Mapping[str, float] | None = None,
) -> np.ndarray:
    """Score of every group of units, (groups,); the lowest go first, group 0 never."""
    graph = context.graph
    scores = group_scores(
        graph, score_units(settings.criterion, context), settings.scale, context.tensors()
    )
    scores = np.asarray(ordered(scores, settings.order))
    if microseconds is not None:
        scores = scores / prices_of_groups(graph, microseconds)
    scores[0] = np.inf
    return scores


def select_units(
    context: Scoring,
    scores: np.ndarray,
    settings: PruningSettings,
    target: float,
    multiple_of: int | None = None,
) -> np.ndarray:
    """The groups that stay, (groups,), so that the counted size is at most `target`.

    Raises:
        RatioError: even the smallest cut is larger.
    """
    graph = context.graph
    words: dict[str, Any] = {
        "scope": settings.scope,
        "minimum_units": settings.minimum_units,
        "size": size_of(graph, settings),
    }
    if multiple_of is None:
        keep = choose_units(graph, scores, target, **words)
    else:
        keep = choose_packs(graph, scores, target, multiple_of=multiple_of, **words)
    if settings.order == "shuffled":
        keep = shuffled_units(graph, keep, context.generator)
    return keep


def remove_units(network: nn.Module, graph: UnitGraph, keep: np.ndarray, inputs: Any) -> UnitCut:
    """Cut the groups that do not stay, and check the result on `inputs`.

    Raises:
        TraceError: the trimmed network differs from the gated one, or has other than the promised
            number of parameters.
    """
    trimmed = cut(network, graph, keep)
    difference = check_equivalence(network, trimmed, graph, keep, inputs)
    # What is no layer, such as a frozen front end, is not counted.
    counted = set(graph.unique_parameters)
    found = sum(p.numel() for name, p in trimmed.named_parameters() if name in counted)
    promised = graph.parameters(keep)
    if found != promised:
        raise TraceError(f"the cut left {found} parameters, {promised} were promised")
    return UnitCut(trimmed, graph, keep, difference)


def prices_of_groups(graph: UnitGraph, microseconds: Mapping[str, float]) -> np.ndarray:
    """Microseconds of each group, (groups,): the mean over the layers that it is in.

    Raises:
        ConfigError: a layer is unknown, or one that can lose units has no price above 0.
    """
    layers = groups_of_layers(graph)
    unknown = sorted(microseconds.keys() - {layer.name for layer in graph.layers})
    priceless = layers.keys() - microseconds.keys()
    missing = sorted(name for name in priceless if len(layers[name]) > 1)
    wrong = [name for name, price in microseconds.items() if not 0 < price < float("inf")]
    for names, what in (
        (unknown, "the network has no such layer"),
        (missing, "the layer has no price"),
        (wrong, "a price must be above 0 and finite"),
    ):
        if names:
            raise ConfigError(f"microseconds: {', '.join(names)}: {what}")
    totals, counts = np.zeros(graph.group_count), np.zeros(graph.group_count)
    for name, found in layers.items():
        if name in microseconds:
            totals[found] += microseconds[name]
            counts[found] += 1
    # What is in no priced layer cannot be cut by itself.
    return np.where(counts > 0, totals / np.maximum(counts, 1), 1.0)


def groups_of_layers(graph: UnitGraph) -> dict[str, np.ndarray]:
    """The removable groups of each layer that has any."""
    found = {layer.name: np.unique(layer.groups[layer.groups > 0]) for layer in graph.layers}
    return {name: groups for name, groups in found.items() if len(groups)}
