"""The calls in which a gated network differs from the untouched one.

Layers read no unit that is gone: their weights get zeros in its columns. Where a weight has a
name, the graph says which columns; where it has none (it is computed, or an activation), and
for statistics over units, the place in the code says so, and at one place the order of calls. The
tracer and the gates therefore agree here on which calls are counted, and on who makes them.
"""

import itertools
import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

F = nn.functional


def named(names: str, *spaces: Any) -> tuple[Any, ...]:
    """The functions of some names, as far as modules and classes of torch have them."""
    found = itertools.product(spaces, names.split())
    return tuple(getattr(space, name) for space, name in found if hasattr(space, name))


def writes(function: Any) -> bool:
    """Whether a torch function writes into its first argument."""
    name = getattr(function, "__name__", "")
    plain = name.endswith("_") and not name.endswith("__")
    return plain or name == "__setitem__" or (name.startswith("__i") and name != "__invert__")


PRODUCTS = named("matmul mm bmm mv __matmul__", torch, torch.Tensor)
# bias + left @ right, as the layers of GPT-2 have it, and masks of attention.
ADDED_PRODUCTS = named("addmm baddbmm addmv", torch, torch.Tensor)
CONVOLUTIONS = dict.fromkeys(named("conv1d conv2d conv3d", torch), 1) | dict.fromkeys(
    named("conv_transpose1d conv_transpose2d conv_transpose3d", torch), 0
)
# The dimension of the weight along which a layer reads units.
LAYERS: dict[Any, int] = {F.linear: 1} | dict.fromkeys((*PRODUCTS, *ADDED_PRODUCTS), 0)
LAYERS |= CONVOLUTIONS
RECURRENT = {torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu}
CELLS = {torch.lstm_cell, torch.gru_cell, torch.rnn_tanh_cell, torch.rnn_relu_cell}
NORMS = {F.layer_norm, torch.layer_norm, F.rms_norm, F.group_norm, torch.group_norm}
ATTENTION = F.scaled_dot_product_attention
HEADS = F.multi_head_attention_forward
BILINEAR = torch.bilinear

_REDUCED = """
    sum mean std var std_mean var_mean logsumexp norm prod amax amin max min
    any all _is_any_true _is_all_true count_nonzero
"""
REDUCTIONS = {
    *named(_REDUCED, torch, torch.Tensor),
    *named("vector_norm norm", torch.linalg),
}
SCALED = {F.normalize}
SHARED = {*named("softmax log_softmax", torch, torch.Tensor, F, torch.special)}
SUMS_OF_PRODUCTS = {torch.einsum, torch.tensordot}
DISTANCES = torch.cdist
ORDERED = {*NORMS, *REDUCTIONS, *SCALED, *SHARED, ATTENTION, *SUMS_OF_PRODUCTS, DISTANCES}
GATED = {*LAYERS, *RECURRENT, *CELLS, HEADS, BILINEAR, *ORDERED}


def right_operand(
    func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, int | str | None]:
    """The weight of a layer or the right side of a product, and where it stands in the call."""
    position = 2 if func in (*ADDED_PRODUCTS, BILINEAR) else 1
    if len(args) > position:
        return args[position], position
    for key in ("weight", "other", "mat2", "batch2", "vec"):
        if key in kwargs:
            return kwargs[key], key
    return None, None


def read_along(func: Callable[..., Any], weight: Tensor) -> int:
    """The dimension of its weight along which a layer or product reads units."""
    return max(weight.dim() - 2, 0) if func in (*PRODUCTS, *ADDED_PRODUCTS) else LAYERS[func]


def in_order(
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    name_of: Callable[[Tensor], str | None],
) -> bool:
    """Whether a call is one of those that are told apart by their order."""
    if func in LAYERS:
        return name_of(right_operand(func, args, kwargs)[0]) is None
    return func in ORDERED


Found = TypeVar("Found")
# Functions by name and first line, with the instruction that each has reached; innermost first.
Site = tuple[tuple[str, int, int], ...]
_BETWEEN = ("torch.", "mirtrim.units.")
_CALLS_FORWARD = nn.Module.__module__


def running(modules: Mapping[int, Found]) -> Found | None:
    """What `modules` has, by id, for the innermost one whose code is running."""
    return calling(modules)[0]


def calling(modules: Mapping[int, Found]) -> tuple[Found | None, Site]:
    """The same, and the place in its code, and in what that calls, which has been reached."""
    frame: FrameType | None = sys._getframe(1)
    site = []
    while frame is not None:
        code, found = frame.f_code, None
        if "self" in code.co_varnames or "self" in code.co_freevars:
            found = modules.get(id(frame.f_locals.get("self")))
        # Whether torch, the tracer or the gates lie in between differs from pass to pass, and so
        # does the way in which torch calls a forward() whose first argument has another name.
        space = str(frame.f_globals.get("__name__"))
        between = space == _CALLS_FORWARD or (found is None and f"{space}.".startswith(_BETWEEN))
        if not between:
            site.append((code.co_qualname, code.co_firstlineno, frame.f_lasti))
        if found is not None:
            return found, tuple(site)
        frame = frame.f_back
    return None, ()
