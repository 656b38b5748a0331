"""Matrix products: with a parameter on the right they are linear layers without a module."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mirtrim.units.gated_calls import ADDED_PRODUCTS, PRODUCTS
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.operations import HANDLERS, Call
from mirtrim.units.handlers.weighted import bind_weight, no_units, reads, weight_origins
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
    where = {name for name, _ in found}
    if not found:
        trace.findings.macs.append((math.prod(sizes.values()), ()))
        for tensor, _ in operands:
            parameter = trace.name_of(tensor)
            if parameter is not None and trace.is_frozen(parameter):
                trace.findings.constants.add(parameter)
        call.unknown()
        return
    if len(where) > 1:
        call.unknown("multiplies units along one dimension with units along another")
        return
    name, first = found[0]
    ids = first.ids
    summed = name not in result
    for tensor, names in operands:
        if name not in names or tensor.shape[names.index(name)] == 1:
            trace.fix_tensor(tensor)
            continue
        known = call.label(tensor)
        if isinstance(known, Label) and known.axis is not None:
            ledger.unite(ids, known.ids, f"they are multiplied with others in {call.place}")
            continue
        unnamed = trace.name_of(tensor) is None
        if summed and unnamed and isinstance(known, Free) and tensor is operands[-1][0]:
            place = names.index(name)
            for parameter, dims in known.origins:
                for position, dim in enumerate(dims):
                    if dim is not None and position == place:
                        trace.bind(parameter, dim, ids)
                    elif dim is not None:
                        trace.findings.rigid.add((parameter, dim))
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
