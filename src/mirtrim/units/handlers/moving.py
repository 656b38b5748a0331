"""Operations that move, add, drop or repeat whole dimensions."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.reshaping import fix_all, relabel_free, settle, sizes_in
from mirtrim.units.labels import Free, Ids, Label
from mirtrim.units.sizes import AdaptiveInt


def place_dims(
    call: Call, tensor: Tensor, order: Sequence[int | None], other: Free | None = None
) -> None:
    """Label a result whose dimension d is dimension `order[d]` of `tensor` (None: new).

    Args:
        other: label of the tensor, if it is not its own.
    """
    label = other or call.label(tensor)
    if isinstance(label, Free):
        origins = tuple(
            (name, tuple(None if d is None else dims[d] for d in order))
            for name, dims in label.origins
        )
        copied = frozenset(new for new, d in enumerate(order) if d in label.copied)
        call.set_all(Free(origins, copied))
    elif label is None or label.axis is None:
        call.set_all(label)
    else:
        call.set_all(label.moved(list(order).index(label.axis)))


def place_copies(call: Call, tensor: Tensor, copied: Collection[int]) -> None:
    """Label copies of a parameter that lie beside each other along the dimensions `copied`."""
    label, lead = call.label(tensor), call.out.dim() - tensor.dim()
    assert isinstance(label, Free)
    order = [None if d in copied else d - lead for d in range(call.out.dim())]
    for d in copied:
        if d >= lead and tensor.shape[d - lead] > 1:
            call.trace.fix_dim(label, d - lead)
    place_dims(call, tensor, order)
    placed = call.trace.label_of(call.out)
    assert isinstance(placed, Free)
    several = {d for d in copied if call.out.shape[d] > 1}
    call.set_all(Free(placed.origins, placed.copied | several))


def look_up(call: Call, table: Tensor, order: Sequence[int | None], dim: int) -> None:
    """Label entries that were picked along `dim` of a table; see `place_dims`.

    Entries of a parameter are picked by number, so as many stay.
    """
    label = call.label(table)
    if isinstance(label, Free):
        call.trace.fix_dim(label, dim)
    place_dims(call, table, order)


@handles("permute")
def permute(call: Call) -> None:
    """Dimensions in another order."""
    tensor = call.args[0]
    order = sizes_in(call.args[1:]) or list(call.kwargs["dims"])
    place_dims(call, tensor, [d % tensor.dim() for d in order])


@handles("transpose swapaxes swapdims")
def transpose(call: Call) -> None:
    """Two dimensions change places."""
    tensor = call.args[0]
    one = call.argument(1, "dim0", call.kwargs.get("axis0")) % tensor.dim()
    other = call.argument(2, "dim1", call.kwargs.get("axis1")) % tensor.dim()
    order = list(range(tensor.dim()))
    order[one], order[other] = other, one
    place_dims(call, tensor, order)


@handles(torch.Tensor.T.__get__, torch.Tensor.t, torch.t)  # type: ignore[attr-defined]
def reverse(call: Call) -> None:
    """Dimensions from the last to the first."""
    place_dims(call, call.args[0], range(call.out.dim())[::-1])


@handles(torch.Tensor.mT.__get__)  # type: ignore[attr-defined]
def transpose_last(call: Call) -> None:
    """The last two dimensions change places."""
    *order, one, other = range(call.out.dim())
    place_dims(call, call.args[0], [*order, other, one])


@handles("movedim moveaxis")
def movedim(call: Call) -> None:
    """Dimensions moved to given places."""
    tensor = call.args[0]
    source, target = call.argument(1, "source"), call.argument(2, "destination")
    sources = [source] if isinstance(source, int) else list(source)
    targets = [target] if isinstance(target, int) else list(target)
    count = tensor.dim()
    moved = {t % count: s % count for s, t in zip(sources, targets, strict=True)}
    rest = iter(d for d in range(count) if d not in moved.values())
    place_dims(call, tensor, [moved[d] if d in moved else next(rest) for d in range(count)])


@handles("unsqueeze")
def unsqueeze(call: Call) -> None:
    """A new dimension of size 1."""
    tensor = call.args[0]
    order: list[int | None] = list(range(tensor.dim()))
    order.insert(call.argument(1, "dim") % (tensor.dim() + 1), None)
    place_dims(call, tensor, order)


@handles("squeeze")
def squeeze(call: Call) -> None:
    """Dimensions of size 1 vanish; those of units are larger, but must not become 1."""
    tensor = call.args[0]
    dims = call.argument(1, "dim")
    if dims is None:
        chosen = set(range(tensor.dim()))
    else:
        chosen = {d % tensor.dim() for d in ([dims] if isinstance(dims, int) else dims)}
    label = call.units(tensor)
    if label is not None and label.axis in chosen:
        # At one unit left the dimension would vanish: keep two that cannot go.
        call.trace.ledger.pin(label.ids[:2], f"its size must not become 1 in {call.place}")
    free = call.label(tensor)
    if isinstance(free, Free):
        for dim in chosen:
            call.trace.fix_dim(free, dim)
    place_dims(
        call, tensor, [d for d in range(tensor.dim()) if d not in chosen or tensor.shape[d] != 1]
    )


@handles("expand broadcast_to expand_as")
def expand(call: Call) -> None:
    """Dimensions of size 1 are repeated; sizes may be typed, follow units, or be kept (-1)."""
    tensor, out = call.args[0], call.out
    if call.name == "expand_as":
        sizes: list[Any] = list(call.args[1].shape)
        other = call.units(call.args[1])
        if other is not None and other.axis is not None:
            sizes[other.axis] = call.trace.adaptive(sizes[other.axis], other.ids)
    else:
        sizes = sizes_in(call.args[1:]) or list(call.kwargs["size"])
    lead = out.dim() - tensor.dim()
    label = call.units(tensor)
    axis = None if label is None or label.axis is None else label.axis + lead
    if label is not None and axis is not None:
        new = [d for d, size in enumerate(sizes) if d != axis and _repeats(tensor, d - lead)]
        new = [d for d in new if isinstance(sizes[d], AdaptiveInt)]
        if len(new) == 1 and copied_for_units(call, label, new[0], sizes[new[0]].whole):
            return
        settle(call, label.ids, sizes[axis])
        fix_all(call, [size for d, size in enumerate(sizes) if d != axis])
        call.set_all(label.moved(axis))
        return
    adaptive = [d for d, size in enumerate(sizes) if isinstance(size, AdaptiveInt)]
    original = call.label(tensor)
    if len(adaptive) == 1 and _repeats(tensor, adaptive[0] - lead):
        ids = sizes[adaptive[0]].whole
        if ids is not None and not isinstance(original, Free):
            # One value for all units: cut away with them, whatever it is.
            repeated_for_units(call, original, adaptive[0], ids)
            return
    if isinstance(original, Free):
        copied = [d for d in range(out.dim()) if _repeats(tensor, d - lead)]
        place_copies(call, tensor, copied)
        relabel_free(call, out, call.label(out), sizes)
    else:
        fix_all(call, sizes)
        call.set_all(original)


def repeated_for_units(call: Call, label: Label | Free | None, dim: int, ids: Ids) -> None:
    """Label something without units, once for each unit: as a mask, say, for each head."""
    if isinstance(label, Label) and call.trace.ledger.bars(label):
        call.refuse(label.ids, "repeats units over units")
    call.set_all(Label(dim, ids))


def copied_for_units(call: Call, label: Label, dim: int, ids: Ids | None) -> bool:
    """Label what is repeated for each of `ids`, as keys are for all heads; whether that is so.

    The units of what is repeated stay then. The other way is that there are as many copies as
    before; the rest of the network tells which of the two is better.
    """
    ledger = call.trace.ledger
    if ids is None or not ledger.met(ids) or call.trace.choose(2):
        return False
    ledger.pin(label.ids, f"they are repeated for units by {call.place}")
    call.set_all(Label(dim, ids))
    return True


def _repeats(tensor: Tensor, position: int) -> bool:
    return position < 0 or tensor.shape[position] == 1
