"""Convolutions, plain and transposed, with groups or without."""

import math

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
from mirtrim.units.labels import Ids


def _convolution(call: Call, dims: int, transposed: bool) -> None:
    call.run()
    trace = call.trace
    tensor, weight = call.argument(0, "input"), call.argument(1, "weight")
    bias = call.argument(2, "bias")
    groups = int.__index__(call.argument(6, "groups", 1))
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
        if owner is None:
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


def _register_convolutions() -> None:
    for dims in (1, 2, 3):

        def plain(call: Call, dims: int = dims) -> None:
            _convolution(call, dims, transposed=False)

        def transposed(call: Call, dims: int = dims) -> None:
            _convolution(call, dims, transposed=True)

        handles(f"conv{dims}d")(plain)
        handles(f"conv_transpose{dims}d")(transposed)


_register_convolutions()
