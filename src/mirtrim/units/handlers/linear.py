"""Linear and bilinear layers: units out of units along the last dimension."""

import math

from torch import nn

from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.weights import (
    constant_kernel,
    label_result,
    learned_units,
    no_units,
    note_width,
    owner_attribute,
    reads,
    rows_of,
    weight_origins,
)
from mirtrim.units.labels import Ids


@handles("linear")
def linear(call: Call) -> None:
    """x (…, in), weight (out, in): units along the last dimension."""
    call.run()
    trace = call.trace
    tensor, weight = call.argument(0, "input"), call.argument(1, "weight")
    origins = weight_origins(call, weight)
    if not origins:
        constant_kernel(call, tensor)
        return
    name = origins[0][0]
    if weight.dim() == 1:
        call.unknown("multiplies units by a vector")
        return
    units = weight.shape[0]
    label = call.units(tensor)
    last = tensor.dim() - 1
    carried = label if label is not None and label.axis != last else None
    columns = label.ids if label is not None and carried is None else None
    rows = rows_of(call, origins, weight, units, "linear", RowLayout(), label)
    owner = owner_attribute(call, nn.Linear, weight, name)
    if columns is None:
        columns = learned_units(call, tensor, last)
    reads(call, weight, origins, 1, columns)
    note_width(call, owner, "in_features", columns)
    note_width(call, owner, "out_features", rows)
    positions = math.prod(tensor.shape[:-1])
    label_result(call, origins, rows, call.argument(2, "bias"), last, carried)
    factors: tuple[Ids, ...] = (rows, columns)
    if carried is not None:
        positions, factors = positions // len(carried.ids), (*factors, carried.ids)
    trace.findings.macs.append((positions, factors))


@handles("bilinear")
def bilinear(call: Call) -> None:
    """x (…, in1), y (…, in2), weight (out, in1, in2): units of each along the last dimension."""
    call.run()
    trace = call.trace
    tensors = [call.argument(i, f"input{i + 1}") for i in range(2)]
    weight, last = call.argument(2, "weight"), call.out.dim() - 1
    name = trace.name_of(weight)
    if name is None:
        call.unknown("uses a weight that is no parameter")
        return
    labels = [call.units(tensor) for tensor in tensors]
    if call.blocked(tensors) or any(one and one.axis != last for one in labels):
        call.unknown("multiplies units along another dimension than the last")
        return
    fixed = f"{name} is a buffer" if trace.is_buffer(name) else ""
    rows = trace.rows(name, 0, weight.shape[0], "linear", RowLayout(), fixed)
    owner = owner_attribute(call, nn.Bilinear, weight, name)
    factors = [rows]
    for number, (tensor, label) in enumerate(zip(tensors, labels, strict=True), 1):
        ids = no_units(call, tensor, weight.shape[number]) if label is None else label.ids
        trace.bind(name, number, ids)
        note_width(call, owner, f"in{number}_features", ids)
        factors.append(ids)
    note_width(call, owner, "out_features", rows)
    origins = ((name, (0, 1, 2)),)
    label_result(call, origins, rows, call.argument(3, "bias"), last, None)
    trace.findings.macs.append((math.prod(call.out.shape[:-1]), tuple(factors)))
