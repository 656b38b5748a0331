"""Removing units for good: new smaller modules, tensors and optimisers.

One set of indices, that of the graph, cuts everything, so weights, rewind weights, statistics
and optimiser state always agree.
"""

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mirtrim.units.copying import copied
from mirtrim.units.graph import Slices, UnitGraph, Width
from mirtrim.units.widths import holder, pad_odd_heads, tensor_attributes
from mirtrim.utils.errors import ConfigError, TraceError


class _Cutter:
    """Index tensors of one cut, made once and shared by all tensors."""

    def __init__(self, graph: UnitGraph, keep: np.ndarray) -> None:
        self._graph = graph
        self._keep = graph.checked(keep)
        self._indices: dict[int, tuple[Tensor, np.ndarray]] = {}

    def cut(self, name: str, tensor: Tensor) -> Tensor:
        """A new tensor with what is left of `tensor`, which has the shape of the one `name`."""
        slices = self._slices(name)
        if tuple(tensor.shape) != self._graph.shapes[name]:
            raise TraceError(
                f"{name} has shape {tuple(tensor.shape)}, traced was {self._graph.shapes[name]}; "
                "use the graph of this very network"
            )
        return self._along(name, tensor, slices)

    def cut_moment(self, name: str, tensor: Tensor) -> Tensor:
        """Like `cut`, for a tensor that has size 1 where it was summed over the parameter."""
        slices = tuple(
            groups if size > 1 else None
            for groups, size in zip(self._slices(name), tensor.shape, strict=True)
        )
        return self._along(name, tensor, slices)

    def _slices(self, name: str) -> Slices:
        slices = self._graph.slices.get(name)
        if slices is None:
            raise TraceError(f"the traced network has no tensor {name!r}; trace this one")
        return slices

    def _along(self, name: str, tensor: Tensor, slices: Slices) -> Tensor:
        result = tensor
        for dim, groups in enumerate(slices):
            if groups is not None:
                index = self._index(groups, name, dim)
                if len(index) < len(groups):
                    result = result.index_select(dim, index.to(tensor.device))
        return result.clone() if result is tensor else result

    def keep_lengths(self, tensors: Mapping[str, Tensor], smaller: Mapping[str, Tensor]) -> None:
        """Make the magnitudes of normalised weights fit directions that became shorter.

        Weight normalisation divides by a norm over units of which some are gone. What is left
        of a weight stays what it was.
        """
        for gain, direction, kept in self._graph.weight_norms:
            if gain not in tensors or direction not in tensors:
                continue
            before, after = tensors[direction].detach(), smaller[direction].detach()
            dims = [d for d in range(before.dim()) if d != kept]
            if all(before.shape[d] == after.shape[d] for d in dims):
                continue
            full = torch.linalg.vector_norm(before, dim=dims, keepdim=True)
            groups = None if kept is None else self._graph.slices[direction][kept]
            if kept is not None and groups is not None:
                full = full.index_select(kept, self._index(groups, direction, kept).to(full.device))
            left = torch.linalg.vector_norm(after, dim=dims, keepdim=True)
            share = (left / full).nan_to_num(1.0)
            smaller[gain].detach().mul_(share.reshape(smaller[gain].shape))

    def _index(self, groups: np.ndarray, name: str, dim: int) -> Tensor:
        known = self._indices.get(id(groups))
        if known is None:
            positions = np.flatnonzero(self._keep[groups])
            if not len(positions):
                raise TraceError(f"the cut would leave nothing of {name} along dimension {dim}")
            known = torch.from_numpy(positions), groups
            self._indices[id(groups)] = known
        return known[0]


@torch.no_grad()
def cut_tensors(
    tensors: Mapping[str, Tensor], graph: UnitGraph, keep: np.ndarray
) -> dict[str, Tensor]:
    """What is left of `tensors`, keyed by names of the network's state.

    Works for weights, rewind weights, gradients and buffers alike.

    Raises:
        TraceError: a name or a shape does not belong to the traced network.
    """
    cutter = _Cutter(graph, keep)
    smaller = {name: cutter.cut(name, tensor.detach()) for name, tensor in tensors.items()}
    cutter.keep_lengths(tensors, smaller)
    return smaller


@torch.no_grad()
def cut(model: nn.Module, graph: UnitGraph, keep: np.ndarray) -> nn.Module:
    """A new smaller network without the groups that `keep` (groups,) drops.

    The original is not touched. Integer attributes (out_channels, hidden_size, …) follow.

    Raises:
        TraceError: the graph is not of this network, or a tensor would be left empty.
    """
    cutter = _Cutter(graph, keep)
    memo: dict[int, Any] = {}
    for name, parameter in model.named_parameters():
        smaller = nn.Parameter(cutter.cut(name, parameter.detach()), parameter.requires_grad)
        memo[id(parameter)] = smaller
    named = dict(model.named_parameters())
    cutter.keep_lengths(named, {name: memo[id(p)] for name, p in named.items()})
    for name, buffer in (*model.named_buffers(), *tensor_attributes(model).items()):
        memo[id(buffer)] = cutter.cut(name, buffer.detach())
    trimmed = copied(model, memo)
    for width in graph.widths:
        set_width(trimmed, width, int(np.count_nonzero(keep[width.groups])))
    pad_odd_heads(trimmed)
    return trimmed


def set_width(model: nn.Module, width: Width, size: int) -> None:
    """Give an integer attribute that counts units another value."""
    inside, key = holder(model.get_submodule(width.module), width.attribute)
    if width.index is None:
        inside[key] = size
    else:
        before, after = inside[key][: width.index], inside[key][width.index + 1 :]
        inside[key] = (*before, size, *after)


@torch.no_grad()
def cut_optimizer(
    optimizer: Optimizer,
    model: nn.Module,
    trimmed: nn.Module,
    graph: UnitGraph,
    keep: np.ndarray,
) -> Optimizer:
    """A new optimiser of the same class for `trimmed`, with its state cut the same way.

    Args:
        optimizer: of `model`, before the cut. Parameters from elsewhere, such as those of a
            loss, are in the new optimiser as they are, with their state.
        trimmed: what `cut(model, graph, keep)` returned.

    Raises:
        TraceError: the optimiser has no parameter of `model`, or state that is neither a
            number nor shaped like its parameter.
    """
    names = {id(p): name for name, p in model.named_parameters()}
    smaller = dict(trimmed.named_parameters())
    if not any(id(p) in names for group in optimizer.param_groups for p in group["params"]):
        raise TraceError("the optimiser holds no parameter of the network; give the one it has")
    groups = []
    for group in optimizer.param_groups:
        options = {key: copy.copy(value) for key, value in group.items() if key != "params"}
        options["params"] = [
            smaller[names[id(p)]] if id(p) in names else p for p in group["params"]
        ]
        groups.append(options)
    accepted = inspect.signature(type(optimizer)).parameters
    defaults = {k: v for k, v in optimizer.defaults.items() if k in accepted}
    fresh = type(optimizer)(groups, **defaults)
    slots = {names[id(p)]: state for p, state in optimizer.state.items() if id(p) in names}
    for name, state in cut_slots(slots, graph, keep).items():
        fresh.state[smaller[name]] = state
    for parameter, state in optimizer.state.items():
        if id(parameter) not in names:
            fresh.state[parameter] = copy.deepcopy(state)
    return fresh


def assert_cuttable(optimizer: Optimizer) -> None:
    """Raise if the state of an optimiser cannot be cut; what it is shows after a first step.

    Raises:
        ConfigError: it remembers more than tensors and numbers for each parameter.
    """
    plain = (Tensor, bool, int, float, complex, str, type(None))
    values = [value for state in optimizer.state.values() for value in state.values()]
    if isinstance(optimizer, torch.optim.LBFGS) or not all(isinstance(v, plain) for v in values):
        raise ConfigError(
            f"optimizer: the state of {type(optimizer).__name__} belongs to all parameters "
            "together and cannot be cut; take another one, such as Adam, or do not carry it"
        )


@torch.no_grad()
def cut_slots(
    slots: Mapping[str, Mapping[str, Any]], graph: UnitGraph, keep: np.ndarray
) -> dict[str, dict[str, Any]]:
    """What an optimiser remembers of each parameter, by name, cut like the parameter.

    Raises:
        TraceError: something is neither a number nor shaped like its parameter.
    """
    cutter = _Cutter(graph, keep)
    return {
        name: {
            key: _cut_slot(cutter, name, graph.shapes.get(name), key, value)
            for key, value in state.items()
        }
        for name, state in slots.items()
    }


def _cut_slot(cutter: _Cutter, name: str, shape: Any, key: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | complex | str):
        return value
    if not isinstance(value, Tensor):
        raise TraceError(
            f"optimiser state {key} of {name} is a {type(value).__name__}, which cannot be cut; "
            "make a new optimiser for the smaller network"
        )
    if value.dim() == 0:
        return value.clone()
    if shape is None or tuple(value.shape) == tuple(shape):
        return cutter.cut(name, value)
    if value.dim() == len(shape) and all(
        size in (1, full) for size, full in zip(value.shape, shape, strict=True)
    ):
        return cutter.cut_moment(name, value)  # sums over rows or columns, as Adafactor keeps them
    raise TraceError(
        f"optimiser state {key} of {name} has shape {tuple(value.shape)}, unlike its parameter "
        f"{tuple(shape)}, and cannot be cut; make a new optimiser for the smaller network"
    )
