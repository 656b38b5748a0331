"""Putting tensors together, repeating and padding them, and making constants."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import named
from mirtrim.units.handlers.elementwise import bind_free
from mirtrim.units.handlers.moving import copied_for_units, place_copies, repeated_for_units
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.reshaping import sizes_in
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label
from mirtrim.units.sizes import AdaptiveInt

_CONSTANTS = "zeros ones empty full rand randn new new_zeros new_ones new_empty new_full"


@handles("cat concat concatenate")
def cat(call: Call) -> None:
    """Along the dimension of units: one after the other. Along another: united."""
    tensors = list(call.argument(0, "tensors"))
    dim = call.argument(1, "dim", call.kwargs.get("axis", 0)) % call.out.dim()
    # Old code starts from an empty (0,) tensor, which torch skips.
    join(call, [t for t in tensors if t.dim() == call.out.dim()], dim)


@handles("stack")
def stack(call: Call) -> None:
    """A new dimension; units of the same position unite over it."""
    tensors = list(call.argument(0, "tensors"))
    dim = call.argument(1, "dim", 0) % call.out.dim()
    if call.blocked(tensors):
        return
    label = join_others(call, tensors)
    if label is not None and label.axis is not None:
        label = label.moved(label.axis + (label.axis >= dim))
    call.set_all(label)


@handles("pad_sequence")
def pad_sequence(call: Call) -> None:
    """Sequences side by side, filled up along the first dimension of each."""
    sequences = list(call.argument(0, "sequences"))
    if call.blocked(sequences):
        return
    label = join_others(call, sequences)
    if label is not None and label.axis == 0:
        call.unknown("fills up along the dimension of units")
    else:
        call.set_all(label if label is None or label.axis is None else label.moved(label.axis + 1))


def join(call: Call, tensors: list[Tensor], dim: int) -> None:
    """Label a concatenation along `dim`."""
    if call.blocked(tensors):
        return
    along = [t for t in tensors if (x := call.units(t)) is not None and x.axis == dim]
    if not along:
        call.set_all(join_others(call, tensors))
        return
    ids: list[Ids] = []
    for tensor in tensors:
        label, size = call.label(tensor), tensor.shape[dim]
        if isinstance(label, Free):
            call.trace.fix_tensor(tensor)
            label = None
        if label is None:
            ids.append(np.zeros(size, dtype=np.int64))
        elif label.axis is None:
            ids.append(np.full(size, label.ids[0]))
        elif label.axis == dim:
            ids.append(label.ids)
        else:
            call.unknown("joins units along two different dimensions")
            return
    call.set_all(Label(dim, np.concatenate(ids)))


def join_others(call: Call, tensors: list[Tensor]) -> Label | None:
    """Label of tensors joined along a dimension without units; their units must agree."""
    labels = [call.label(t) for t in tensors]
    located = [x for x in labels if isinstance(x, Label) and x.axis is not None]
    ledger = call.trace.ledger
    if not located:
        for tensor in tensors:
            call.trace.fix_tensor(tensor)
        return call.made_of(labels) if any(x is not None for x in labels) else None
    first = located[0]
    assert first.axis is not None
    reason = f"joined with something that has no units by {call.place}"
    for tensor, label in zip(tensors, labels, strict=True):
        if isinstance(label, Free):
            bind_free(call, tensor, label, first.axis, first, tensor.dim())
        elif label is None:
            call.refuse(first.ids, f"joins {tensor.shape[first.axis]} units with a constant")
        elif label.axis is None or label.axis == first.axis:
            ledger.unite(first.ids, label.ids, reason)
        else:
            for met in (first, label):
                ledger.pin(met.ids, f"units along two dimensions meet in {call.place}")
            return IMMORTAL
    return first


@handles("pad constant_pad_nd")
def pad(call: Call) -> None:
    """Padding belongs to the unit that it pads; whole padded positions belong to none."""
    tensor = call.args[0]
    widths = list(call.argument(1, "pad"))
    label = call.label(tensor)
    if isinstance(label, Free):
        call.trace.fix_tensor(tensor)
        call.set_all(IMMORTAL)
        return
    call.fix_sizes()
    ends: list[int] = []
    if label is not None and label.axis is not None:
        place = 2 * (tensor.dim() - 1 - label.axis)
        ends = [int.__index__(width) for width in widths[place : place + 2]]
    if label is None or not any(ends):
        call.set_all(label)
        return
    before, after = ends
    mode = call.argument(2, "mode", "constant")
    if mode != "constant" or min(before, after) < 0:
        call.unknown("pads or crops along the dimension of units")
        return
    zeros = np.zeros(before + after, dtype=np.int64)
    call.set_all(Label(label.axis, np.concatenate([zeros[:before], label.ids, zeros[before:]])))


@handles("repeat tile")
def repeat(call: Call) -> None:
    """Copies one after the other."""
    tensor = call.args[0]
    counts = sizes_in(call.args[1:]) or list(
        call.kwargs.get("repeats", call.kwargs.get("dims", ()))
    )
    lead = call.out.dim() - tensor.dim()
    counts = [1] * (call.out.dim() - len(counts)) + counts
    label = call.label(tensor)
    adaptive = [d for d, count in enumerate(counts) if isinstance(count, AdaptiveInt)]
    if isinstance(label, Free) and not adaptive:
        # Learned queries, say, once for each example.
        place_copies(call, tensor, [d for d, n in enumerate(counts) if n != 1 or d < lead])
        return
    if isinstance(label, Free):
        call.trace.fix_tensor(tensor)
        label = IMMORTAL
    if label is None or label.axis is None:
        ids = counts[adaptive[0]].whole if len(adaptive) == 1 else None
        if ids is not None:
            size = 1 if adaptive[0] < lead else tensor.shape[adaptive[0] - lead]
            repeated_for_units(call, label, adaptive[0], np.repeat(ids, size))
            return
        for d in adaptive:
            counts[d].fix(call.name)
        call.set_all(label)
        return
    for d in adaptive:
        counts[d].fix(call.name)
    axis = label.axis + lead
    times = int.__index__(counts[axis])
    call.set_all(Label(axis, np.tile(label.ids, times)) if times != 1 else label.moved(axis))


@handles("repeat_interleave")
def repeat_interleave(call: Call) -> None:
    """Every position several times in a row."""
    tensor, times = call.args[0], call.argument(1, "repeats")
    dim = call.argument(2, "dim")
    label = call.units(tensor)
    follows = isinstance(times, AdaptiveInt) and times.whole is not None and dim is not None
    if label is None and follows:
        known = call.label(tensor)
        call.trace.fix_tensor(tensor)
        ids = np.tile(times.whole, tensor.shape[dim])
        repeated_for_units(call, known, dim % tensor.dim(), ids)
    elif type(times) is int and dim is not None and isinstance(call.label(tensor), Free):
        place_copies(call, tensor, [dim % tensor.dim()])
    elif label is None:
        call.unknown()
    elif follows and dim % tensor.dim() != label.axis:
        ids = np.tile(times.whole, tensor.shape[dim])
        if not copied_for_units(call, label, dim % tensor.dim(), ids):
            times.fix(call.name)
            call.set_all(label)
    elif isinstance(times, Tensor) and dim is not None:
        _repeat_as_told(call, label, times, dim % tensor.dim())
    elif type(times) is not int or dim is None:
        call.unknown("repeats by a tensor or over all dimensions")
    elif dim % tensor.dim() == label.axis:
        call.set_all(Label(label.axis, np.repeat(label.ids, times)))
    else:
        call.set_all(label)


def _repeat_as_told(call: Call, label: Label, times: Tensor, dim: int) -> None:
    """Positions that are repeated as often as the entries of a tensor say."""
    told = call.label(times)
    if isinstance(told, Label) and told.ids.any():
        call.unknown("repeats by a number that depends on units")
    elif dim != label.axis:
        call.set_all(label)
    elif times.numel() == 1:
        call.set_all(Label(dim, np.repeat(label.ids, int(times))))
    else:
        call.unknown("repeats each unit another number of times")


@handles(*named(_CONSTANTS, torch, torch.Tensor))
def constant(call: Call) -> None:
    """zeros(batch, x.shape[1]) follows the units of x; other constants have no units."""
    if not isinstance(call.out, Tensor):
        return
    start = 1 if call.name.startswith("new") else 0
    given: Any = call.args[start:] or (call.kwargs.get("size", ()),)
    if call.name in ("full", "new_full"):
        given = (given[0],)
    sizes = sizes_in(given)
    adaptive = [d for d, size in enumerate(sizes) if isinstance(size, AdaptiveInt)]
    if not adaptive:
        return
    # Of zeros(self.layers, batch, self.hidden) one size shrinks; the rest of the network tells.
    kept, *more = [d for d in adaptive if not sizes[d].settled] or adaptive[:1]
    if more:
        kept = [kept, *more][call.trace.choose(1 + len(more))]
    ids = sizes[kept].whole
    if ids is None:
        call.fix_sizes()
        return
    for dim in adaptive:
        if dim != kept:
            sizes[dim].fix(call.name)
    call.trace.set(call.out, Label(kept, ids))
