"""Taking a part of a tensor by slices and indices, and entries moved along one dimension."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.handlers.moving import look_up, place_dims
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.slicing import bounds, cut_axis, ids_along, pin_to, section
from mirtrim.units.labels import IMMORTAL, Free, Label
from mirtrim.units.sizes import AdaptiveInt, plain_sizes


@handles(torch.Tensor.__getitem__)
def getitem(call: Call) -> None:
    tensor, index = call.args
    items = [_counted(i) for i in (index if isinstance(index, tuple) else (index,))]
    if any(isinstance(i, Tensor | list | np.ndarray | bool) for i in items):
        _advanced(call, tensor, items)
        return
    used = sum(i is not None and i is not Ellipsis for i in items)
    if Ellipsis not in items:
        items.append(Ellipsis)
    at = items.index(Ellipsis)
    items[at : at + 1] = [slice(None)] * (tensor.dim() - used)
    order: list[int | None] = []
    cuts: list[tuple[int, Any]] = []
    dim = 0
    for item in items:
        if item is None:
            order.append(None)
            continue
        if isinstance(item, slice):
            order.append(dim)
            if not (item.start is None and item.stop is None and item.step is None):
                cuts.append((dim, item))
        else:
            cuts.append((dim, item))
        dim += 1
    _take(call, tensor, order, cuts)


def _counted(item: Any) -> Any:
    """A slice whose bounds are integers, where some are tensors or NumPy's that hold one."""
    if isinstance(item, np.integer):
        return int(item)
    if isinstance(item, slice) and any(isinstance(b, Tensor | np.integer) for b in bounds(item)):
        return slice(*(int(b) if isinstance(b, Tensor | np.integer) else b for b in bounds(item)))
    return item


def _take(
    call: Call,
    tensor: Tensor,
    order: Sequence[int | None],
    cuts: Sequence[tuple[int, Any]],
    *,
    exact: bool = False,
) -> None:
    """Label a result that holds slices or single positions (`cuts`) of some dimensions.

    Args:
        exact: whether a slice that reaches too far would fail.
    """
    label = call.label(tensor)
    if isinstance(label, Free):
        kept = [d for d in order if d is None or tensor.shape[d] > 0]
        for dim, item in cuts:
            label = _part(call, label, dim, item, exact)
        place_dims(call, tensor, kept, label)
        return
    axis = label.axis if label is not None else None
    for dim, item in cuts:
        if dim != axis:
            for bound in (item.start, item.stop) if isinstance(item, slice) else (item,):
                if isinstance(bound, AdaptiveInt):
                    bound.fix(call.name)
            continue
        assert label is not None
        if isinstance(item, slice):
            label = Label(axis, cut_axis(call, label.ids, item, exact=exact))
        else:
            position = int.__index__(item)
            pin_to(call, label.ids, position, position >= 0)
            if isinstance(item, AdaptiveInt):
                item.fix(call.name)
            call.set_all(IMMORTAL)
            return
    if label is None or axis is None:
        call.set_all(label)
    elif not len(label.ids):
        call.unknown("takes no unit at all")
    else:
        call.set_all(label.moved(list(order).index(axis)))


def _part(call: Call, label: Free, dim: int, item: Any, exact: bool) -> Free:
    """Label of some positions of what was made from parameters, which stays whole there unless
    a slice follows units."""
    size = call.args[0].shape[dim]
    if isinstance(item, slice) and item.step in (None, 1):
        start, stop, _ = slice(*map(plain_sizes, bounds(item))).indices(size)
        follows = any(isinstance(bound, AdaptiveInt) for bound in bounds(item))
        ids = ids_along(call, label, dim, size) if follows and start < stop else None
        if ids is not None:
            cut_axis(call, ids, item, exact=exact)
            return section(call, label, dim, start, stop)
    call.trace.fix_dim(label, dim)
    return label


def _advanced(call: Call, tensor: Tensor, items: list[Any]) -> None:
    """Tensor indices: followed where they leave the dimension of units alone."""
    if isinstance(call.label(tensor), Free):
        _look_up(call, tensor, items)
        return
    label = call.units(tensor)
    arrays = [i for i in items if isinstance(i, Tensor | list | np.ndarray | bool)]
    if label is None or label.axis is None:
        call.unknown()
        return
    if any(call.units(i) is not None for i in arrays if isinstance(i, Tensor)):
        call.unknown("picks by an index that depends on units")
        return
    # The same indexing on a tensor of ids that takes no memory shows where the units went.
    shape = [1] * tensor.dim()
    shape[label.axis] = len(label.ids)
    items = [_not_empty(i) for i in items] if 0 in call.out.shape else items
    index = tuple(items) if len(items) > 1 else items[0]
    grid = torch.from_numpy(label.ids).reshape(shape).expand(tensor.shape)[index].numpy()
    varying = [
        d for d in range(grid.ndim) if grid.shape[d] > 1 and (grid != grid.take([0], axis=d)).any()
    ]
    if len(varying) != 1 or grid.shape[varying[0]] != len(label.ids):
        call.unknown("picks units by an index tensor")
        return
    ids = np.moveaxis(grid, varying[0], 0).reshape(len(label.ids), -1)[:, 0]
    if not np.array_equal(ids, label.ids):
        call.unknown("picks units by an index tensor")
        return
    call.set_all(Label(varying[0], ids))


def _not_empty(item: Any) -> Any:
    """An index that picks something, in the place of one that picks nothing."""
    if not isinstance(item, Tensor) or item.dim() == 0:
        return item
    if item.dtype is torch.bool:
        some = item.clone()
        some.view(-1)[:1] = True
        return some
    return item if item.numel() else item.new_zeros([size or 1 for size in item.shape])


def _look_up(call: Call, tensor: Tensor, items: list[Any]) -> None:
    """Rows of a table that is a parameter, as relative positions are looked up."""
    index, *rest = items
    plain = isinstance(index, Tensor) and index.dtype in (torch.int32, torch.int64)
    if not plain or any(i != slice(None) for i in rest) or call.units(index) is not None:
        call.unknown()
        return
    look_up(call, tensor, [*[None] * index.dim(), *range(1, tensor.dim())], 0)


@handles("narrow")
def narrow(call: Call) -> None:
    """A run of positions along one dimension."""
    tensor = call.args[0]
    dim = call.argument(1, "dim") % tensor.dim()
    start, length = call.argument(2, "start"), call.argument(3, "length")
    if isinstance(start, Tensor):
        call.unknown()
        return
    stop = start + length
    if type(start) is int and start < 0 and not stop.__index__():
        stop = None
    _take(call, tensor, range(tensor.dim()), [(dim, slice(start, stop))], exact=True)


@handles("select")
def select(call: Call) -> None:
    """One position of one dimension."""
    tensor = call.args[0]
    dim = call.argument(1, "dim") % tensor.dim()
    order = [d for d in range(tensor.dim()) if d != dim]
    _take(call, tensor, order, [(dim, call.argument(2, "index"))])


@handles("index_select")
def index_select(call: Call) -> None:
    """Positions along one dimension, in any order."""
    tensor, index = call.argument(0, "input"), call.argument(2, "index")
    dim = call.argument(1, "dim") % tensor.dim()
    label = call.label(tensor)
    if isinstance(index, Tensor) and call.units(index) is not None:
        call.unknown("picks by an index that depends on units")
    elif isinstance(label, Label) and label.axis == dim:
        call.unknown("picks units by an index tensor")
    elif label is None or (isinstance(label, Label) and label.axis is None):
        call.unknown()
    else:
        look_up(call, tensor, [None if d == dim else d for d in range(tensor.dim())], dim)


@handles("gather take_along_dim")
def gather(call: Call) -> None:
    """Entries along one dimension, each at a position of its own."""
    tensor = call.argument(0, "input")
    if call.name == "gather":
        dim, index = call.argument(1, "dim"), call.argument(2, "index")
    else:
        dim, index = call.argument(2, "dim"), call.argument(1, "indices")
        if dim is not None and _picks_alike(call, tensor, index, dim):
            return
    _along_others(call, dim, tensor, index)


def _picks_alike(call: Call, tensor: Tensor, index: Tensor, dim: int) -> bool:
    """Label entries that one index picks for every unit; whether it does."""
    label, picks = call.units(tensor), call.label(index)
    if label is None or label.axis in (None, dim % tensor.dim()) or call.units(index) is not None:
        return False
    if index.dim() != tensor.dim() or index.shape[label.axis] != 1 or isinstance(picks, Free):
        return False
    if not call.blocked((tensor, index)):
        call.set_all(Label(label.axis, label.ids))
    return True


@handles("index_add index_copy index_fill scatter scatter_add scatter_reduce")
def write_along(call: Call) -> None:
    """Entries put into some positions of one dimension."""
    tensor, dim, index = call.args[0], call.argument(1, "dim"), call.argument(2, "index")
    source = call.argument(3, "source", call.kwargs.get("src", call.kwargs.get("value")))
    given = [source] if isinstance(source, Tensor) and source.dim() else []
    whole = call.name.startswith("scatter")
    if not whole and call.units(index) is not None:
        call.unknown("picks by an index that depends on units")
        return
    _along_others(call, dim, tensor, *([index, *given] if whole else given))


def _along_others(call: Call, dim: Any, tensor: Tensor, *others: Tensor) -> None:
    """Label a result for which positions change along `dim` only.

    Units lie along another dimension, there everything that takes part has them: what it says
    of one unit it does not say of the next.
    """
    labels = [call.label(t) for t in (tensor, *others)]
    located = [x for x in labels if isinstance(x, Label) and x.axis is not None]
    if not located or dim is None or call.blocked((tensor, *others)):
        call.unknown()
        return
    first = located[0]
    axis = first.axis
    assert axis is not None
    alike = all(isinstance(x, Label) and x.axis == axis for x in labels)
    if not alike or dim % tensor.dim() == axis:
        call.unknown("picks units by an index tensor")
        return
    for label in located[1:]:
        call.trace.ledger.unite(first.ids, label.ids, f"they are picked alike in {call.place}")
    call.set_all(Label(axis, first.ids))
