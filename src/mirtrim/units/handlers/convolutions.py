"""Convolutions, plain and transposed, with groups or without."""

import math
from typing import Any

from torch import nn

from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.weights import (
    bind_weight,
    constant_kernel,
    label_result,
    no_units,
    note_width,
    owner_attribute,
    reads,
    rows_of,
    weight_origins,
)
from mirtrim.units.labels import Free, Ids, Label
from mirtrim.units.sizes import AdaptiveInt


def _convolution(call: Call, dims: int, transposed: bool) -> None:
    call.run()
    trace = call.trace
    tensor, weight = call.argument(0, "input"), call.argument(1, "weight")
    bias = call.argument(2, "bias")
    given = call.argument(6, "groups", 1)
    groups = int.__index__(given)
    if _filters(call, dims, given):
        return
    origins = weight_origins(call, weight)
    if not origins:
        constant_kernel(call, tensor)
        return
    name = origins[0][0]
    axis = tensor.dim() - dims - 1
    label = call.units(tensor)
    if label is not None and label.axis is not None and label.axis > axis:
        call.unknown("slides over the dimension along which units lie")
        return
    carried = label if label is not None and label.axis != axis else None
    channels, made = tensor.shape[axis], call.out.shape[axis]
    incoming = label.ids if label is not None and carried is None else None
    if incoming is None:
        incoming = no_units(call, tensor, channels)
    owner = owner_attribute(call, nn.modules.conv._ConvNd, weight, name)
    layout = RowLayout(dim=1 if transposed and groups == 1 else 0)
    if transposed and groups > 1:
        layout = RowLayout(parts=groups)
    rows = rows_of(call, origins, weight, made, "conv", layout, label)
    reason = f"{call.place} has {groups} groups"
    # Positions of the sum: outputs for a convolution, inputs for a transposed one.
    summed = tensor if transposed else call.out
    positions = math.prod(summed.shape) // summed.shape[axis] * math.prod(weight.shape[2:])
    if carried is not None:
        positions //= len(carried.ids)
    if groups > 1 and groups == channels:
        if _counts(given, groups):
            trace.ledger.unite(given.whole, incoming, reason)
        elif owner is None:
            trace.ledger.pin(incoming, f"{reason} and is not a module")
            trace.ledger.pin(rows, f"{reason} and is not a module")
        trace.ledger.unite(rows.reshape(groups, -1), incoming.reshape(groups, 1), reason)
        note_width(call, owner, "groups", incoming)
        if transposed:
            reads(call, weight, origins, 0, incoming)
        label_result(call, origins, rows, bias, axis, carried, dim=-1 if transposed else 0)
        factors: tuple[Ids, ...] = (rows,)
    else:
        trace.ledger.unite_pieces(incoming, groups, reason)
        trace.ledger.unite_pieces(rows, groups, reason)
        if transposed:
            reads(call, weight, origins, 0, incoming)
            bind_weight(call, origins, 1, rows[: made // groups])
            factors = (incoming, rows[: made // groups])
        else:
            reads(call, weight, origins, 1, incoming[: channels // groups])
            factors = (rows, incoming[: channels // groups])
        label_result(call, origins, rows, bias, axis, carried, dim=-1 if transposed else 0)
    note_width(call, owner, "in_channels", incoming)
    note_width(call, owner, "out_channels", rows)
    if carried is not None:
        factors = (*factors, carried.ids)
    trace.findings.macs.append((positions, factors))


def _counts(given: Any, groups: int) -> bool:
    """Whether the number of groups is the size of a dimension."""
    return isinstance(given, AdaptiveInt) and given.whole is not None and len(given.whole) == groups


def _filters(call: Call, dims: int, given: Any) -> bool:
    """Label units that are filtered one by one, as blurring does; whether that is so.

    The kernels are no layer: one for each unit, made for as many as there are, or buffers.
    """
    trace, tensor, weight = call.trace, call.argument(0, "input"), call.argument(1, "weight")
    axis = tensor.dim() - dims - 1
    label, kernel = call.units(tensor), call.label(weight)
    if label is None or label.axis != axis or not _counts(given, tensor.shape[axis]):
        return False
    if weight.shape[:2] != (len(label.ids), 1):
        return False
    if isinstance(kernel, Free):
        where = [(name, place) for name, along in kernel.origins if (place := along[0]) is not None]
        if 0 in kernel.copied or not all(trace.is_buffer(name) for name, _ in where):
            return False
        for name, place in where:
            trace.bind(name, place, label.ids)
        for dim in range(1, weight.dim()):
            trace.fix_dim(kernel, dim)
    elif isinstance(kernel, Label) and kernel.axis == 0:
        trace.ledger.unite(kernel.ids, label.ids, f"{call.place} has a kernel for each")
    else:
        return False
    trace.ledger.unite(given.whole, label.ids, f"{call.place} has as many groups")
    if (bias := call.argument(2, "bias")) is not None:
        trace.bind_optional(bias, label.ids, call.name)
    call.set_all(label.moved(axis))
    positions = math.prod(call.out.shape) // len(label.ids) * math.prod(weight.shape[2:])
    trace.findings.macs.append((positions, (label.ids,)))
    return True


def _register_convolutions() -> None:
    for dims in (1, 2, 3):

        def plain(call: Call, dims: int = dims) -> None:
            _convolution(call, dims, transposed=False)

        def transposed(call: Call, dims: int = dims) -> None:
            _convolution(call, dims, transposed=True)

        handles(f"conv{dims}d")(plain)
        handles(f"conv_transpose{dims}d")(transposed)


_register_convolutions()
