"""Custom autograd functions that do nothing across entries are followed like any other code.

Gradient reversal, straight-through rounding, clamps with a gradient of their own: what makes them
special is their backward pass. Their `forward` runs without gradients, so its results would look
as if nobody knew of what they are made.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import _is_setup_context_defined, _SingleLevelFunction
from torch.overrides import TorchFunctionMode

from mirtrim.units.composed import composed
from mirtrim.units.gated_calls import GATED
from mirtrim.units.handlers import HANDLERS, METADATA
from mirtrim.units.nesting import tensors_in
from mirtrim.units.sizes import plain_sizes
from mirtrim.units.widths import of_torch
from mirtrim.utils.errors import MirtrimError


@contextmanager
def in_plain_sight() -> Iterator[None]:
    """Within this context such functions run as the plain code of their `forward`."""

    def apply(kind: Any, *args: Any, **kwargs: Any) -> Any:
        if not (of_torch(kind) or kwargs) and _is_plain(kind, args):
            try:
                return _run(kind, args)
            except MirtrimError:
                raise
            except Exception:  # it writes where autograd lets only custom functions write
                pass
        return super(_SingleLevelFunction, kind).apply(*args, **kwargs)

    own: Any = _SingleLevelFunction
    own.apply = classmethod(apply)
    try:
        yield
    finally:
        del own.apply


class _Context(SimpleNamespace):
    """What `forward` leaves for the backward pass, which does not come."""

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    save_for_forward = save_for_backward

    def _ignore(self, *given: Any) -> None:
        pass

    mark_dirty = mark_non_differentiable = set_materialize_grads = _ignore


def _run(kind: Any, args: tuple[Any, ...]) -> Any:
    if _is_setup_context_defined(kind.setup_context):
        return kind.forward(*args)
    return kind.forward(_Context(needs_input_grad=(True,) * len(args)), *args)


class _Seen(TorchFunctionMode):
    """What a piece of code calls, and whether all its tensors come from its arguments.

    A gradient that is written by hand knows nothing of gates, so no call may be one that is gated.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        super().__init__()
        self.plain = True
        self._tensors = {id(tensor): tensor for tensor in tensors}

    def knows(self, value: Any) -> bool:
        """Whether all tensors in `value` are arguments, or were made of them."""
        return all(id(tensor) in self._tensors for tensor in tensors_in(value))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        followed = func in METADATA or (func in HANDLERS and func not in GATED)
        self.plain &= followed and composed(func, kwargs) is None and self.knows((args, kwargs))
        with torch._C.DisableTorchFunction():
            result = func(*args, **kwargs)
        self._tensors.update((id(tensor), tensor) for tensor in tensors_in(result))
        return result


def _is_plain(kind: Any, args: tuple[Any, ...]) -> bool:
    """Whether `forward`, tried on copies, calls only what can be followed and has no gate."""
    with torch._C.DisableTorchFunction():
        copies = tuple(
            a.detach().clone() if isinstance(a, Tensor) else plain_sizes(a) for a in args
        )
    seen = _Seen([copy for copy in copies if isinstance(copy, Tensor)])
    try:
        with seen:
            return seen.knows(_run(kind, copies)) and seen.plain
    except Exception:
        return False
