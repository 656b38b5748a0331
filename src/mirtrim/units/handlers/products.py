"""Matrix products: with a parameter on the right they are linear layers without a module."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mirtrim.units.gated_calls import ADDED_PRODUCTS, PRODUCTS
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.elementwise import bind_free
from mirtrim.units.handlers.operations import HANDLERS, Call
from mirtrim.units.handlers.weights import bind_weight, no_units, reads, weight_origins
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label


def _product(call: Call) -> None:
    """left (…, rows, inner) @ right (…, inner, columns)."""
    call.run()
    left, right = call.args[0], call.argument(1, "other", call.kwargs.get("mat2"))
    if right is None:
        call.unknown()
        return
    if _is_weight(call, left, right):
        _linear(call, left, right)
        return
    if left.dim() == 1 or right.dim() == 1:
        call.unknown("multiplies units by a vector")
        return
    # Dimensions by letters: rows, what is summed over, columns, and those of the batch.
    batch = [f"batch {d}" for d in range(max(left.dim(), right.dim()), 2, -1)]
    rows = [*batch[len(batch) - left.dim() + 2 :], "row", "inner"]
    columns = [*batch[len(batch) - right.dim() + 2 :], "inner", "column"]
    contract(call, [(left, rows), (right, columns)], [*batch, "row", "column"])


def contract(
    call: Call, operands: Sequence[tuple[Tensor, Sequence[str]]], result: Sequence[str]
) -> None:
    """Label a sum of products of `operands`.

    Args:
        operands: tensors with a name for each of their dimensions; equal names run together,
            and are summed over if they are not in `result`.
        result: names of the dimensions of the result.
    """
    if call.blocked([tensor for tensor, _ in operands]):
        return
    trace, ledger = call.trace, call.trace.ledger
    sizes: dict[str, int] = {}
    for tensor, names in operands:
        for name, size in zip(names, tensor.shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    found = [
        (names[label.axis], label)
        for tensor, names in operands
        if (label := call.units(tensor)) is not None and label.axis is not None
    ]
    if not found:
        trace.findings.macs.append((math.prod(sizes.values()), ()))
        for tensor, _ in operands:
            parameter = trace.name_of(tensor)
            if parameter is not None and trace.is_frozen(parameter):
                trace.findings.constants.add(parameter)
        call.unknown()
        return
    name, ids = _along_one(call, operands, found)
    summed = name not in result
    for tensor, names in operands:
        if name not in names or tensor.shape[names.index(name)] == 1:
            trace.fix_tensor(tensor)
            continue
        known = call.label(tensor)
        if isinstance(known, Label) and known.axis is not None and names[known.axis] == name:
            ledger.unite(ids, known.ids, f"they are multiplied with others in {call.place}")
            continue
        unnamed = trace.name_of(tensor) is None and tensor is operands[-1][0]
        if isinstance(known, Free) and (unnamed or not summed):
            place = names.index(name)
            bind_free(call, tensor, known, place, Label(place, ids), tensor.dim())
            continue
        trace.fix_tensor(tensor)
        what = "sums over units with" if summed else "multiplies units with"
        if known is None or summed:
            call.refuse(ids, f"{what} a matrix that has no units")
        else:
            ledger.unite(ids, np.zeros(1, dtype=np.int64), f"combined in {call.place}")
    others = math.prod(size for letter, size in sizes.items() if letter != name)
    trace.findings.macs.append((others, (ids,)))
    if not summed:
        call.set_all(Label(list(result).index(name), ids))
        return
    names = operands[-1][1]
    if name in names:
        call.gate = ("operand", list(names).index(name), ids)
        # Behind a sum there are no units any more, as behind a linear layer.
        call.set_all(IMMORTAL)
    else:
        call.unknown("sums over units that only one side has")


def _along_one(
    call: Call,
    operands: Sequence[tuple[Tensor, Sequence[str]]],
    found: list[tuple[str, Label]],
) -> tuple[str, Ids]:
    """The dimension along which units can go, and those units.

    Where units lie along several, the others stay. Kept are, if there are such, units that are
    not fixed already, that every operand has along that dimension, and the longest of these.
    """

    def freedom(one: tuple[str, Label]) -> tuple[bool, bool, int]:
        name, label = one
        labels = [
            (call.label(tensor), names.index(name))
            for tensor, names in operands
            if name in names and tensor.shape[names.index(name)] > 1
        ]
        shared = all(isinstance(x, Free) or (x is not None and x.axis == d) for x, d in labels)
        return not call.trace.ledger.stays(label.ids), shared, len(label.ids)

    name, kept = found[0]
    if any(other != name for other, _ in found):
        name, kept = max(found, key=freedom)
    for other, label in found:
        if other != name:
            call.refuse(label.ids, "multiplies units along one dimension with units along another")
    return name, kept.ids


def _is_weight(call: Call, left: Tensor, right: Tensor) -> bool:
    """Whether `right` is a parameter, as it is or transposed, that makes units of `left`."""
    free, one = call.label(right), call.label(left)
    if right.dim() != 2 or left.dim() < 2 or not isinstance(free, Free) or len(free.origins) > 1:
        return False
    ((name, dims),) = free.origins
    # A frozen matrix that reads an input is a front end, not a layer.
    constant = call.trace.is_buffer(name) or call.trace.is_frozen(name)
    if constant or not isinstance(one, Label) or one.axis not in (None, left.dim() - 1):
        return False
    # A matrix that is used both ways round makes units one way only: the way it is used first.
    known = call.trace.findings.layers.get(name)
    return None not in dims and (known is None or known.weights[name].dim == dims[1])


def _linear(call: Call, left: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
    """left (…, in) @ weight (in, units)."""
    trace, origins = call.trace, weight_origins(call, weight)
    ((name, (_, place)),) = origins
    assert place is not None
    label = call.units(left)
    columns = no_units(call, left, weight.shape[0]) if label is None else label.ids
    rows: Ids = trace.rows(name, place, weight.shape[1], "linear", RowLayout(dim=place))
    reads(call, weight, origins, 0, columns)
    bind_weight(call, origins, 1, rows)
    if bias is not None:
        trace.bind_optional(bias, rows, call.name)
    positions = math.prod(call.out.shape[:-1])
    trace.findings.macs.append((positions, (rows, np.asarray(columns))))
    call.set_all(Label(call.out.dim() - 1, rows, name) if rows.any() else IMMORTAL)


def einsum_layer(
    call: Call, operands: Sequence[tuple[Tensor, Sequence[str]]], result: Sequence[str]
) -> bool:
    """Label a sum of products with a parameter that makes units, like a linear layer.

    Args:
        operands, result: as for `contract`.

    Returns:
        Whether it is one; if not, nothing was done.
    """
    trace = call.trace
    weights = [one for one in operands if isinstance(call.label(one[0]), Free)]
    if len(operands) != 2 or len(weights) != 1 or call.blocked([t for t, _ in operands]):
        return False
    weight, names = weights[0]
    ((tensor, letters),) = [one for one in operands if one[0] is not weight]
    free, label = call.label(weight), call.label(tensor)
    assert isinstance(free, Free)
    if len(free.origins) > 1 or None in free.origins[0][1] or not isinstance(label, Label):
        return False
    ((name, dims),) = free.origins
    read = None if label.axis is None else letters[label.axis]
    inner = [n for n in names if n in letters and n not in result]
    made = [n for n in names if n not in letters and n in result]
    constant = trace.is_buffer(name) or trace.is_frozen(name)
    if constant or not inner or not made or read not in (None, *inner):
        return False
    unit = made[trace.choose(len(made))] if len(made) > 1 else made[0]
    at, place = list(names).index(unit), dims[list(names).index(unit)]
    known = trace.findings.layers.get(name)
    assert place is not None
    if known is not None and known.weights[name].dim != place:
        return False
    rows: Ids = trace.rows(name, place, weight.shape[at], "linear", RowLayout(dim=place))
    columns = no_units(call, tensor, 1) if read is None else label.ids
    for position, (letter, dim) in enumerate(zip(names, dims, strict=True)):
        if letter == unit:
            trace.bind(name, place, rows)
        elif letter == read and dim is not None:
            trace.bind(name, dim, columns)
        else:
            trace.fix_dim(free, position)
    if read is not None:
        call.gate = ("operand", list(operands[-1][1]).index(read), columns)
    every = math.prod(weight.shape) * math.prod(
        size for size, n in zip(tensor.shape, letters, strict=True) if n not in names
    )
    trace.findings.macs.append((every // len(rows) // len(columns), (rows, np.asarray(columns))))
    call.set_all(Label(list(result).index(unit), rows, name) if rows.any() else IMMORTAL)
    return True


def _added_product(call: Call) -> None:
    """bias (units) + left (rows, in) @ right (in, units)."""
    call.run()
    bias, left, right = call.args[0], call.argument(1, "mat1"), call.argument(2, "mat2")
    if bias.shape == right.shape[1:] and _is_weight(call, left, right):
        _linear(call, left, right, bias)
    else:
        call.unknown()


for _function in PRODUCTS:
    HANDLERS[_function] = _product
for _function in ADDED_PRODUCTS:
    HANDLERS[_function] = _added_product
