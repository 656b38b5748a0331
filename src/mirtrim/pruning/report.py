"""What a trimming did: in numbers, as a table, as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from mirtrim.units.cutting import cut_optimizer, cut_tensors
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError

if TYPE_CHECKING:
    import pandas

ROW_INCHES = 0.28  # height of a layer
BEFORE, AFTER = "#d0d4da", "#2f6f9f"


def modules_of(names: Sequence[str]) -> str:
    """Modules of parameters, each once; bare parameters by name."""
    return ", ".join(dict.fromkeys(name.rpartition(".")[0] or name for name in names))


@dataclass(frozen=True)
class LayerReport:
    """Units of one layer before and after; `kept_because` says why some could not go."""

    name: str
    kind: str
    units_before: int
    units_after: int
    kept_because: str


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The units of a network, and those that were kept. In slots, not to be taken for sizes."""

    graph: UnitGraph
    keep: np.ndarray


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
        cut: which units are left, of `mirtrim.trim` only; for `cut_tensors`, `cut_optimizer`.
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
    cut: "Cut | None" = field(default=None, repr=False, compare=False)

    def cut_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What is left of tensors by name: rewound weights, gradients, an average of weights.

        Args:
            tensors: named and shaped as in the state of the network before it was trimmed.

        Raises:
            ConfigError: the report is not that of `mirtrim.trim`.
            TraceError: a name or a shape does not belong to that network.
        """
        cut = self._the_cut()
        return cut_tensors(tensors, cut.graph, cut.keep)

    def cut_optimizer(
        self, optimizer: Optimizer, model: nn.Module, trimmed: nn.Module
    ) -> Optimizer:
        """A new optimiser of the same class for `trimmed`, with what it remembers cut alike.

        Args:
            optimizer: of `model`. Parameters from elsewhere stay as they are.
            model: the network that was trimmed.
            trimmed: what `mirtrim.trim` made of it.

        Raises:
            ConfigError: the report is not that of `mirtrim.trim`.
            TraceError: the optimiser has no parameter of `model`, or state that cannot be cut.
        """
        cut = self._the_cut()
        return cut_optimizer(optimizer, model, trimmed, cut.graph, cut.keep)

    def _the_cut(self) -> "Cut":
        if self.cut is None:
            raise ConfigError("this report does not know its cut; take that of mirtrim.trim")
        return self.cut

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
                f"not reached by the example, so kept whole: {modules_of(self.unreached)} "
                f"({self.unreached_parameters:,} parameters, {share:.0%}; the others pay for them)"
            )
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join(lines)


def draw_units(report: TrimReport, axes: Any = None) -> Any:
    """Bars of the units of each layer, before (pale) and after; see `TrimReport.plot`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("plot needs matplotlib; install it: pip install matplotlib") from error
    layers = report.layers
    if axes is None:
        # Not through pyplot, which opens windows and keeps what it has made.
        figure = Figure(figsize=(6.4, 1.1 + ROW_INCHES * len(layers)), layout="constrained")
        axes = figure.add_subplot()
    places = range(len(layers))
    before = [layer.units_before for layer in layers]
    after = [layer.units_after for layer in layers]
    axes.barh(places, before, color=BEFORE, label="before")
    axes.barh(places, after, color=AFTER, height=0.5, label="after")
    axes.set_yticks(places, [layer.name for layer in layers])
    axes.invert_yaxis()  # the first layer on top
    axes.set_xlabel("units")
    axes.set_title(
        f"{report.parameters_before:,} → {report.parameters_after:,} parameters "
        f"({report.ratio:.2f}×), MACs ÷ {report.speed_up:.2f}"
    )
    axes.legend(loc="lower right")
    return axes
