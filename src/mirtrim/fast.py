"""Trimming for speed: widths that kernels like, and units ranked by what they cost in time."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.api import make_report
from mirtrim.cost.counting import as_arguments
from mirtrim.cost.latency import Call, onnx_call
from mirtrim.cost.onnx_export import export_onnx
from mirtrim.cost.runtime_graph import hasten
from mirtrim.cost.unit_latency import microseconds_per_unit
from mirtrim.errors import ConfigError
from mirtrim.pruning.criteria import Scoring, score_units
from mirtrim.pruning.cutting import cut
from mirtrim.pruning.gating import check_law
from mirtrim.pruning.graph import UnitGraph
from mirtrim.pruning.kernel_widths import choose_packs
from mirtrim.pruning.selection import group_scores
from mirtrim.pruning.tracing import discover


def trim_for_speed(
    model: nn.Module,
    example_inputs: Tensor | tuple[Any, ...],
    *,
    speed_up: float | None = None,
    ratio: float | None = None,
    multiple_of: int = 8,
    microseconds: Mapping[str, float] | None = None,
    criterion: str = "magnitude",
    scale: str = "max",
    floor: int = 2,
    protect: Sequence[str] = (),
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    seed: int = 0,
) -> nn.Module:
    """A smaller copy of `model` whose layers keep whole packs of units.

    Without `microseconds` every layer keeps about the same share of its units. With it, all
    units are ranked at once by score per microsecond, so that what is slow for its use goes
    first; the same table gives the same network, whatever the machine does meanwhile.

    Args:
        model: any module whose forward pass can be followed.
        example_inputs: what `model` is called with: a tensor, or a tuple of arguments.
        speed_up: how many times fewer multiply-accumulates are asked for; how much of that is
            reached is for a clock to say.
        ratio: how many times fewer parameters; give either this or `speed_up`.
        multiple_of: units that a kernel computes at once; see `mirtrim.pruning.kernel_widths`.
        microseconds: price of a unit of each layer, from `unit_microseconds`.
        criterion, scale, floor, protect, batches, loss, seed: as for `mirtrim.trim`.

    Returns:
        The trimmed module; its attribute `trim_report` is a `TrimReport`.

    Raises:
        TraceError: an operation cannot be followed; names it.
        RatioError: the target is out of reach; names the highest ratio.
        ConfigError: an unknown name, a price that is missing or not above 0, or a target that
            is missing, below 1 or given twice.
    """
    if (speed_up is None) == (ratio is None):
        raise ConfigError("trim_for_speed: give either a speed_up or a ratio")
    asked = speed_up if speed_up is not None else ratio
    if asked is None or not asked >= 1:
        raise ConfigError(f"trim_for_speed: {asked} times smaller; must be at least 1")
    graph = discover(model, example_inputs, protect)
    scoring = Scoring(
        network=model,
        graph=graph,
        generator=torch.Generator().manual_seed(seed),
        batches=batches,
        loss=loss,
    )
    scores = group_scores(graph, score_units(criterion, scoring), scale, scoring.tensors())
    if microseconds is not None:
        scores = scores / prices_of_groups(graph, microseconds)
        scores[0] = np.inf
    size = graph.macs if speed_up is not None else graph.parameters
    keep = choose_packs(
        graph,
        scores,
        size(graph.all_kept()) / asked,
        multiple_of=multiple_of,
        scope="local" if microseconds is None else "global",
        floor=floor,
        size=size,
    )
    small = cut(model, graph, keep)
    difference = check_law(model, small, graph, keep, example_inputs)
    object.__setattr__(small, "trim_report", make_report(graph, keep, difference))
    return small


def unit_microseconds(
    model: nn.Module,
    example_inputs: Tensor | tuple[Any, ...],
    *,
    share: float = 0.5,
    seconds: float = 0.5,
    protect: Sequence[str] = (),
) -> dict[str, float]:
    """What a unit of each layer costs in ONNX Runtime on this machine, one thread.

    Half of a layer's units are cut away and the network is timed with and without them, all
    networks in turn. Units that can only go together count as one, and what goes with a unit
    elsewhere is part of its price.

    Args:
        share: of each layer that is cut away.
        seconds: of timing per network.
        protect: names of modules that keep all their units.

    Returns:
        Microseconds by layer name, for every layer that has two units to lose.

    Raises:
        TraceError: an operation cannot be followed or exported.
    """
    graph = discover(model, example_inputs, protect)
    groups = {name: found for name, found in _groups_of_layers(graph).items() if len(found) >= 2}
    with tempfile.TemporaryDirectory() as folder:

        def timed(keep: np.ndarray) -> Call:
            network = cut(model, graph, keep)
            return fastest_onnx_call(network, example_inputs, Path(folder) / "network.onnx")

        def without(layer: str, count: int) -> Call:
            keep = graph.all_kept()
            keep[groups[layer][-count:]] = False
            return timed(keep)

        units = {name: len(found) for name, found in groups.items()}
        return microseconds_per_unit(
            units, without, timed(graph.all_kept()), share=share, seconds=seconds
        )


def fastest_onnx_call(
    model: nn.Module, example_inputs: Tensor | tuple[Any, ...], path: Path
) -> Call:
    """Export `model` to `path` in the form that ONNX Runtime computes fastest; a call of it."""
    export_onnx(model, example_inputs, path)
    hasten(path, path)
    return onnx_call(path, [value.numpy() for value in as_arguments(example_inputs)])


def prices_of_groups(graph: UnitGraph, microseconds: Mapping[str, float]) -> np.ndarray:
    """Microseconds of each group, (groups,): the mean over the layers that it is in.

    Raises:
        ConfigError: a layer is unknown, or one that can lose units has no price above 0.
    """
    layers = _groups_of_layers(graph)
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


def _groups_of_layers(graph: UnitGraph) -> dict[str, np.ndarray]:
    """The removable groups of each layer that has any."""
    found = {layer.name: np.unique(layer.groups[layer.groups > 0]) for layer in graph.layers}
    return {name: groups for name, groups in found.items() if len(groups)}
