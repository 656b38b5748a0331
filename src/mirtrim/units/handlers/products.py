"""Matrix products: with a parameter on the right they are linear layers without a module."""

import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from mirtrim.units.gated_calls import PRODUCTS
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.operations import HANDLERS, Call
from mirtrim.units.labels import Free, Ids, Label


def _product(call: Call) -> None:
    """left (…, rows, inner) @ right (…, inner, columns)."""
    call.run()
    left, right = call.args[0], call.argument(1, "other", call.kwargs.get("mat2"))
    if right is None:
        call.unknown()
        return
    one = call.units(left)
    name = call.trace.name_of(right)
    weighted = name is not None and isinstance(right, nn.Parameter) and right.dim() == 2
    if weighted and name is not None and one is not None and one.axis == left.dim() - 1:
        _linear(call, one, right, name)
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
        call.set_all(ledger.depend(np.unique(ids)))
    else:
        call.unknown("sums over units that only one side has")


def _linear(call: Call, label: Label, weight: Tensor, name: str) -> None:
    trace, layout = call.trace, RowLayout(dim=1)
    rows: Ids = trace.rows(name, 1, weight.shape[1], "linear", layout)
    trace.bind(name, 0, label.ids)
    trace.bind(name, 1, rows)
    positions = math.prod(call.out.shape[:-1])
    trace.findings.macs.append((positions, (rows, np.asarray(label.ids))))
    call.set_all(Label(call.out.dim() - 1, rows, name))


for _function in PRODUCTS:
    HANDLERS[_function] = _product
