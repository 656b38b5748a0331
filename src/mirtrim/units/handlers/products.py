"""Matrix products: with a parameter on the right they are linear layers without a module."""

import math

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import ADDED_PRODUCTS, PRODUCTS, right_operand
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.contracting import sum_of_products
from mirtrim.units.handlers.elementwise import combine_into
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.weights import bind_weight, no_units, origins_along, reads
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label


@handles(*PRODUCTS)
def product(call: Call) -> None:
    """left (…, rows, inner) @ right (…, inner, columns)."""
    left = call.argument(0, "input")
    right, _ = right_operand(call.func, call.args, call.kwargs)
    if _is_weight(call, left, right):
        _linear(call, left, right)
    else:
        multiply(call, left, right)


def multiply(call: Call, left: Tensor, right: Tensor) -> None:
    """Label left @ right as a sum of products; either may be a vector."""
    # Dimensions by letters: rows, what is summed over, columns, and those of the batch.
    batch = [f"batch {d}" for d in range(max(left.dim(), right.dim()), 2, -1)]
    rows = [*batch[len(batch) - left.dim() + 2 :], "row", "inner"] if left.dim() > 1 else ["inner"]
    columns = ["inner"]
    if right.dim() > 1:
        columns = [*batch[len(batch) - right.dim() + 2 :], "inner", "column"]
    result = [*batch, *(n for n in ("row", "column") if n in (*rows, *columns))]
    sum_of_products(call, [(left, rows), (right, columns)], result)


def _is_weight(call: Call, left: Tensor, right: Tensor) -> bool:
    """Whether `right` is a parameter, as it is or transposed, that makes units of `left`."""
    free, one = call.label(right), call.label(left)
    if right.dim() != 2 or left.dim() < 2 or not isinstance(free, Free):
        return False
    origins = origins_along(free, right, 1)
    if not origins or not isinstance(one, Label) or one.axis not in (None, left.dim() - 1):
        return False
    trace, (name, dims) = call.trace, origins[0]
    # A frozen matrix that reads an input is a front end, not a layer.
    frozen = one.axis is None and all(trace.is_frozen(one) for one, _ in origins)
    if trace.is_buffer(name) or frozen or dims[1] is None:
        return False
    # A matrix that is used both ways round makes units one way only: the way it is used first.
    known = trace.findings.layers.get(name)
    return known is None or (name in known.weights and known.weights[name].dim == dims[1])


def _linear(call: Call, left: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
    """left (…, in) @ weight (in, units)."""
    trace, free = call.trace, call.label(weight)
    assert isinstance(free, Free)
    origins = origins_along(free, weight, 1)
    name, (_, place) = origins[0]
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


@handles(*ADDED_PRODUCTS)
def added_product(call: Call) -> None:
    """something + left (…, rows, inner) @ right (…, inner, columns), each times a number."""
    named = next((k for k in ("mat1", "batch1", "mat") if k in call.kwargs), "")
    added, left = call.argument(0, "input"), call.argument(1, named)
    right, _ = right_operand(call.func, call.args, call.kwargs)
    if added.shape == right.shape[1:] and _is_weight(call, left, right):
        _linear(call, left, right, added)
        return
    multiply(call, left, right)
    combine_into(call, call.out, [added, call.out])


@handles(torch.tensordot)
def tensordot(call: Call) -> None:
    """Sums over some dimensions of two tensors: as many of the last and first, or those given."""
    left, right = call.argument(0, "a"), call.argument(1, "b")
    dims = call.argument(2, "dims", 2)
    if isinstance(dims, int):
        dims = (range(left.dim() - dims, left.dim()), range(dims))
    elif isinstance(dims, Tensor):
        dims = dims.tolist()
    one, other = ([d] if isinstance(d, int) else list(d) for d in dims)
    rows = [f"left {d}" for d in range(left.dim())]
    columns = [f"right {d}" for d in range(right.dim())]
    for number, (d, e) in enumerate(zip(one, other, strict=True)):
        rows[d] = columns[e] = f"inner {number}"
    result = [name for name in (*rows, *columns) if not name.startswith("inner")]
    sum_of_products(call, [(left, rows), (right, columns)], result)
