"""Trimming anybody's network in one call."""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring
from mirtrim.pruning.pipeline import COUNTED, UnitCut, prune_units
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class LayerReport:
    """Units of one layer before and after; `kept_because` says why some could not go."""

    name: str
    kind: str
    units_before: int
    units_after: int
    kept_because: str


@dataclass(frozen=True)
class TrimReport:
    """What a trimming did.

    Attributes:
        parameters_before, parameters_after: entries of all parameters.
        macs_before, macs_after: multiply-accumulates for one example.
        equivalence_difference: largest difference between the trimmed network's output and that of
            the full network with the same units gated to zero, relative to max(1, |output|).
        kept: reasons for which units could not go (module, operation), and how many for each.
        unreached: parameters that took no part when the network ran on the example; they are
            kept whole, so the others pay for them.
        notes: what else a reader should know about how the network was followed.
    """

    layers: tuple[LayerReport, ...]
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    equivalence_difference: float
    kept: Mapping[str, int] = field(default_factory=dict)
    unreached: tuple[str, ...] = ()
    unreached_parameters: int = 0
    notes: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Compression ratio reached."""
        return self.parameters_before / self.parameters_after

    @property
    def speed_up(self) -> float:
        """Theoretical speed-up: MACs before / MACs after. A latency is another matter."""
        return self.macs_before / max(self.macs_after, 1)

    def to_pandas(self) -> "pandas.DataFrame":
        """One row a layer: layer, kind, units_before, units_after, kept_because.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ConfigError("to_pandas needs pandas; install it: pip install pandas") from error
        names = [entry.name for entry in fields(LayerReport)]
        rows = [tuple(getattr(layer, name) for name in names) for layer in self.layers]
        return pandas.DataFrame(rows, columns=["layer", *names[1:]])

    def plot(self, axes: Any = None) -> Any:
        """Units of each layer before and after, as bars.

        Args:
            axes: of matplotlib, to draw on; None makes new ones.

        Returns:
            The axes; `axes.figure.savefig("units.svg")` saves the picture.

        Raises:
            ConfigError: matplotlib is not installed.
        """
        from mirtrim.pictures import draw_units

        return draw_units(self, axes)

    def since(self, first: "TrimReport") -> "TrimReport":
        """The same result, told beside the network that `first` was about before its cut."""
        units = {layer.name: layer.units_before for layer in first.layers}
        return replace(
            self,
            layers=tuple(
                replace(layer, units_before=units.get(layer.name, layer.units_before))
                for layer in self.layers
            ),
            parameters_before=first.parameters_before,
            macs_before=first.macs_before,
        )

    def __str__(self) -> str:
        width = max([len(layer.name) for layer in self.layers] + [5])
        lines = [f"{'layer':{width}}  {'kind':9}  units"]
        for layer in self.layers:
            why = f"  (kept: {layer.kept_because})" if layer.kept_because else ""
            units = f"{layer.units_before} → {layer.units_after}"
            lines.append(f"{layer.name:{width}}  {layer.kind:9}  {units}{why}")
        lines += [
            f"parameters {self.parameters_before:,} → {self.parameters_after:,} "
            f"(ratio {self.ratio:.2f})",
            f"MACs {self.macs_before:,} → {self.macs_after:,} "
            f"(theoretical speed-up {self.speed_up:.2f})",
            f"largest difference to the gated network: {self.equivalence_difference:.1e}",
        ]
        lines += [f"kept {units:,} units: {why}" for why, units in self.kept.items()]
        if self.unreached:
            share = self.unreached_parameters / self.parameters_before
            lines.append(
                f"not reached by the example, so kept whole: {_modules(self.unreached)} "
                f"({self.unreached_parameters:,} parameters, {share:.0%}; the others pay for them)"
            )
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def _modules(names: Sequence[str]) -> str:
    """Modules of parameters, each once; bare parameters by name."""
    return ", ".join(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


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
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    seed: int = 0,
) -> nn.Module:
    """A smaller copy of `model` with its least important units physically removed.

    The copy keeps the trained weights of the surviving units; train it further, or load
    rewound weights with `mirtrim.units.cutting.cut_tensors`. `model` is left untouched.

    Args:
        model: any module whose forward pass can be followed (see docs/trimming.md).
        example_inputs: what `model` is called with: a tensor, a tuple of arguments, or a dict
            of keyword arguments.
        ratio: how many times fewer parameters (or MACs) are asked for; the smallest cut that
            reaches it is made.
        criterion: name of a registered criterion.
        scope: "local" keeps the same share of every layer, "global" ranks all units at once.
        scale: what makes scores of different layers comparable: none, max, fan_in, macs.
        budget: what `ratio` counts, "parameters" or "macs".
        minimum_units: units that every layer keeps at least.
        protect: names of modules that keep all their units.
        strict: refuse what cannot be followed, instead of keeping the units that enter it.
        batches: makes an iterator over (inputs, targets), for criteria that look at data.
        loss: mean loss of (outputs, targets), for criteria that look at gradients.
        seed: decides everything random.

    Returns:
        The trimmed module; its attribute `trim_report` is a `TrimReport`.

    Raises:
        TraceError: the network cannot be cut, or (strict) an operation cannot be followed;
            names it.
        RatioError: the ratio is out of reach; names the highest one.
        ConfigError: an unknown criterion, scope, scale or count.
    """
    if budget not in COUNTED:
        raise ConfigError(f"unknown budget {budget!r}; known: {', '.join(COUNTED)}")
    if isinstance(ratio, bool) or not isinstance(ratio, int | float):
        raise ConfigError(f"ratio {ratio!r}: must be a number, for instance 4")
    if not ratio >= 1:
        raise ConfigError(f"ratio {ratio}: must be at least 1")
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
    )
    return with_report(found)


def scoring_of(
    model: nn.Module,
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]] | None,
    loss: Callable[[Tensor, Tensor], Tensor] | None,
    seed: int,
) -> Callable[[UnitGraph], Scoring]:
    """What a criterion gets to see of a user's network, as `prune_units` wants it."""
    generator = torch.Generator().manual_seed(seed)
    return lambda graph: Scoring(model, graph, generator, batches, loss)


def with_report(found: UnitCut) -> nn.Module:
    """The trimmed network with its report as the attribute `trim_report`."""
    report = make_report(found.graph, found.keep, found.difference)
    if report.unreached:
        warnings.warn(
            f"the example does not reach {_modules(report.unreached)}: kept whole, and inputs that "
            "do reach it may not fit the rest any more; give an example that does, or protect what "
            "feeds it",
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
