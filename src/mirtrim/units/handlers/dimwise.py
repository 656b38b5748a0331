"""Operations in which entries meet along some dimensions only: reductions, softmax, pooling …"""

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import DISTANCES, REDUCTIONS, SCALED, SHARED
from mirtrim.units.handlers.elementwise import bind_free, combine
from mirtrim.units.handlers.moving import place_dims
from mirtrim.units.handlers.operations import Call, Handler, handles
from mirtrim.units.handlers.reshaping import sizes_in
from mirtrim.units.handlers.weights import own_units
from mirtrim.units.labels import Free, Label

# Names of operations, the position of the argument that says along which dimensions entries meet
# (None: there is none), and along which they do if it says nothing (None: all).
_MEETING: tuple[tuple[str, int | None, Any], ...] = (
    (
        """
        sum mean amax amin prod std var std_mean var_mean logsumexp argmax argmin any all median
        nanmedian nansum nanmean mode count_nonzero aminmax _is_all_true _is_any_true
        softmax log_softmax softmin cumsum cumprod cummax cummin logcumsumexp fftshift ifftshift
        """,
        1,
        None,
    ),
    ("kthvalue norm roll", 2, None),
    ("normalize", 2, 1),
    ("sort argsort", 1, -1),
    ("diff topk fft ifft rfft irfft hfft ihfft", 2, -1),
    ("gumbel_softmax", 4, -1),
    ("fft2 ifft2 rfft2 irfft2 hfft2 ihfft2", 2, (-2, -1)),
    ("tril triu", None, (-2, -1)),
    # A complex number becomes two real ones in a new last dimension, or they become one.
    ("view_as_real", None, ()),
    ("view_as_complex", None, -1),
)
_POOLING = "max_pool avg_pool adaptive_max_pool adaptive_avg_pool lp_pool max_unpool"


def dims_of(call: Call, position: int | None, default: Any = None) -> set[int] | None:
    """The dimensions of the first tensor that a call names, None for all of them."""
    dims = default
    if position is not None:
        spelt = call.kwargs.get("axis", call.kwargs.get("dims", default))
        dims = call.argument(position, "dim", spelt)
    if dims is None or isinstance(dims, bool | torch.dtype):  # std(x, True) names none
        return None
    count = first_of(call).dim()
    return {int(d) % count for d in (dims if isinstance(dims, tuple | list | range) else (dims,))}


def first_of(call: Call) -> Tensor:
    """The tensor that an operation along some dimensions is about."""
    tensor: Tensor = call.argument(0, "input", call.kwargs.get("x"))
    return tensor


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
    elif dims == {label.axis} and call.func in (*SHARED, *SCALED):
        # Shares or lengths of all units; after a cut, of those that live.
        call.gate = (call.name, label.axis, label.ids)
        call.set_all(label)
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
    """A parameter keeps its size where entries meet, unless gates can leave some of them out.

    So weights that are standardised over a kernel lose units, but none that they read; a table
    whose rows have a length loses columns together with the units that they are compared with.
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
    ids = None
    if len(met) == 1 and call.func in (*REDUCTIONS, *SCALED) and isinstance(call.out, Tensor):
        (only,) = met
        ids = own_units(call, free, only)
        if ids is not None:
            call.gate = (call.name, only, ids)
    if ids is None:
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


def _meeting(position: int | None, default: Any) -> Handler:
    def meeting(call: Call) -> None:
        along(call, first_of(call), dims_of(call, position, default))

    return meeting


for _names, _position, _default in _MEETING:
    handles(_names)(_meeting(_position, _default))
for _name, _dims in itertools.product(_POOLING.split(), (1, 2, 3)):
    handles(f"{_name}{_dims}d {_name}{_dims}d_with_indices")(_meeting(None, range(-_dims, 0)))
for _norm in (torch.linalg.vector_norm, torch.linalg.norm):
    handles(_norm)(_meeting(2, None))


@handles("max min")
def extreme(call: Call) -> None:
    """Extreme along a dimension, or of two tensors."""
    if isinstance(call.argument(1, "other"), Tensor):
        combine(call, call.tensors())
    else:
        along(call, first_of(call), dims_of(call, 1))


@handles("flip")
def flip(call: Call) -> None:
    """Entries in reverse order along some dimensions."""
    tensor = call.args[0]
    label = call.units(tensor)
    dims = {int(d) % tensor.dim() for d in sizes_in(call.args[1:]) or call.kwargs["dims"]}
    if label is not None and label.axis in dims:
        call.set_all(Label(label.axis, label.ids[::-1]))
    else:
        along(call, tensor, dims)


@handles("fftn ifftn rfftn irfftn hfftn ihfftn")
def fourier_of_several(call: Call) -> None:
    """A Fourier transform along some dimensions: the last ones if only their sizes are given."""
    dims, sizes = dims_of(call, 2), call.argument(1, "s")
    if dims is None and sizes is not None:
        count = first_of(call).dim()
        dims = set(range(count - len(sizes), count))
    along(call, first_of(call), dims)


@handles("quantile nanquantile")
def quantile(call: Call) -> None:
    """One quantile of what lies along a dimension."""
    share = call.argument(1, "q")
    if isinstance(share, Tensor) and (share.dim() > 0 or call.units(share) is not None):
        call.unknown()
    else:
        along(call, first_of(call), dims_of(call, 2))


@handles(DISTANCES)
def distances(call: Call) -> None:
    """The distance of each row of one tensor from each of another: a statistic of their columns.

    As in a norm, columns that are gone from both add nothing to it.
    """
    both = [call.argument(0, "x1"), call.argument(1, "x2")]
    if call.blocked(both):
        return
    units = [(t, label) for t in both if (label := call.units(t)) is not None]
    if not units or any(label.axis != t.dim() - 1 for t, label in units):
        call.unknown("takes distances where units do not lie along columns")
        return
    ids, ledger = units[0][1].ids, call.trace.ledger
    for tensor in both:
        known = call.label(tensor)
        if isinstance(known, Free):
            columns = Label(tensor.dim() - 1, ids)
            bind_free(call, tensor, known, columns.axis, columns, tensor.dim())
        elif known is None:
            call.refuse(ids, "takes distances from constants; register them as a buffer")
        else:
            ledger.unite(ids, known.ids, f"they are compared with others in {call.place}")
    call.gate = (call.name, -1, ids)
    call.set_all(ledger.depend(np.unique(ids)))
