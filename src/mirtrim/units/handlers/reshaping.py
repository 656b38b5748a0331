"""Operations that rearrange dimensions: view, reshape, flatten, permute, expand and friends."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.labels import Free, Label
from mirtrim.units.sizes import AdaptiveInt, size_after


def sizes_in(values: Sequence[Any]) -> list[Any]:
    """Sizes given as separate arguments or as one tuple."""
    if len(values) == 1 and isinstance(values[0], tuple | list):
        return list(values[0])
    return list(values)


@handles("view reshape")
def view(call: Call) -> None:
    """Reshape to the sizes given; typed sizes cannot shrink."""
    sizes = sizes_in(call.args[1:]) or list(call.kwargs.get("shape", call.kwargs.get("size", ())))
    if sizes and isinstance(sizes[0], torch.dtype):
        call.unknown()
        return
    relabel(call, call.args[0], sizes)


@handles("flatten ravel")
def flatten(call: Call) -> None:
    """Merge dimensions; all sizes follow by themselves."""
    relabel(call, call.args[0], [-1] * call.out.dim())


@handles("unflatten")
def unflatten(call: Call) -> None:
    """Split one dimension into the sizes given."""
    tensor = call.args[0]
    dim = call.argument(1, "dim") % tensor.dim()
    inner = list(call.argument(2, "sizes"))
    rest = tensor.dim() - dim - 1
    relabel(call, tensor, [-1] * dim + inner + [-1] * rest)


@handles("view_as reshape_as")
def view_as(call: Call) -> None:
    """Reshape to the sizes of another tensor, which move as its units do."""
    sizes: list[Any] = list(call.args[1].shape)
    label = call.units(call.args[1])
    if label is not None and label.axis is not None:
        sizes[label.axis] = call.trace.adaptive(sizes[label.axis], label.ids)
    relabel(call, call.args[0], sizes)


def relabel(call: Call, tensor: Tensor, sizes: Sequence[Any]) -> None:
    """Label `call.out`, the entries of `tensor` in the same order under new sizes.

    Each entry of `sizes` is an int typed in the code (fixed), an `AdaptiveInt` (follows its
    units) or -1 (follows by itself).
    """
    trace, out = call.trace, call.out
    label = call.label(tensor)
    if isinstance(label, Free):
        relabel_free(call, tensor, label, sizes)
        return
    if label is None or label.axis is None:
        fix_all(call, sizes)
        trace.set(out, label)
        return
    before, after = tuple(tensor.shape), tuple(out.shape)
    if 0 in before:
        # As for one entry, where no more than one dimension is empty.
        before, after = (tuple(size or 1 for size in shape) for shape in (before, after))
    if math.prod(before) != math.prod(after):
        call.unknown("has no entries, so its units cannot be followed")
        return
    start, stop, out_start, out_stop = next(
        block for block in _blocks(before, after) if block[0] <= label.axis < block[1]
    )
    entries = np.repeat(label.ids, math.prod(before[label.axis + 1 : stop]))
    entries = np.tile(entries, math.prod(before[start : label.axis]))
    fix_all(call, (*sizes[:out_start], *sizes[out_stop:]))
    if out_stop - out_start == 1:
        settle(call, entries, sizes[out_start])
        source = label.source if len(entries) == len(label.ids) else ""
        trace.set(out, Label(out_start, entries, source))
        return
    trace.set(out, _split(call, entries, after[out_start:out_stop], sizes[out_start:], out_start))


def _blocks(before: Sequence[int], after: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """The smallest runs of dimensions, old and new, that hold the same entries: where each of the
    two begins and ends."""
    i = j = 0
    while i < len(before) and j < len(after):
        start, out_start = i, j
        size, out_size = before[i], after[j]
        i, j = i + 1, j + 1
        while size != out_size:
            if size < out_size:
                size *= before[i]
                i += 1
            else:
                out_size *= after[j]
                j += 1
        yield start, i, out_start, j


def settle(call: Call, ids: np.ndarray, size: Any) -> None:
    """One new dimension holds these units: is its size free to shrink with them?"""
    ledger = call.trace.ledger
    if isinstance(size, AdaptiveInt):
        reason = f"its size is computed from another one in {call.place}"
        ledger.equate(ids, size.terms, reason, unite=True)
    elif size != -1:
        ledger.pin(ids, f"the code fixes the size {size} in {call.place}")


def _split(
    call: Call, entries: np.ndarray, shape: tuple[int, ...], sizes: Sequence[Any], first: int
) -> Label:
    """Units spread over several new dimensions end up along one; along the others they unite."""
    ledger = call.trace.ledger
    grid = entries.reshape(shape)
    varying = [d for d in range(len(shape)) if _varies(grid, d)]
    movable = [d for d in varying if isinstance(sizes[d], AdaptiveInt) or sizes[d] == -1]
    # The dimension that is inferred can take any size; one that follows others comes next.
    movable.sort(key=lambda d: isinstance(sizes[d], AdaptiveInt))
    kept = movable[0] if movable else varying[0]
    if len(movable) > 1:
        # Heads, or what lies in a head? Only the rest of the network can tell.
        kept = movable[call.trace.choose(len(movable))]
    for dim in varying:
        if dim != kept:
            start = grid.take([0], axis=dim)
            ledger.unite(grid, start, f"sizes fixed by the code in {call.place}")
            grid = start
    for dim, size in enumerate(sizes[: len(shape)]):
        if dim != kept and isinstance(size, AdaptiveInt):
            size.fix(call.name)
    ids = grid[tuple(slice(None) if d == kept else 0 for d in range(len(shape)))]
    settle(call, ids, sizes[kept])
    return Label(first + kept, ids)


def _varies(grid: np.ndarray, dim: int) -> bool:
    return grid.shape[dim] > 1 and bool((grid != grid.take([0], axis=dim)).any())


def fix_all(call: Call, sizes: Sequence[Any]) -> None:
    for size in sizes:
        size_after(size, call.name)


def relabel_free(call: Call, tensor: Tensor, free: Any, sizes: Sequence[Any]) -> None:
    """A parameter may gain and lose dimensions of size 1, and dimensions without units may be
    cut and joined; anything else fixes its shape."""
    pairs = _carried_over(tuple(tensor.shape), tuple(call.out.shape))
    follow = {d for d, size in enumerate(sizes) if isinstance(size, AdaptiveInt)}
    copied = frozenset(pairs[d] for d in free.copied if d in pairs) - follow
    lost = [d for d, size in enumerate(tensor.shape) if size > 1 and d not in pairs]
    if any(dims[d] is not None for _, dims in free.origins for d in lost):
        call.unknown()
        return
    origins = []
    for name, dims in free.origins:
        placed: list[int | None] = [None] * call.out.dim()
        for old, new in pairs.items():
            placed[new] = dim = dims[old]
            if dim is None:
                continue
            size = sizes[new]
            if isinstance(size, AdaptiveInt) and size.whole is not None:
                call.trace.bind(name, dim, size.whole)
            elif size != -1:
                size_after(size, call.name)
                call.trace.findings.rigid.add((name, dim))
        origins.append((name, tuple(placed)))
    call.trace.set(call.out, Free(tuple(origins), copied))


def _carried_over(before: tuple[int, ...], after: tuple[int, ...]) -> dict[int, int]:
    """Dimensions larger than 1 that a reshape leaves as they are: old to new."""
    old = [d for d, size in enumerate(before) if size > 1]
    new = [d for d, size in enumerate(after) if size > 1]
    blocks = _blocks([before[d] for d in old], [after[d] for d in new])
    return {old[i]: new[j] for i, stop, j, out_stop in blocks if stop - i == out_stop - j == 1}
