"""Running a network in float64, also where its code asks for less.

Two networks that compute the same thing by sums of different lengths differ by rounding. Where
float32 cannot tell rounding from a real difference, float64 can.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mirtrim.units.copying import copied
from mirtrim.units.gated_calls import writes
from mirtrim.units.nesting import rebuilt

_WIDER = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex32: torch.complex128,
    torch.complex64: torch.complex128,
}
_CASTS = {torch.Tensor.float, torch.Tensor.half, torch.Tensor.bfloat16}


def widened(value: Any) -> Any:
    """`value` with every tensor of it in float64 (complex128); nested containers are rebuilt."""
    if isinstance(value, Tensor):
        dtype = _WIDER.get(value.dtype)
        if dtype is None or value.is_quantized:
            return value
        # Accelerators without float64 exist; the CPU has it.
        return value.to("cpu" if value.device.type == "mps" else value.device, dtype)
    if isinstance(value, torch.dtype):
        return _WIDER.get(value, value)
    return rebuilt(value, widened)


def widened_copy(model: nn.Module) -> nn.Module:
    """A copy of `model` whose parameters, buffers and other tensors are float64."""
    wide = copied(model)
    wide._apply(widened)
    for module in wide.modules():
        for name, value in list(vars(module).items()):
            if name not in ("_parameters", "_buffers", "_modules") and _holds_tensor(value):
                if isinstance(module, nn.RNNBase) and name == "_flat_weights":
                    continue  # already made anew from the parameters
                vars(module)[name] = widened(value)
    return wide


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, list | tuple | set):
        return any(map(_holds_tensor, value))
    if isinstance(value, dict):
        return any(map(_holds_tensor, value.values()))
    return isinstance(value, Tensor)


class _Widening(TorchFunctionMode):
    """Every request for a narrower type is answered with the wide one."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func in _CASTS:
            return torch.Tensor.double(args[0])
        kwargs = {key: widened(value) for key, value in (kwargs or {}).items()}
        # What is written into, or looked at as an object, stays that object.
        same = writes(func) or getattr(func, "__name__", "") in ("__get__", "__set__")
        first = args[:1] if same else tuple(map(widened, args[:1]))
        args = (*first, *map(widened, args[1:]))
        found = func(*args, **kwargs)
        # What an operation writes into stays the object that it is.
        if isinstance(found, Tensor) and any(found is value for value in args):
            return found
        return widened(found)


@contextmanager
def in_float64() -> Iterator[None]:
    """Within this context new tensors and results are float64, without autocast."""
    default = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.callback(torch.set_default_dtype, default)
        torch.set_default_dtype(torch.float64)
        for kind in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(_Widening())
        yield
