"""Reductions, softmax, sorting, Fourier transforms: operations along some dimensions only."""

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import REDUCTIONS, SHARED
from mirtrim.units.handlers.elementwise import combine
from mirtrim.units.handlers.moving import place_dims
from mirtrim.units.handlers.operations import HANDLERS, Call, after_running, handles, words
from mirtrim.units.handlers.reshaping import sizes_in
from mirtrim.units.labels import Free, Label


def dims_of(call: Call, position: int, count: int) -> set[int] | None:
    """The dimensions that a call names, None for all of them."""
    dims = call.argument(position, "dim", call.kwargs.get("axis"))
    if dims is None:
        return None
    return {int(d) % count for d in (dims if isinstance(dims, tuple | list) else (dims,))}


def along(call: Call, tensor: Tensor, dims: set[int] | None) -> None:
    """Pass the label on if no unit meets another one."""
    label = call.label(tensor)
    if isinstance(label, Free):
        _along_free(call, tensor, label, dims)
    elif label is None or label.axis is None:
        call.fix_sizes()
        call.set_all(label)
    elif (dims is None or label.axis in dims) and call.func in REDUCTIONS:
        _over_units(call, label)
    elif dims is None or label.axis in dims:
        call.unknown("works across the dimension along which units lie")
    else:
        call.fix_sizes()
        first = call.out if isinstance(call.out, Tensor) else call.out[0]
        gone = 0
        if first.dim() != tensor.dim():
            gone = sum(d < label.axis for d in dims)
        call.set_all(Label(label.axis - gone, label.ids, label.source))


def _along_free(call: Call, tensor: Tensor, free: Free, dims: set[int] | None) -> None:
    """A parameter keeps its size where entries meet; along its other dimensions it may shrink.

    So standardised weights lose units, but none that they read.
    """
    first = call.out if isinstance(call.out, Tensor) else call.out[0]
    every = range(tensor.dim())
    met = set(every) if dims is None else dims
    order: list[int | None] = [d for d in every if d not in met]
    if first.dim() == tensor.dim():
        order = [d if first.shape[d] == tensor.shape[d] else None for d in every]
    if len(order) != first.dim():
        call.unknown()
        return
    call.fix_sizes()
    for dim in met:
        call.trace.fix_dim(free, dim)
    place_dims(call, tensor, order)


def _over_units(call: Call, label: Label) -> None:
    """A statistic of all units, like that of a norm: after a cut, of those that live."""
    ledger, made_of = call.trace.ledger, np.unique(label.ids)
    call.gate = (call.name, label.axis, label.ids)
    result = ledger.depend(made_of)
    if isinstance(call.out, Tensor):
        call.set_all(result)
        return
    why = "gives positions of units"
    for part in call.out:
        if part.is_floating_point() or part.is_complex():
            call.trace.set(part, result)
        else:
            call.trace.set(part, ledger.suspect(made_of, *call.texts(why)))


@handles(
    *words("""
    sum mean amax amin prod std var std_mean var_mean logsumexp argmax argmin any all median
    nanmedian nansum nanmean mode count_nonzero kthvalue aminmax _is_all_true _is_any_true
""")
)
@after_running
def reduce(call: Call) -> None:
    """Reduce over some dimensions."""
    tensor = call.argument(0, "input")
    position = 2 if call.name == "kthvalue" else 1
    if position < len(call.args) and isinstance(call.args[position], bool | torch.dtype):
        # std(x, True) and its like: no dimension is named.
        along(call, tensor, None)
        return
    along(call, tensor, dims_of(call, position, tensor.dim()))


@handles("max", "min")
@after_running
def extreme(call: Call) -> None:
    """Extreme along a dimension, or of two tensors."""
    second = call.argument(1, "other")
    if isinstance(second, Tensor):
        combine(call, call.tensors())
    else:
        reduce.__wrapped__(call)  # type: ignore[attr-defined]


@handles("norm")
@after_running
def norm(call: Call) -> None:
    """Vector norm along some dimensions."""
    tensor = call.argument(0, "input", call.kwargs.get("x"))
    along(call, tensor, dims_of(call, 2, tensor.dim()))


for _norm in (torch.linalg.vector_norm, torch.linalg.norm):
    HANDLERS[_norm] = norm


@handles(
    *words("""
    softmax log_softmax softmin cumsum cumprod cummax cummin logcumsumexp sort argsort diff
    roll gumbel_softmax
""")
)
@after_running
def same_shape(call: Call) -> None:
    """Entries meet along one dimension; the shape stays."""
    tensor = call.args[0]
    default = {"sort": -1, "argsort": -1, "diff": -1, "gumbel_softmax": -1}
    position = {"roll": 2, "diff": 2, "gumbel_softmax": 4}.get(call.name, 1)
    dims = call.argument(position, "dim", call.kwargs.get("dims", default.get(call.name)))
    if isinstance(dims, bool) or dims is None:
        along(call, tensor, None)
        return
    found = dims if isinstance(dims, tuple | list) else (dims,)
    places = {int(d) % tensor.dim() for d in found}
    label = call.units(tensor)
    if label is not None and label.axis in places and call.func in SHARED:
        call.gate = (call.name, label.axis, label.ids)
        call.set_all(label)
    else:
        along(call, tensor, places)


@handles("flip")
@after_running
def flip(call: Call) -> None:
    """Entries in reverse order along some dimensions."""
    tensor = call.args[0]
    label = call.units(tensor)
    dims = {int(d) % tensor.dim() for d in sizes_in(call.args[1:]) or call.kwargs["dims"]}
    if label is not None and label.axis in dims:
        call.set_all(Label(label.axis, label.ids[::-1]))
    else:
        along(call, tensor, dims)


@handles(*words("fft ifft rfft irfft hfft ihfft"))
@after_running
def fourier(call: Call) -> None:
    """A Fourier transform along one dimension."""
    tensor = call.argument(0, "input")
    along(call, tensor, {call.argument(2, "dim", -1) % tensor.dim()})


@handles(
    *words("""
    fft2 ifft2 rfft2 irfft2 hfft2 ihfft2 fftn ifftn rfftn irfftn hfftn ihfftn fftshift ifftshift
""")
)
@after_running
def fourier_of_several(call: Call) -> None:
    """A Fourier transform along some dimensions, or a shift of what it gave."""
    tensor = call.argument(0, "input")
    if call.name.endswith("shift"):
        along(call, tensor, dims_of(call, 1, tensor.dim()))
        return
    dims, sizes = dims_of(call, 2, tensor.dim()), call.argument(1, "s", None)
    if dims is None and call.name.endswith("2"):
        dims = {tensor.dim() - 2, tensor.dim() - 1}
    elif dims is None and sizes is not None:
        dims = set(range(tensor.dim() - len(sizes), tensor.dim()))
    along(call, tensor, dims)


@handles("view_as_real", "view_as_complex")
@after_running
def pairs(call: Call) -> None:
    """A complex number becomes two real ones in a new last dimension, or they become one."""
    tensor = call.argument(0, "input")
    real = call.name == "view_as_real"
    along(call, tensor, set() if real else {tensor.dim() - 1})


@handles("topk")
@after_running
def topk(call: Call) -> None:
    """The largest entries along one dimension."""
    tensor = call.args[0]
    along(call, tensor, {call.argument(2, "dim", -1) % tensor.dim()})


@handles("normalize")
@after_running
def normalize(call: Call) -> None:
    """Divide by the norm along one dimension; over units, by that of those that live."""
    tensor = call.argument(0, "input")
    label, dim = call.units(tensor), call.argument(2, "dim", 1)
    if label is not None and isinstance(dim, int) and dim % tensor.dim() == label.axis:
        call.gate = (call.name, label.axis, label.ids)
        call.set_all(label)
    else:
        along(call, tensor, dims_of(call, 2, tensor.dim()) if "dim" in call.kwargs else {1})


@handles("quantile", "nanquantile")
@after_running
def quantile(call: Call) -> None:
    """One quantile of what lies along a dimension."""
    tensor, share = call.argument(0, "input"), call.argument(1, "q")
    if isinstance(share, Tensor) and (share.dim() > 0 or call.units(share) is not None):
        call.unknown()
    else:
        along(call, tensor, dims_of(call, 2, tensor.dim()))


@handles("tril", "triu")
@after_running
def triangle(call: Call) -> None:
    """A triangle of the last two dimensions."""
    tensor = call.argument(0, "input")
    along(call, tensor, {tensor.dim() - 2, tensor.dim() - 1})
