"""Layers: convolutions, linear and bilinear layers, embeddings."""

import math
from typing import Any

import torch
from torch import nn

from mirtrim.units.gated_calls import CONVOLUTIONS
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.moving import look_up
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.weights import (
    bind_weight,
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
from mirtrim.units.labels import Free, Ids, Label
from mirtrim.units.sizes import AdaptiveInt


@handles(*CONVOLUTIONS)
def convolution(call: Call) -> None:
    """x (…, in, positions …), weight (out, in / groups, taps …), or (in, out / groups, taps …) if
    it is transposed: units along the dimension before the positions."""
    trace = call.trace
    tensor, weight = call.argument(0, "input"), call.argument(1, "weight")
    given, transposed = call.argument(6, "groups", 1), CONVOLUTIONS[call.func] == 0
    groups, axis = int.__index__(given), tensor.dim() - weight.dim() + 1
    if _filters(call, axis, given):
        return
    origins = weight_origins(call, weight)
    if not origins:
        constant_kernel(call, tensor)
        return
    label = call.units(tensor)
    if label is not None and label.axis is not None and label.axis > axis:
        call.unknown("slides over the dimension along which units lie")
        return
    carried = label if label is not None and label.axis != axis else None
    channels, made = tensor.shape[axis], call.out.shape[axis]
    incoming = label.ids if label is not None and carried is None else None
    if incoming is None:
        incoming = no_units(call, tensor, channels)
    owner = owner_attribute(call, nn.modules.conv._ConvNd, weight, origins[0][0])
    layout = RowLayout(dim=1) if transposed else RowLayout()
    if transposed and groups > 1:
        layout = RowLayout(parts=groups)
    rows = rows_of(call, origins, weight, "conv", layout, label)
    reason = f"{call.place} has {groups} groups"
    factors: tuple[Ids, ...]
    if groups > 1 and groups == channels:
        if _counts(given, groups):
            trace.ledger.unite(given.whole, incoming, reason)
        elif owner is None:
            trace.ledger.pin(incoming, f"{reason} and is not a module")
            trace.ledger.pin(rows, f"{reason} and is not a module")
        trace.ledger.unite(rows.reshape(groups, -1), incoming.reshape(groups, 1), reason)
        note_width(call, owner, "groups", incoming)
        factors = (rows,)
    else:
        trace.ledger.unite_pieces(incoming, groups, reason)
        trace.ledger.unite_pieces(rows, groups, reason)
        factors = (rows, incoming[: channels // groups])
        if transposed:
            factors = (incoming, rows[: made // groups])
    if transposed:
        reads(call, weight, origins, 0, incoming)
    for inner in factors[1:]:
        if transposed:
            bind_weight(call, origins, 1, inner)
        else:
            reads(call, weight, origins, 1, inner)
    bias = call.argument(2, "bias")
    label_result(call, origins, rows, bias, axis, carried, dim=-1 if transposed else 0)
    note_width(call, owner, "in_channels", incoming)
    note_width(call, owner, "out_channels", rows)
    # Positions of the sum: outputs for a convolution, inputs for a transposed one.
    summed = tensor if transposed else call.out
    positions = math.prod(summed.shape) // summed.shape[axis] * math.prod(weight.shape[2:])
    if carried is not None:
        positions, factors = positions // len(carried.ids), (*factors, carried.ids)
    trace.findings.macs.append((positions, factors))


def _counts(given: Any, groups: int) -> bool:
    """Whether the number of groups is the size of a dimension."""
    return isinstance(given, AdaptiveInt) and given.whole is not None and len(given.whole) == groups


def _filters(call: Call, axis: int, given: Any) -> bool:
    """Label units that are filtered one by one, as blurring does; whether that is so.

    The kernels are no layer: one for each unit, made for as many as there are, or buffers.
    """
    trace, tensor, weight = call.trace, call.argument(0, "input"), call.argument(1, "weight")
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


@handles("linear")
def linear(call: Call) -> None:
    """x (…, in), weight (out, in): units along the last dimension."""
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
    label = call.units(tensor)
    last = tensor.dim() - 1
    carried = label if label is not None and label.axis != last else None
    columns = label.ids if label is not None and carried is None else None
    rows = rows_of(call, origins, weight, "linear", RowLayout(), label)
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


@handles("embedding_bag", nn.functional.embedding, torch.embedding)
def embedding(call: Call) -> None:
    """Indices (…), weight (entries, units): entries, or sums or extremes of some in bags."""
    indices, weight = call.argument(0, "input"), call.argument(1, "weight")
    shares = call.argument(8, "per_sample_weights")
    if shares is not None and call.units(shares) is not None:
        call.unknown("weighs entries by units")
        return
    origins = weight_origins(call, weight)
    if not origins or call.units(indices) is not None:
        call.unknown("looks up entries by indices that depend on units")
        return
    if call.argument(3, "max_norm") is not None:
        call.unknown("renormalises its weight (max_norm)")
        call.trace.fix_tensor(weight)
        return
    if call.trace.is_buffer(origins[0][0]):
        # A constant table makes no units; it is cut along with those that it meets.
        look_up(call, weight, [*[None] * (call.out.dim() - 1), 1], 0)
        return
    for name, dims in origins:
        if dims[0] is not None:
            call.trace.findings.rigid.add((name, dims[0]))  # entries are looked up by number
    layout = RowLayout(dim=1)
    rows = rows_of(call, origins, weight, "embedding", layout, None)
    owner = owner_attribute(call, nn.Embedding | nn.EmbeddingBag, weight, origins[0][0])
    note_width(call, owner, "embedding_dim", rows)
    label_result(call, origins, rows, None, call.out.dim() - 1, None, dim=1)
