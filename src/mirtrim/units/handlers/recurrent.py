"""Recurrent layers: one unit is a hidden state, in every gate, layer and direction.

torch keeps one `hidden_size` per module, so layers and directions must keep equally many
units; unit k of one is bound to unit k of the others.

An LSTM may project its hidden states before it hands them on; then both are units. torch tells
by the sizes of the states whether it does, so there are always more hidden states than
projections: hidden state k goes with projection k, and the last one stays.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.gated_calls import CELLS, RECURRENT
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.elementwise import bind_free
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.weights import no_units, note_width
from mirtrim.units.labels import Free, Ids, Label

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


@handles(*RECURRENT, *CELLS)
def recurrent(call: Call) -> None:
    """torch.lstm/gru/rnn_*(input, state, weights, bias, layers, dropout, train, both, batch_first),
    and torch.lstm_cell/gru_cell/rnn_*_cell(input, state, w_ih, w_hh, b_ih, b_hh).

    Packed sequences come as (input, batch sizes, state, weights, …): all steps of all examples
    along one dimension.
    """
    trace, gates = call.trace, _GATES[call.name.removesuffix("_cell")]
    layers, directions, projects = 1, 1, False
    cell = call.func in CELLS
    if cell:
        tensor, states, *weights = call.args
        weights = [w for w in weights if w is not None]
        step = len(weights)
    else:
        tensor, states, weights, biased, layers, _, _, both, *_ = call.args
        if isinstance(call.args[3], list | tuple):
            tensor, _, states, weights, biased, layers, _, _, both = call.args
        layers, directions = int.__index__(layers), 2 if both else 1
        step = 4 if biased else 2
        projects = len(weights) != step * layers * directions
        step += projects
    hidden = weights[1].shape[0] // gates
    incoming = _incoming(call, tensor)
    if incoming is None:
        return
    names = [_named(call, w) for w in weights]
    layout = RowLayout(gates=gates)
    matrices = [w for i, w in enumerate(names) if i % step < 2]
    ids = trace.rows(matrices[0], 0, hidden, "recurrent", layout)
    for name in matrices:
        trace.rows(name, 0, hidden, "recurrent", layout)
    said = _projected(call, names[step - 1 :: step], weights[1].shape[1], ids) if projects else ids
    _state(call, states, said, ids)
    path, module = trace.owner()
    owner = path if isinstance(module, nn.RNNBase | nn.RNNCellBase) else None
    if owner is None and not cell:
        trace.ledger.pin(ids, f"{call.place} is not a module")
    note_width(call, owner, "input_size", incoming)
    note_width(call, owner, "hidden_size", ids)
    if projects:
        note_width(call, owner, "proj_size", said)
    steps = math.prod(tensor.shape[:-1])
    columns, every = incoming, np.tile(ids, gates)
    for layer in range(layers):
        for direction in range(directions):
            start = (layer * directions + direction) * step
            group = names[start : start + step]
            for name in group[: step - projects]:
                trace.bind(name, 0, every)
            trace.bind(group[0], 1, columns)
            trace.bind(group[1], 1, said)
            trace.findings.macs += [(steps, (every, columns)), (steps, (every, said))]
            if projects:
                trace.bind(group[-1], 0, said)
                trace.bind(group[-1], 1, ids)
                trace.findings.macs.append((steps, (said, ids)))
        columns = np.tile(said, directions)
    output, *final = call.out if isinstance(call.out, tuple | list) else (call.out,)
    source = path if directions == 1 and not projects else ""
    trace.set(output, Label(output.dim() - 1, columns, source))
    for state, units in zip(final, (said, ids), strict=False):
        trace.set(state, Label(state.dim() - 1, units, path if cell else ""))


def _projected(call: Call, names: list[str], size: int, hidden: Ids) -> Ids:
    """The units that projections (size, hidden) make, with a layer of their own."""
    ledger = call.trace.ledger
    said: Ids = call.trace.rows(names[0], 0, size, "linear", RowLayout(), apart=True)
    for name in names[1:]:
        call.trace.findings.layers[names[0]].weights.setdefault(name, RowLayout())
    reason = f"there are more hidden states than projections in {call.place}"
    ledger.unite(said, hidden[:size], reason)
    ledger.pin(hidden[-1:], reason)
    return said


def _incoming(call: Call, tensor: Tensor) -> Ids | None:
    """Ids of the input features; None if the case was refused."""
    label = call.units(tensor)
    if label is None:
        return no_units(call, tensor, tensor.shape[-1])
    if label.axis != tensor.dim() - 1:
        call.unknown("runs over the dimension along which units lie")
        return None
    return label.ids


def _named(call: Call, weight: Tensor) -> str:
    name = call.trace.name_of(weight)
    if name is None:
        raise call.fail(
            f"uses a weight {tuple(weight.shape)} that is computed from parameters or none; make "
            "it an ordinary parameter"
        )
    return name


def _state(call: Call, states: Any, *units: Ids) -> None:
    """Initial states: given ones must agree with the hidden units, or with those projected."""
    given = states if isinstance(states, tuple | list) else (states,)
    for state, ids in zip(given, units if len(given) > 1 else units[:1], strict=True):
        label = call.label(state)
        last = state.dim() - 1
        if isinstance(label, Label) and call.trace.ledger.bars(label):
            continue  # refused where it arose
        if isinstance(label, Free):
            bind_free(call, state, label, last, Label(last, ids), state.dim())
        elif label is None:
            call.refuse(
                ids,
                "starts from a constant state of fixed size; leave it out, or make it with the "
                "module's hidden_size",
            )
        elif label.axis is None or label.axis == last:
            call.trace.ledger.unite(
                ids, label.ids, f"its initial state has no units in {call.place}"
            )
        else:
            call.trace.ledger.pin(ids, f"its initial state has other units in {call.place}")
            call.trace.ledger.pin(label.ids, f"they are an initial state in {call.place}")


@handles(torch._pack_padded_sequence, torch._pad_packed_sequence)
def packing(call: Call) -> None:
    """pack_padded_sequence and back: dimensions of batch and time become one, or two again."""
    tensor, packed = call.args[0], call.out[0]
    label = call.label(tensor)
    if isinstance(label, Label) and label.axis is not None:
        axis = label.axis + packed.dim() - tensor.dim()
        if label.axis + (packed.dim() > tensor.dim()) < 2:
            call.unknown("packs the dimension along which units lie")
            return
        label = label.moved(axis)
    call.trace.set(packed, label)
