"""Cutting a tensor into parts, and writing into parts of it."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.handlers.elementwise import combine_into
from mirtrim.units.handlers.indexing import getitem
from mirtrim.units.handlers.moving import place_dims
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.slicing import cut_axis, hold, ids_along, section
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label
from mirtrim.units.sizes import AdaptiveInt, size_after


@handles("unbind")
def unbind(call: Call) -> None:
    """All positions of one dimension, one by one."""
    tensor = call.args[0]
    dim = call.argument(1, "dim", 0) % tensor.dim()
    label = call.units(tensor)
    if label is not None and label.axis == dim:
        call.trace.ledger.pin(label.ids, f"they are taken one by one in {call.place}")
        call.set_all(IMMORTAL)
        return
    free = call.label(tensor)
    if isinstance(free, Free):
        call.trace.fix_dim(free, dim)
    place_dims(call, tensor, [d for d in range(tensor.dim()) if d != dim])


@handles(torch.Tensor.__iter__, runs=True)
def iterate(call: Call) -> None:
    """All positions of the first dimension."""
    call.out = call.args[0].unbind(0)
    unbind(call)
    call.out = iter(call.out)


@handles("chunk tensor_split")
def chunk(call: Call) -> None:
    """Equal parts: position i of every part lives with position i of the others.

    `tensor_split` may be given where to cut instead of a number.
    """
    tensor = call.args[0]
    pieces = size_after(
        call.argument(1, "chunks", call.kwargs.get("indices_or_sections")), call.name
    )
    dim = call.argument(2, "dim", 0) % tensor.dim()
    label, size, count = call.units(tensor), tensor.shape[dim], len(call.out)
    equal = type(pieces) is int and count == pieces and size % pieces == 0
    if label is None or label.axis != dim:
        if not (equal and 1 < count < size and _parts_of_weights(call, tensor, dim, count)):
            _others(call, tensor, dim)
        return
    if equal:
        call.trace.ledger.unite_pieces(label.ids, count, call.place)
    elif isinstance(pieces, list | tuple):
        for start, stop in itertools.pairwise((None, *pieces, None)):
            cut_axis(call, label.ids, slice(start, stop))
    else:
        call.trace.ledger.pin(label.ids, f"they are cut into unequal parts in {call.place}")
    _label_parts(call, label, dim)


@handles("split split_with_sizes")
def split(call: Call) -> None:
    """Parts of typed sizes stay whole; parts whose size follows the units are equal."""
    tensor = call.args[0]
    sizes = call.argument(1, "split_size", call.kwargs.get("split_size_or_sections"))
    dim = call.argument(2, "dim", 0) % tensor.dim()
    label = call.units(tensor)
    if label is None or label.axis != dim:
        if not _parts_of_weights(call, tensor, dim, sizes=sizes):
            _others(call, tensor, dim)
        return
    _note_sizes(call, label.ids, dim, sizes)
    _label_parts(call, label, dim)


def _note_sizes(call: Call, ids: Ids, dim: int, sizes: Any) -> None:
    """What a split along the dimension of `ids` fixes."""
    ledger = call.trace.ledger
    parts = [sizes] if isinstance(sizes, int) else list(sizes)
    adaptive = [part for part in parts if isinstance(part, AdaptiveInt)]
    count = len(call.out)
    each = len(ids) // count
    equal = len(ids) % count == 0 and len(adaptive) == len(parts)
    equal = equal and all(part.plain == each for part in adaptive)
    if equal and all(_counts(part, ids) for part in adaptive):
        ledger.unite_pieces(ids, count, call.place)
    elif len(adaptive) == len(parts) and (equal or not isinstance(sizes, int)):
        reason, start = f"a size cuts their dimension in {call.place}", 0
        for size in adaptive * (count if isinstance(sizes, int) else 1):
            hold(call, ids, start, start + size.plain, size.terms, reason)
            start += size.plain
    else:
        last = len(call.out[-1].shape) and call.out[-1].shape[dim]
        fixed = ids[: len(ids) - last] if isinstance(sizes, int) else ids
        ledger.pin(fixed, f"the code fixes the sizes of their parts in {call.place}")
        for size in adaptive:
            size.fix(call.name)


def _parts_of_weights(
    call: Call, tensor: Tensor, dim: int, pieces: int = 0, sizes: Any = ()
) -> bool:
    """Label parts of what was made from parameters; whether their sizes follow units.

    Args:
        pieces: how many equal ones there are, 0 if they have `sizes`.
    """
    free = call.label(tensor)
    each = sizes if isinstance(sizes, list | tuple) else (sizes,)
    if not isinstance(free, Free) or not (
        pieces or any(isinstance(size, AdaptiveInt) for size in each)
    ):
        return False
    ids = ids_along(call, free, dim, tensor.shape[dim])
    if ids is None or any(not part.shape[dim] for part in call.out):
        return False
    if pieces:
        call.trace.ledger.unite_pieces(ids, pieces, call.place)
    else:
        _note_sizes(call, ids, dim, sizes)
    for part, start, stop in _runs(call, dim):
        call.trace.set(part, section(call, free, dim, start, stop))
    return True


def _counts(size: AdaptiveInt, ids: Ids) -> bool:
    """Whether a size is some share of these units."""
    return len(size.terms) == 1 and np.array_equal(size.terms[0][0], ids)


def _label_parts(call: Call, label: Label, dim: int) -> None:
    for part, start, stop in _runs(call, dim):
        call.trace.set(part, Label(dim, label.ids[start:stop]))


def _runs(call: Call, dim: int) -> Iterator[tuple[Tensor, int, int]]:
    """The parts that a call gives, and where each of them begins and ends."""
    start = 0
    for part in call.out:
        yield part, start, start + part.shape[dim]
        start += part.shape[dim]


def _others(call: Call, tensor: Tensor, dim: int) -> None:
    """Parts along a dimension without units."""
    call.fix_sizes()
    label = call.label(tensor)
    if isinstance(label, Free):
        call.trace.fix_dim(label, dim)
    call.set_all(label)


@handles("glu")
def glu(call: Call) -> None:
    """First half × sigmoid of second half."""
    tensor = call.args[0]
    dim = call.argument(1, "dim", -1) % tensor.dim()
    label = call.units(tensor)
    if label is None or label.axis != dim:
        _others(call, tensor, dim)
        return
    call.trace.ledger.unite_pieces(label.ids, 2, call.place)
    call.set_all(Label(dim, label.ids[: len(label.ids) // 2]))


@handles(torch.Tensor.__setitem__, runs=True)
def setitem(call: Call) -> None:
    """What is written into a part of a tensor unites with the units of that part."""
    target, index, value = call.args
    entries = isinstance(index, Tensor) and index.dtype is torch.bool
    if entries and index.shape == target.shape and not getattr(value, "shape", ()):
        call.run()
        combine_into(call, target, [target, index])
        call.out = None
        return
    if all(one is Ellipsis or one == slice(None) for one in _as_tuple(index)):
        _write(call, target, target, value)
    else:
        part = Call(torch.Tensor.__getitem__, (target, index), {}, call.trace)
        part.run()
        getitem(part)
        _write(call, target, part.out, value)
    call.out = None


def _as_tuple(index: Any) -> tuple[Any, ...]:
    """Parts of an index; what holds tensors is one part, and no slice."""
    if isinstance(index, tuple):
        return tuple(None if isinstance(one, Tensor) else one for one in index)
    return (None if isinstance(index, Tensor) else index,)


@handles(torch.Tensor.copy_, runs=True)
def copy(call: Call) -> None:
    """`copy_` writes into a whole tensor."""
    _write(call, call.args[0], call.args[0], call.argument(1, "src"))


def _has_positions(label: Label | Free | None) -> bool:
    """Whether a tensor was made from parameters, or has units along a dimension."""
    return isinstance(label, Free) or (isinstance(label, Label) and label.axis is not None)


def _write(call: Call, target: Tensor, part: Tensor, value: Any) -> None:
    """Write `value` into `part`, which is a view of `target`."""
    trace = call.trace
    before, there = trace.label_of(target), trace.label_of(part)
    call.run()
    coming = call.label(value) if isinstance(value, Tensor) else IMMORTAL
    located = [x for x in (there, coming) if isinstance(x, Label) and x.axis is not None]
    alike = isinstance(value, Tensor) and part is target and value.shape == target.shape
    if alike and isinstance(before, Free) and _has_positions(coming):
        # One layer takes over the weights of another, as those of a momentum encoder do; or
        # statistics of units are kept for later, as those of a batch norm are.
        combine_into(call, target, [target, value])
        return
    if isinstance(before, Free):
        trace.fix_tensor(target)
        before = IMMORTAL
    if isinstance(coming, Free) and not (isinstance(there, Label) and there.axis is not None):
        trace.fix_tensor(value)
    trace.set(target, before)
    if not located:
        depends = isinstance(coming, Label) and bool(coming.ids.any())
        if isinstance(before, Label) and before.axis is not None:
            # At the position of a unit, which stays; the others are as they were.
            if depends:
                call.out = target
                call.unknown("writes what is made of units in the place of one")
            return
        made = call.made_of((before, coming))
        before = before if before is not None else coming
        trace.set(target, before if made is IMMORTAL else made)
    elif isinstance(value, Tensor) and not (isinstance(there, Label) and there.axis is not None):
        # The place has a size that the code fixes.
        call.out = target
        call.unknown("writes units into a tensor that has none")
    elif isinstance(value, Tensor):
        combine_into(call, part, [part, value])
        trace.set(target, before)


@handles(torch.Tensor.data.__set__, runs=True)  # type: ignore[attr-defined]
def set_data(call: Call) -> None:
    """`weight.data = …`, which keeps the shape, or fixes it."""
    target, value = call.args
    if _has_positions(call.trace.label_of(value)) and value.shape == target.shape:
        _write(call, target, target, value)
        call.out = None
    else:
        call.run()
        call.unknown()


@handles(torch.Tensor.masked_scatter_, torch.Tensor.set_, torch.Tensor.index_put_)
def scatter(call: Call) -> None:
    """Positions that are not known are overwritten."""
    call.out = call.args[0]
    call.unknown("writes into a part of a tensor")
