"""Trimming anybody's network in one call."""

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring
from mirtrim.pruning.pipeline import UnitCut, prune_units
from mirtrim.pruning.report import Cut, LayerReport, TrimReport, modules_of
from mirtrim.pruning.settings import PruningSettings, assert_known
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.tensors import tensor_with_nan


def trim(
    model: nn.Module,
    example_inputs: Tensor | tuple[Any, ...] | dict[str, Any],
    ratio: float,
    criterion: str = "magnitude",
    *,
    scope: str = "local",
    scale: str = "max",
    budget: str = "parameters",
    minimum_units: int = 2,
    protect: Sequence[str] = (),
    strict: bool = False,
    batches: Callable[[], Iterable[tuple[Any, Any]]] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    seed: int = 0,
) -> nn.Module:
    """A smaller copy of `model` with its least important units physically removed.

    The copy keeps the trained weights of the surviving units; train it further, or load rewound
    weights cut by `trim_report.cut_tensors`. `model` is left untouched.

    Args:
        model: any module whose forward pass can be followed (see docs/trimming.md).
        example_inputs: what `model` is called with: a tensor, a tuple of arguments, or a dict
            of keyword arguments.
        ratio: how many times fewer parameters (or MACs) are asked for; units go in the order of
            their scores until it is reached. Where large groups overshoot, such as heads of
            attention, units of other layers that still fit come back.
        criterion: name of a registered criterion.
        scope: "local" keeps the same share of every layer, "global" ranks all units at once.
        scale: what makes scores of different layers comparable: none, max, fan_in, macs.
        budget: what `ratio` counts, "parameters" or "macs".
        minimum_units: units that every layer keeps at least.
        protect: names of modules that keep all their units.
        strict: refuse what cannot be followed, instead of keeping the units that enter it.
        batches: a function that returns an iterable of (inputs, targets), for criteria that look
            at data. Several inputs are a tuple, or a dict of keyword arguments.
        loss: mean loss of (outputs, targets), for criteria that look at gradients.
        seed: decides everything random.

    Returns:
        The trimmed module; its attribute `trim_report` is a `TrimReport`.

    Raises:
        TraceError: the network cannot be cut, or (strict) an operation cannot be followed;
            names it.
        RatioError: the ratio is out of reach; names the highest one.
        ConfigError: an unknown criterion, scope, scale or count, fewer minimum units than one, or
            weights that are not numbers.
    """
    assert_known("budget", budget)
    if isinstance(ratio, bool) or not isinstance(ratio, int | float):
        raise ConfigError(f"ratio {ratio!r}: must be a number, for instance 4")
    if not ratio >= 1:
        raise ConfigError(f"ratio {ratio}: must be at least 1")
    if not isinstance(minimum_units, Integral) or minimum_units < 1:
        raise ConfigError(f"minimum_units {minimum_units!r}: must be a whole number, at least 1")
    check_arguments(protect, batches, loss)
    if isinstance(model, nn.Module) and (name := tensor_with_nan(model)):
        raise ConfigError(f"tensor {name!r} holds NaN; train the network again, or load others")
    found = prune_units(
        model,
        example_inputs,
        PruningSettings(
            "trim",
            criterion=criterion,
            scope=scope,
            scale=scale,
            budget=budget,
            minimum_units=minimum_units,
        ),
        ratio=ratio,
        scoring=scoring_of(model, batches, loss, seed),
        protect=protect,
        strict=strict,
        fill=True,
    )
    return with_report(found)


def check_arguments(protect: Sequence[str], batches: object, loss: object) -> None:
    """Refuse what looks right and is not.

    Raises:
        ConfigError: one name in the place of a list, or data in the place of a function.
    """
    if isinstance(protect, str):
        raise ConfigError(f"protect: {protect!r} is one name; give a list, [{protect!r}]")
    for name, value in (("batches", batches), ("loss", loss)):
        if value is not None and not callable(value):
            raise ConfigError(
                f"{name}: {type(value).__name__} is no function; give one, such as "
                + ("lambda: loader" if name == "batches" else "torch.nn.functional.mse_loss")
            )


def scoring_of(
    model: nn.Module,
    batches: Callable[[], Iterable[tuple[Any, Any]]] | None,
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    seed: int,
) -> Callable[[UnitGraph], Scoring]:
    """What a criterion gets to see of a user's network, as `prune_units` wants it."""
    generator = torch.Generator().manual_seed(seed)
    return lambda graph: Scoring(model, graph, generator, batches, loss)


def with_report(found: UnitCut) -> nn.Module:
    """The trimmed network with its report as the attribute `trim_report`."""
    report = make_report(found.graph, found.keep, found.difference)
    report = replace(report, cut=Cut(found.graph, found.keep))
    if report.unreached:
        warnings.warn(
            f"the example does not reach {modules_of(report.unreached)}: kept whole, and inputs "
            "that do reach it may not fit the rest any more; give an example that does, or "
            "protect what feeds it",
            stacklevel=3,
        )
    object.__setattr__(found.network, "trim_report", report)
    return found.network


def make_report(graph: UnitGraph, keep: Any, equivalence_difference: float) -> TrimReport:
    """The report of a cut.

    Args:
        keep: Boolean mask over groups, (groups,).
    """
    everything = graph.all_kept()
    return TrimReport(
        layers=tuple(
            LayerReport(
                layer.name,
                layer.kind,
                len(layer.groups),
                int(keep[layer.groups].sum()),
                layer.pinned_because,
            )
            for layer in graph.layers
        ),
        parameters_before=graph.parameters(everything),
        parameters_after=graph.parameters(keep),
        macs_before=graph.macs(everything),
        macs_after=graph.macs(keep),
        equivalence_difference=equivalence_difference,
        kept=graph.kept,
        unreached=graph.unreached,
        unreached_parameters=sum(math.prod(graph.shapes[name]) for name in graph.unreached),
        notes=graph.notes,
    )
