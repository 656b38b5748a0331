"""Embeddings: entries that are looked up by number, one by one or in bags."""

import torch
from torch import Tensor, nn

from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.moving import look_up
from mirtrim.units.handlers.operations import HANDLERS, Call, handles
from mirtrim.units.handlers.weights import (
    label_result,
    note_width,
    owner_attribute,
    rows_of,
    weight_origins,
)


def _embedding(call: Call) -> None:
    """Indices (…), weight (entries, units)."""
    call.run()
    _entries(call, call.argument(0, "input"), call.argument(1, "weight"))


def _entries(call: Call, indices: Tensor, weight: Tensor) -> None:
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
    rows = rows_of(call, origins, weight, weight.shape[1], "embedding", layout, None)
    owner = owner_attribute(call, nn.Embedding | nn.EmbeddingBag, weight, origins[0][0])
    note_width(call, owner, "embedding_dim", rows)
    label_result(call, origins, rows, None, call.out.dim() - 1, None, dim=1)


HANDLERS[torch.nn.functional.embedding] = _embedding
HANDLERS[torch.embedding] = _embedding


@handles("embedding_bag")
def embedding_bag(call: Call) -> None:
    """Indices in bags, weight (entries, units) → (bags, units): sums or extremes of entries."""
    call.run()
    indices, weight = call.argument(0, "input"), call.argument(1, "weight")
    shares = call.argument(8, "per_sample_weights")
    if shares is not None and call.units(shares) is not None:
        call.unknown("weighs entries by units")
    else:
        _entries(call, indices, weight)
