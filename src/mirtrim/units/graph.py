"""The unit graph: which units a network has, which live together, and what goes with them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import Site
from mirtrim.utils.errors import TraceError

Slices = tuple[np.ndarray | None, ...]


@dataclass(frozen=True)
class UnitLayer:
    """One layer that makes units.

    Attributes:
        name: module path; the name of the weight where a module uses several by hand.
        kind: "conv", "linear", "recurrent" or "embedding".
        groups: int64 (units,), the group of each unit; 0 = immortal.
        weights: names of the tensors whose rows are this layer's units, recurrent matrices
            included, biases not.
        pinned_because: why (some) units can never be removed, "" if all can.
    """

    name: str
    kind: str
    groups: np.ndarray
    weights: tuple[str, ...]
    pinned_because: str = ""


@dataclass(frozen=True)
class RowLayout:
    """How the units of a layer lie in one of its weight tensors.

    Attributes:
        dim: the dimension of the units.
        gates: how often the units are repeated along it (3 for a GRU, 4 for an LSTM).
        parts: for grouped transposed convolutions, how many equal parts of dimension 0 the
            units of one part each belong to.
        gain: name of the magnitudes of these weights, "" if they are not normalised.
        start, stop: which positions along `dim` are the units', where others lie there too.
    """

    dim: int = 0
    gates: int = 1
    parts: int = 1
    gain: str = ""
    start: int = 0
    stop: int | None = None

    def by_unit(self, weight: Tensor) -> Tensor:
        """The weights of each unit, (units, fan_in)."""
        if self.stop is not None:
            weight = weight.narrow(self.dim, self.start, self.stop - self.start)
        if self.parts > 1:
            rows = weight.reshape(self.parts, -1, *weight.shape[1:]).transpose(1, 2)
            return rows.reshape(self.parts * weight.shape[1], -1)
        rows = weight.movedim(self.dim, 0)
        rows = rows.reshape(self.gates, -1, *rows.shape[1:]).transpose(0, 1)
        return rows.reshape(rows.shape[0], -1)


@dataclass(frozen=True)
class MacTerm:
    """Multiply-accumulates of one operation: `constant` × Π living positions of `factors`."""

    constant: int
    factors: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Width:
    """An integer attribute of a module that counts units.

    Attributes:
        module: path of the module.
        attribute: for instance "out_channels".
        index: position in a tuple attribute such as "normalized_shape", None for an int.
        groups: group of each unit counted.
    """

    module: str
    attribute: str
    index: int | None
    groups: np.ndarray


@dataclass(frozen=True)
class NormCall:
    """One call of a normalisation over units, in execution order.

    Attributes:
        kind: "layer_norm", "rms_norm" or "group_norm".
        axis: dimension of its input along which units lie, None if there are none.
        groups: group of each position along `axis`.
        module: path of the innermost module whose code made the call.
        site: where in its code; see `gated_calls.calling`.
    """

    kind: str
    axis: int | None
    groups: np.ndarray
    module: str
    site: Site = ()

    def agrees(self, other: "NormCall") -> bool:
        """Whether both do the same to the same units, or have nothing to do with any."""
        if self.axis is None or other.axis is None:
            return self.axis is other.axis
        same = (self.kind, self.axis) == (other.kind, other.axis)
        return same and np.array_equal(self.groups, other.groups)


@dataclass(eq=False)
class UnitGraph:
    """Units, groups and every tensor slice of one network; made by `finding.discover`.

    Attributes:
        slices: group of each position along each dimension of a tensor, by name (None: no unit
            that can be removed lies there).
        unique_parameters: names of the parameters that count, tied ones once.
        mac_terms, batch: what the network computes for this many examples.
        layouts: how units lie in a tensor, by names of layer and tensor.
        normalisations: module whose per-unit gain directly follows a layer's output, by layer.
        norm_calls, training_norm_calls: normalisations in the order in which they run, in eval
            and in training mode.
        kept: reasons for which units can never be removed, and how many units for each.
        unreached: names of parameters that took no part when the network ran; they are kept.
        unlisted: paths of modules all of whose units stay without being in `layers`, and why.
        notes: what else a reader should know about how the network was followed.
        weight_norms: names of magnitude and direction of normalised weights, and the dimension
            that the norm is not taken over (None: over all).
        draws: for each call that draws random numbers, the dimension of units in its result and
            the group of each position.
        choices: places in the code where several sizes could shrink and one of them was chosen.
        undivided: whether all units stay that are cut into as many runs as a size says.
        follows_attributes: whether integer attributes of somebody's own modules are cut along.
        numbers: (module, attribute, index) of such integers that count nothing removable.
    """

    layers: tuple[UnitLayer, ...]
    group_count: int
    slices: Mapping[str, Slices]
    shapes: Mapping[str, tuple[int, ...]]
    unique_parameters: tuple[str, ...]
    mac_terms: tuple[MacTerm, ...]
    batch: int
    layouts: Mapping[tuple[str, str], RowLayout]
    normalisations: Mapping[str, str]
    widths: tuple[Width, ...]
    norm_calls: tuple[NormCall, ...]
    training_norm_calls: tuple[NormCall, ...]
    kept: Mapping[str, int]
    unreached: tuple[str, ...]
    unlisted: Mapping[str, str]
    notes: tuple[str, ...]
    weight_norms: tuple[tuple[str, str, int | None], ...]
    draws: tuple[tuple[int | None, np.ndarray], ...]
    choices: tuple[Site, ...]
    undivided: bool
    follows_attributes: bool
    numbers: frozenset[tuple[str, str, int | None]]

    def all_kept(self) -> np.ndarray:
        """The mask (groups,) that removes nothing."""
        return np.ones(self.group_count, dtype=bool)

    def checked(self, keep: np.ndarray) -> np.ndarray:
        """`keep` as a Boolean array.

        Raises:
            TraceError: it has the wrong length or removes group 0.
        """
        mask = np.asarray(keep, dtype=bool)
        if mask.shape != (self.group_count,) or not mask[0]:
            raise TraceError(
                f"a keep mask has {self.group_count} entries, the first of them True; "
                f"got shape {mask.shape}"
            )
        return mask

    def shape_after(self, name: str, keep: np.ndarray) -> tuple[int, ...]:
        """Shape of the tensor called `name` after the cut."""
        return tuple(
            size if groups is None else int(np.count_nonzero(keep[groups]))
            for size, groups in zip(self.shapes[name], self.slices[name], strict=True)
        )

    def parameters(self, keep: np.ndarray) -> int:
        """Exact number of parameters after the cut; tied ones count once, buffers do not."""
        keep = self.checked(keep)
        return sum(math.prod(self.shape_after(name, keep)) for name in self.unique_parameters)

    def macs(self, keep: np.ndarray) -> int:
        """Exact multiply-accumulates per example after the cut."""
        keep = self.checked(keep)
        total = sum(
            term.constant * math.prod(int(np.count_nonzero(keep[one])) for one in term.factors)
            for term in self.mac_terms
        )
        return total // self.batch

    def normalisation_of(self, layer_name: str) -> str | None:
        """Module whose per-unit gain directly follows that layer's output, if there is one."""
        return self.normalisations.get(layer_name)

    def rows(self, layer_name: str, tensor_name: str) -> RowLayout:
        """How the units of a layer lie in one of its `weights`."""
        return self.layouts[layer_name, tensor_name]

    def unit_weights(self, layer: UnitLayer, tensors: Mapping[str, Tensor]) -> Tensor:
        """All incoming weights of each unit, (units, fan_in); biases left out."""
        parts = []
        for name in layer.weights:
            layout = self.layouts[layer.name, name]
            rows = layout.by_unit(tensors[name])
            if layout.gain in tensors:
                lengths = rows.norm(dim=1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
                rows = rows / lengths * tensors[layout.gain].reshape(-1, 1)
            parts.append(rows)
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
