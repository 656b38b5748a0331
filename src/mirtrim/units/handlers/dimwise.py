"""Reductions, softmax, pooling, interpolation: operations along some dimensions only."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import REDUCTIONS
from mirtrim.units.handlers.elementwise import combine
from mirtrim.units.handlers.operations import HANDLERS, Call, after_running, handles, words
from mirtrim.units.handlers.reshaping import sizes_in
from mirtrim.units.labels import Free, Label


def dims_of(call: Call, position: int, count: int) -> set[int] | None:
    """The dimensions that a call names, None for all of them."""
    dims = call.argument(position, "dim", call.kwargs.get("axis"))
    if dims is None:
        return None
    return {int(d) % count for d in (dims if isinstance(dims, tuple | list) else (dims,))}


def _along(call: Call, tensor: Tensor, dims: set[int] | None) -> None:
    """Pass the label on if no unit meets another one."""
    label = call.label(tensor)
    if isinstance(label, Free):
        call.unknown()
    elif label is None or label.axis is None:
        call.fix_sizes()
        call.set_all(label)
    elif (dims is None or label.axis in dims) and call.func in REDUCTIONS:
        _over_units(call, label)
    elif dims is None or label.axis in dims:
        call.unknown("works across the dimension along which units lie")
    else:
        first = call.out if isinstance(call.out, Tensor) else call.out[0]
        gone = 0
        if first.dim() != tensor.dim():
            gone = sum(d < label.axis for d in dims)
        call.set_all(Label(label.axis - gone, label.ids, label.source))


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
    nanmedian nansum nanmean mode count_nonzero kthvalue aminmax
""")
)
@after_running
def reduce(call: Call) -> None:
    """Reduce over some dimensions."""
    tensor = call.argument(0, "input")
    position = 2 if call.name == "kthvalue" else 1
    if position < len(call.args) and isinstance(call.args[position], bool | torch.dtype):
        # std(x, True) and its like: no dimension is named.
        _along(call, tensor, None)
        return
    _along(call, tensor, dims_of(call, position, tensor.dim()))


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
    _along(call, tensor, dims_of(call, 2, tensor.dim()))


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
        _along(call, tensor, None)
        return
    found = dims if isinstance(dims, tuple | list) else (dims,)
    _along(call, tensor, {int(d) % tensor.dim() for d in found})


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
        _along(call, tensor, dims)


@handles("topk")
@after_running
def topk(call: Call) -> None:
    """The largest entries along one dimension."""
    tensor = call.args[0]
    _along(call, tensor, {call.argument(2, "dim", -1) % tensor.dim()})


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
        _along(call, tensor, dims_of(call, 2, tensor.dim()) if "dim" in call.kwargs else {1})


def _spatial(names: str, dims: int) -> Callable[[Call], None]:
    """Windows over the last `dims` dimensions."""

    def window(call: Call) -> None:
        call.run()
        tensor = call.args[0] if call.args else call.kwargs["input"]
        last = tensor.dim()
        _along(call, tensor, set(range(last - dims, last)))

    return handles(*names.split())(window)


for _dims in (1, 2, 3):
    _spatial(
        " ".join(
            f"{kind}{_dims}d{suffix}"
            for kind in ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool")
            for suffix in ("", "_with_indices")
        )
        + f" lp_pool{_dims}d max_unpool{_dims}d",
        _dims,
    )


@handles("interpolate", "upsample", "upsample_nearest", "upsample_bilinear")
@after_running
def interpolate(call: Call) -> None:
    """Resampling of everything behind batch and channels."""
    tensor = call.argument(0, "input")
    _along(call, tensor, set(range(2, tensor.dim())))


def _window(call: Call) -> None:
    """Windows along one dimension, put into a new last one (the tensor method)."""
    call.run()
    tensor = call.args[0]
    label = call.units(tensor)
    dim = call.argument(1, "dimension")
    if label is None or dim % tensor.dim() != label.axis:
        call.fix_sizes()
        call.set_all(call.label(tensor) if label is None else label)
    else:
        call.unknown("takes windows over units")


HANDLERS[torch.Tensor.unfold] = _window


def _patches(call: Call) -> None:
    """Images (N, C, …) to columns (N, C · positions of a patch, patches), and back."""
    call.run()
    call.fix_sizes()
    tensor = call.argument(0, "input")
    label = call.units(tensor)
    channels = tensor.dim() - (2 if call.name == "fold" else 3)
    if label is None or label.axis != channels:
        if label is None:
            call.set_all(call.label(tensor))
        else:
            call.unknown("makes patches of the dimension along which units lie")
        return
    ids = label.ids
    if call.name == "fold":
        each = len(ids) // call.out.shape[channels]
        runs = ids.reshape(-1, each)
        call.trace.ledger.unite(runs, runs[:, :1], call.place)
        ids = runs[:, 0]
    else:
        ids = np.repeat(ids, call.out.shape[channels] // len(ids))
    call.set_all(Label(channels, ids))


HANDLERS[torch.nn.functional.unfold] = _patches
HANDLERS[torch.nn.functional.fold] = _patches
