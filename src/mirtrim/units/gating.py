"""Equivalence: a network with units gated to zero equals the network with those units removed.

"Gated to zero" means zero at the input of every layer that consumes the unit, and left out of
the statistics of normalisations over units. Zeroing where a unit is made would not do: biases
and batch-norm shifts would leak through.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mirtrim.units.call_order import CallOrder
from mirtrim.units.composed import composed
from mirtrim.units.gated_calls import (
    BILINEAR,
    CELLS,
    GATED,
    HEADS,
    LAYERS,
    RECURRENT,
    in_order,
    read_along,
    right_operand,
)
from mirtrim.units.graph import NormCall, UnitGraph
from mirtrim.units.living import over_living, zeroed
from mirtrim.units.preserving import unscripted
from mirtrim.units.widths import every_tensor
from mirtrim.utils.errors import TrainingError


def gated(model: nn.Module, graph: UnitGraph, keep: np.ndarray) -> Callable[..., Any]:
    """`model` as a function in which the groups that `keep` drops are gated to zero.

    Weights keep their full size and gradients flow through the gates, so a training step on
    the gated network can be compared with one on the trimmed network.
    """

    def forward(*inputs: Any, **named: Any) -> Any:
        with gates(model, graph, keep):
            return model(*inputs, **named)

    return forward


@contextmanager
def gates(
    model: nn.Module, graph: UnitGraph, keep: np.ndarray, *, straight_through: bool = False
) -> Iterator["Gating"]:
    """Within this context every call of `model` runs with the groups that `keep` drops gated.

    A deep copy that is made within the context stays gated.

    Args:
        straight_through: the backward pass is that of the network without gates (Bengio et al.
            2013), so that a gated unit gets the gradient that it would get if it were open.
            Every layer then runs twice in the forward pass.

    Raises:
        TrainingError: within the context, a part of `model` that has gated units is called by
            itself, or `model` is pickled.
        TraceError: a call of `model` reads units in an order that was not traced.
    """
    gating = Gating(model, graph, graph.checked(keep), straight_through)
    first = model.register_forward_pre_hook(gating.enter, prepend=True)
    last = model.register_forward_hook(gating.leave, always_call=True)
    handles = [part.register_forward_pre_hook(gating.refuse) for part in gating.parts()]
    try:
        yield gating
    finally:
        for handle in (first, last, *handles):
            handle.remove()


def is_gated(model: nn.Module) -> bool:
    """Whether `model`, or a part of it, has gates at the moment."""
    hooks = (hook for module in model.modules() for hook in module._forward_pre_hooks.values())
    return any(isinstance(getattr(hook, "__self__", None), Gating) for hook in hooks)


class Gating:
    """The hooks of a gated network.

    Attributes:
        passes: calls of the network so far of which gradients can be taken.
    """

    def __init__(
        self, model: nn.Module, graph: UnitGraph, keep: np.ndarray, straight_through: bool
    ) -> None:
        self.passes = 0
        self._model, self._graph, self._keep = model, graph, keep
        self._straight_through = straight_through
        self._running: list[tuple[_Gates, ExitStack]] = []

    def enter(self, module: nn.Module, inputs: Any) -> None:
        """The gates of one pass."""
        if module is not self._model:
            raise TrainingError(
                f"a replica of {type(module).__name__} runs with other tensors, which no gate "
                "knows; call the network itself, on one device"
            )
        self.passes += torch.is_grad_enabled()
        self._open()

    def _open(self) -> None:
        gates = _Gates(self._model, self._graph, self._keep, self._straight_through)
        stack = ExitStack()
        stack.enter_context(unscripted())
        stack.enter_context(gates)
        self._running.append((gates, stack))

    def _close(self) -> CallOrder | None:
        gates, stack = self._running.pop()
        stack.close()
        return gates.calls

    def leave(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        """No gates any more; called after an error, without outputs, as well."""
        calls = self._close()
        if calls is not None and outputs is not None:
            calls.assert_whole()

    def leave_part(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        """The gates of a part that a checkpoint has run again are gone."""
        calls = self._close()
        if calls is not None:
            calls.assert_unordered()

    def refuse(self, module: nn.Module, inputs: Any) -> None:
        """A part is called, which is right within a pass only, or again in its backward pass."""
        if not self._running and torch._C._current_graph_task_id() != -1:
            self._open()  # of a checkpoint
            handle = module.register_forward_hook(self.leave_part, always_call=True)
            self._running[-1][1].callback(handle.remove)
        elif not self._running:
            name = next((n for n, m in self._model.named_modules() if m is module), "a copied part")
            raise TrainingError(
                f"{name} was called by itself, where the units that are pruned are not gated; "
                f"call the network, {type(self._model).__name__}, whose forward() does all of it"
            )

    def parts(self) -> list[nn.Module]:
        """The modules inside the network with units that are gone."""
        gone = {
            name
            for name, slices in self._graph.slices.items()
            if any(groups is not None and not self._keep[groups].all() for groups in slices)
        }
        calls = (*self._graph.norm_calls, *self._graph.training_norm_calls)
        gone |= {
            f"{call.module}."
            for call in calls
            if call.axis is not None and not self._keep[call.groups].all()
        }
        paths = {name[:at] for name in gone for at, c in enumerate(name) if c == "."}
        return [
            module
            for path, module in self._model.named_modules()
            if path in paths - {""} and not isinstance(module, torch.jit.ScriptModule)
        ]

    def __deepcopy__(self, memo: dict[int, Any]) -> "Gating":
        model = memo.get(id(self._model))
        if model is None:
            return self  # a part was copied by itself
        return Gating(model, self._graph, self._keep, self._straight_through)

    def __reduce__(self) -> Any:
        raise TrainingError(
            f"{type(self._model).__name__} is gated while it is pruned and cannot be pickled as a "
            "whole; save its state_dict(), or the network after the block"
        )


class _Gates(TorchFunctionMode):
    def __init__(
        self, model: nn.Module, graph: UnitGraph, keep: np.ndarray, straight_through: bool
    ) -> None:
        super().__init__()
        self._graph, self._keep = graph, keep
        self._straight_through = straight_through
        self._names = {id(t): n for n, t in every_tensor(model).items()}
        training = any(module.training for module in model.modules())
        calls = graph.training_norm_calls if training else graph.norm_calls
        # Where nothing is gated by the order of calls, their number does not matter.
        gone = any(call.axis is not None and not keep[call.groups].all() for call in calls)
        self.calls = CallOrder(model, calls, graph.norm_calls) if gone else None

    def _name_of(self, tensor: Any) -> str | None:
        return self._names.get(id(tensor))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        parts = composed(func, kwargs)
        if parts is not None:
            with self:
                return parts(*args, **kwargs)
        if not self._straight_through:
            return self._run(func, args, kwargs)
        if func not in GATED:
            return func(*args, **kwargs)
        open_result = func(*args, **kwargs)
        with torch.no_grad():
            closed_result = self._run(func, args, kwargs)
        return _forward_of(closed_result, open_result)

    def _run(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """`func` with gated weights or, if it normalises over units, living ones only."""
        call = self._next(func, args, kwargs)
        if func in LAYERS or func is BILINEAR:
            weight, where = right_operand(func, args, kwargs)
            if call is not None:
                weight = zeroed(weight, call.axis, self._keep[call.groups])
            elif func is BILINEAR:
                weight = self._gate(weight, 1, 2)
            else:
                weight = self._gate(weight, read_along(func, weight))
            if isinstance(where, str):
                kwargs[where] = weight
            elif where is not None:
                args = (*args[:where], weight, *args[where + 1 :])
        elif func in RECURRENT:
            at = 3 if isinstance(args[3], list | tuple) else 2  # behind the sizes of packed batches
            weights = [self._gate(w, 1) if w.dim() == 2 else w for w in args[at]]
            args = (*args[:at], weights, *args[at + 1 :])
        elif func in CELLS:
            args = (*args[:2], self._gate(args[2], 1), self._gate(args[3], 1), *args[4:])
        elif func is HEADS:
            args = tuple(self._gate(a, 1) if _is_matrix(a) else a for a in args)
            kwargs = {k: self._gate(a, 1) if _is_matrix(a) else a for k, a in kwargs.items()}
        elif call is not None:
            return over_living(call, self._keep, func, args, kwargs)
        return func(*args, **kwargs)

    def _next(self, func: Callable[..., Any], args: Any, kwargs: Any) -> NormCall | None:
        """What the graph knows about this call, if something of what it reads is gone."""
        if self.calls is None or not in_order(func, args, kwargs, self._name_of):
            return None
        call = self.calls.next()
        return call if call.axis is not None and not self._keep[call.groups].all() else None

    def _gate(self, weight: Tensor, *dims: int) -> Tensor:
        """`weight` with zeros in the columns of units that are gone."""
        name, result = self._names.get(id(weight)), weight
        for dim in dims:
            groups = None if name is None or weight.dim() <= dim else self._graph.slices[name][dim]
            if groups is not None:
                result = zeroed(result, dim, self._keep[groups])
        return result


def _is_matrix(value: Any) -> bool:
    return isinstance(value, nn.Parameter) and value.dim() == 2


class _StraightThrough(torch.autograd.Function):
    """The value of one tensor, the gradient of another."""

    @staticmethod
    def forward(context: Any, value: Tensor, gradient: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def backward(context: Any, *outputs: Tensor) -> tuple[None, Tensor]:
        return None, outputs[0]


def _forward_of(value: Any, gradient: Any) -> Any:
    """A result with the values of one and the gradient of the other; also for tuples.

    Attention that was not asked for its weights has None in their place.
    """
    if isinstance(value, Tensor):
        return _StraightThrough.apply(value, gradient)
    if not isinstance(value, tuple | list):
        return gradient
    return type(gradient)(_forward_of(v, g) for v, g in zip(value, gradient, strict=True))
