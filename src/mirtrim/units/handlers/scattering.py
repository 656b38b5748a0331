"""Entries that are moved along one dimension, each to a position of its own."""

from typing import Any

from torch import Tensor

from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.labels import Free, Label


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
