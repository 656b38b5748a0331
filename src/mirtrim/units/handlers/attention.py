"""Attention: heads are units, or units lie within heads; and sums in Einstein's notation."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.gated_calls import ATTENTION, HEADS
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.contracting import sum_of_products
from mirtrim.units.handlers.elementwise import bind_free
from mirtrim.units.handlers.moving import place_dims
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.handlers.weights import note_width
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label


@handles(ATTENTION)
def scaled_dot_product(call: Call) -> None:
    """query (…, L, E), key (…, S, E), value (…, S, F) → (…, L, F).

    Units along a dimension of the batch are heads of their own. Units along E are summed over,
    and set the scale unless the code gives one.
    """
    trace, ledger = call.trace, call.trace.ledger
    tensors = query, key, value = [
        call.argument(i, n) for i, n in enumerate(("query", "key", "value"))
    ]
    if call.blocked(tensors):
        return
    mask = call.argument(3, "attn_mask")
    dims = {t.dim() for t in tensors}
    if len(dims) != 1:
        call.unknown("attends with tensors of different ranks")
        return
    last = dims.pop() - 1
    labels = [call.units(t) for t in tensors]
    axes = [None if label is None else label.axis for label in labels]
    for tensor in tensors:
        trace.fix_tensor(tensor)
    if not any(label is not None for label in labels):
        each = math.prod(query.shape) + math.prod(call.out.shape)
        trace.findings.macs.append((each * key.shape[-2], ()))
        call.unknown()
        return
    found: list[Any] = [label.ids for label in labels if label is not None]
    shared = {axis for axis in axes if axis is not None}
    if len(shared) == 1 and (axis := shared.pop()) < last - 1:
        none = np.zeros(1, dtype=np.int64)
        heads = found[0]
        if labels[0] is None and query.shape[axis] > 1:
            heads = np.broadcast_to(none, query.shape[axis])
        reason = f"heads without units meet them in {call.place}"
        for tensor, label in zip(tensors, labels, strict=True):
            if label is not None or tensor.shape[axis] > 1:
                met = none if label is None else label.ids
                # Where queries share keys, these go with all of their queries.
                ledger.unite(heads.reshape(len(met), -1), met[:, None], reason)
        _mask_of_heads(call, mask, axis - last - 1, heads)
        _count(call, query, key, heads)
        call.set_all(Label(axis, heads))
        return
    if mask is not None and (masking := call.units(mask)) is not None:
        # A table for each of the heads, of which none can go here.
        ledger.pin(masking.ids, f"heads without units meet them in {call.place}")
    one, other, carried = labels
    if any(axis not in (None, last) for axis in axes):
        call.unknown("attends over the dimension along which units lie")
        return
    if one is not None or other is not None:
        if one is None or other is None:
            call.unknown("compares units with something that has none")
            return
        ledger.unite(one.ids, other.ids, f"they are compared in {call.place}")
        if call.argument(6, "scale") is None:
            ledger.pin(one.ids, f"their number sets the scale of {call.place}")
        call.gate = ("operand", last, other.ids)
    positions = math.prod(query.shape[:-1]) * key.shape[-2]
    ids = None if one is None else one.ids
    trace.findings.macs.append((positions, (_all(query.shape[-1], ids),)))
    width = _all(value.shape[-1], None if carried is None else carried.ids)
    trace.findings.macs.append((positions, (width,)))
    if carried is not None:
        call.set_all(Label(last, carried.ids))
    elif ids is not None:
        call.set_all(ledger.depend(np.unique(ids)))


def _mask_of_heads(call: Call, mask: Any, place: int, heads: Ids) -> None:
    """A mask or bias for each head goes with its head, if it knows them."""
    if mask is None or mask.dim() < -place or mask.shape[place] == 1:
        if mask is not None and (label := call.units(mask)) is not None:
            call.trace.ledger.pin(label.ids, f"they mask all heads in {call.place}")
        return
    known, axis = call.label(mask), mask.dim() + place
    ledger = call.trace.ledger
    if isinstance(known, Free):
        bind_free(call, mask, known, axis, Label(axis, heads), mask.dim())
    elif isinstance(known, Label) and known.axis == axis:
        ledger.unite(heads, known.ids, f"heads without units meet them in {call.place}")
    else:
        ledger.pin(heads, f"every head has a mask of its own in {call.place}")
        if isinstance(known, Label):
            ledger.pin(known.ids, f"they mask all heads in {call.place}")


def _all(size: int, ids: Ids | None) -> Ids:
    return np.zeros(size, dtype=np.int64) if ids is None else ids


def _count(call: Call, query: Tensor, key: Tensor, heads: Ids) -> None:
    """Multiply-accumulates of both products."""
    each = math.prod(query.shape) // len(heads) * key.shape[-2]
    each += math.prod(call.out.shape) // len(heads) * key.shape[-2]
    call.trace.findings.macs.append((each, (heads,)))


@handles(torch.einsum)
def einsum(call: Call) -> None:
    """Each letter is a dimension; letters that the result lacks are summed over."""
    equation, operands = call.args[0], call.args[1:]
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        call.unknown()
        return
    left, arrow, right = equation.replace(" ", "").partition("->")
    written = left.split(",")
    if not arrow:
        every = left.replace(",", "").replace(".", "")
        right = "..." * ("..." in left) + "".join(
            sorted(c for c in set(every) if every.count(c) == 1)
        )
    # Dimensions behind dots are counted from the last.
    dotted = [t.dim() - len(w) + 3 for t, w in zip(operands, written, strict=True) if "." in w]
    terms = [_letters(w, t.dim() - len(w) + 3) for t, w in zip(operands, written, strict=True)]
    result = _letters(right, max(dotted, default=0))
    if any(len(set(term)) < len(term) for term in terms):
        call.unknown("takes a diagonal")
        return
    if len(terms) == 1 and set(terms[0]) == set(result):
        place_dims(call, operands[0], [terms[0].index(name) for name in result])
        return
    sum_of_products(call, list(zip(operands, terms, strict=True)), result)


def _letters(term: str, dots: int) -> list[str]:
    """Names of the dimensions of an operand, `dots` of them behind dots."""
    before, found, after = term.partition("...")
    inner = [f"dot {d}" for d in range(dots, 0, -1)] if found else []
    return [*before, *inner, *after]


_NAMES = """
    query key value embed_dim_to_check num_heads in_proj_weight in_proj_bias bias_k bias_v
    add_zero_attn dropout_p out_proj_weight out_proj_bias training key_padding_mask need_weights
    attn_mask use_separate_proj_weight q_proj_weight k_proj_weight v_proj_weight static_k
    static_v average_attn_weights is_causal
"""


@handles(HEADS)
def multihead(call: Call) -> None:
    """The whole of `nn.MultiheadAttention`: (L, N, E) → (L, N, E) and the weights.

    torch wants queries, keys, values and the result of attention as wide as the input. So the
    units of the input and of all four live together, in whole heads: the width of a head sets
    the scale, and stays.
    """
    trace, ledger = call.trace, call.trace.ledger
    given: dict[str, Any] = dict(zip(_NAMES.split(), call.args, strict=False)) | call.kwargs
    query, key, value = given["query"], given["key"], given["value"]
    heads, width = int.__index__(given["num_heads"]), query.shape[-1]
    weights = [given["in_proj_weight"]]
    if given.get("use_separate_proj_weight"):
        weights = [given[f"{x}_proj_weight"] for x in "qkv"]
    names = [trace.name_of(w) for w in (*weights, given["out_proj_weight"])]
    if not all(names) or given.get("static_k") is not None or given.get("static_v") is not None:
        call.unknown("attends with weights that are no parameters")
        return
    for tensor in (query, key, value):
        label = call.units(tensor)
        if label is not None and label.axis != tensor.dim() - 1:
            call.unknown("attends over the dimension along which units lie")
            return
    reading = [_columns(call, t) for t in (query, key, value)]
    units = reading[0]
    reason = f"{call.place} is as wide as its input"
    runs = units.reshape(heads, -1)
    ledger.unite(runs, runs[:, :1], f"{call.place} has {heads} heads")
    path, module = trace.owner()
    owner = path if isinstance(module, nn.MultiheadAttention) else None
    if owner is None:
        ledger.pin(units, f"{call.place} is not a module")
    _masks_of_examples(call, given.get("attn_mask"), units[:: width // heads])
    for index, (name, weight) in enumerate(zip(names, weights, strict=False)):
        assert name is not None
        rows = trace.rows(name, 0, weight.shape[0], "linear", RowLayout())
        ledger.unite(rows.reshape(-1, width), units[None], reason)
        trace.bind(name, 0, rows)
        trace.bind(name, 1, reading[index])
        if len(weights) == 1:
            ledger.unite(units, reading[1], reason)
            ledger.unite(units, reading[2], reason)
    out = str(names[-1])
    result = trace.rows(out, 0, given["out_proj_weight"].shape[0], "linear", RowLayout())
    ledger.unite(result, units, reason)
    trace.bind(out, 0, result)
    trace.bind(out, 1, units)
    for vector in ("in_proj_bias", "bias_k", "bias_v", "out_proj_bias"):
        _bind_last(call, given.get(vector), units)
    if owner is not None:
        for attribute, ids in zip(("embed_dim", "kdim", "vdim"), reading, strict=True):
            note_width(call, owner, attribute, ids)
        note_width(call, owner, "num_heads", units[:: width // heads])
        inner = f"{owner}.out_proj" if owner else "out_proj"
        note_width(call, inner, "in_features", units)
        note_width(call, inner, "out_features", result)
    for tensor, columns in zip((query, key, value), reading, strict=True):
        trace.findings.macs.append((math.prod(tensor.shape[:-1]), (units, columns)))
    positions = math.prod(query.shape[:-1])
    trace.findings.macs += [(2 * positions * key.shape[0], (units,)), (positions, (units, units))]
    output, seen = call.out
    trace.set(output, Label(output.dim() - 1, result) if result.any() else IMMORTAL)
    if seen is not None:
        ids = np.unique(units)
        label = IMMORTAL
        if ids.any():
            label = ledger.suspect(ids[ids != 0], *call.texts("averages over heads"))
        trace.set(seen, label)


def _masks_of_examples(call: Call, mask: Any, heads: Ids) -> None:
    """A mask (N · heads, L, S) is as long as the code that makes it says."""
    if mask is None or mask.dim() < 3:
        return
    label, ledger = call.label(mask), call.trace.ledger
    if isinstance(label, Label) and label.axis == 0:
        every = np.tile(heads, len(label.ids) // len(heads))
        ledger.unite(every, label.ids, f"heads without units meet them in {call.place}")
    else:
        ledger.pin(heads, f"every head has a mask of its own in {call.place}")


def _columns(call: Call, tensor: Tensor) -> Ids:
    """The units along the last dimension; learned queries are as wide as the rest wants them."""
    width, label = tensor.shape[-1], call.label(tensor)
    if isinstance(label, Free):
        ids = call.trace.ledger.fresh(width)
        last = tensor.dim() - 1
        bind_free(call, tensor, label, last, Label(last, ids), tensor.dim())
        return ids if any(dims[last] is not None for _, dims in label.origins) else ids * 0
    found = call.units(tensor)
    return np.zeros(width, dtype=np.int64) if found is None else found.ids


def _bind_last(call: Call, vector: Any, units: Ids) -> None:
    """The last dimension of a bias; that of the input projections has three runs."""
    if vector is None:
        return
    name, last = call.trace.name_of(vector), vector.dim() - 1
    ids = np.tile(units, vector.shape[-1] // len(units))
    if name is None:
        call.refuse(ids, "uses a vector that is neither a parameter nor a buffer")
    else:
        call.trace.bind(name, last, ids)
