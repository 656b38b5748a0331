"""Trimming for speed: widths for which kernels are fast, and units ranked by their time cost."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from mirtrim.counting.operations import as_arguments
from mirtrim.deploy.latency import Call, interleaved, onnx_call
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.runtime_graph import optimise
from mirtrim.pruning.api import check_arguments, scoring_of, with_report
from mirtrim.pruning.pipeline import groups_of_layers, prune_units
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError

DENSE = ""
# A cost of zero would rank a unit infinitely high; noise can even make it negative.
LEAST_SHARE = 0.01


def microseconds_per_unit(
    units: Mapping[str, int],
    without: Callable[[str, int], Call],
    dense: Call,
    *,
    share: float = 0.5,
    seconds: float = 1.0,
    **timing: Any,
) -> dict[str, float]:
    """How much faster the network becomes per unit that a layer loses.

    All networks are timed in turn, so drift cancels. Kernels work in steps, so half of a layer is
    removed rather than one unit, and the cost is the mean over that half.

    Args:
        units: removable units of each layer, by its name.
        without: makes the call that runs the network with that many units of that layer gone.
        dense: runs the whole network.
        share: of each layer that is cut away to find its price.
        seconds: per network.
        timing: passed on to `interleaved`.

    Returns:
        Microseconds per unit, by layer; at least a hundredth of the most expensive layer's.

    Raises:
        ConfigError: the share is not between 0 and 1, a layer has fewer than two units, or no
            cut makes the network quicker.
    """
    if not 0 < share < 1:
        raise ConfigError(f"share {share}: must be between 0 and 1")
    if DENSE in units or any(count < 2 for count in units.values()):
        raise ConfigError("units: only named layers of two units or more have a price")
    gone = {name: min(count - 1, max(1, round(count * share))) for name, count in units.items()}
    calls = {DENSE: dense, **{name: without(name, count) for name, count in gone.items()}}
    measured = interleaved(calls, seconds=seconds, **timing)
    # Disturbances only add time, so a low percentile is close to the kernels' own time.
    whole = measured[DENSE].p5_ms
    prices = {name: (whole - measured[name].p5_ms) * 1e3 / count for name, count in gone.items()}
    dearest = max(prices.values(), default=0.0)
    if dearest <= 0:
        raise ConfigError("no layer's units cost any measurable time; nothing can be gained")
    return {name: max(price, LEAST_SHARE * dearest) for name, price in prices.items()}


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
    minimum_units: int = 2,
    protect: Sequence[str] = (),
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    seed: int = 0,
) -> nn.Module:
    """A smaller copy of `model` whose layers keep whole packs of units.

    Without `microseconds` every layer keeps about the same share of its units. With it, all units
    are ranked globally by score per microsecond, so that units that are slow for their importance
    go first; the same table always gives the same network.

    Args:
        model: any module whose forward pass can be followed.
        example_inputs: arguments of `model`: a tensor, or a tuple of arguments.
        speed_up: factor by which multiply-accumulates are reduced; the speed-up in time has to be
            measured.
        ratio: how many times fewer parameters; give either this or `speed_up`.
        multiple_of: units that a kernel computes at once; see `mirtrim.pruning.kernel_widths`.
            Below 32 units few multiples of eight are left, so the cut may be twice as deep as
            asked; four suits narrow recurrent layers, whose time has steps of four.
        microseconds: price of a unit of each layer, from `unit_microseconds`.
        criterion, scale, minimum_units, protect, batches, loss, seed: as for `mirtrim.trim`.

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
    check_arguments(protect, batches, loss)
    found = prune_units(
        model,
        example_inputs,
        PruningSettings(
            "trim_fast",
            criterion=criterion,
            scope="local" if microseconds is None else "global",
            scale=scale,
            budget="macs" if speed_up is not None else "parameters",
            minimum_units=minimum_units,
        ),
        ratio=asked,
        scoring=scoring_of(model, batches, loss, seed),
        protect=protect,
        multiple_of=multiple_of,
        microseconds=microseconds,
    )
    return with_report(found)


def unit_microseconds(
    model: nn.Module,
    example_inputs: Tensor | tuple[Any, ...],
    *,
    share: float = 0.5,
    seconds: float = 0.5,
    protect: Sequence[str] = (),
) -> dict[str, float]:
    """What a unit of each layer costs in ONNX Runtime on this machine, one thread.

    Half of a layer's units are removed and the network is timed with and without them, all networks
    in turn. Units that can only be removed together count as one, and what is removed elsewhere
    with a unit is part of its cost.

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
    groups = {name: found for name, found in groups_of_layers(graph).items() if len(found) >= 2}
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
    optimise(path, path)
    return onnx_call(path, [value.numpy() for value in as_arguments(example_inputs)])
