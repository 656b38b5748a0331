"""Slices along the dimension of units, and what their bounds fix; parts of parameters."""

from fractions import Fraction
from typing import Any

import numpy as np

from mirtrim.units.handlers.operations import Call
from mirtrim.units.labels import Free, Ids
from mirtrim.units.ledger import Terms
from mirtrim.units.sizes import AdaptiveInt, merged


def cut_axis(call: Call, ids: Ids, item: slice, *, exact: bool = False) -> Ids:
    """The units in a slice along their own dimension, after noting what the code fixes.

    Args:
        exact: whether there must be as many as the bounds say, even at the end.
    """
    adaptive = [b for b in (item.start, item.stop) if isinstance(b, AdaptiveInt)]
    plain = slice(*(None if b is None else int.__index__(b) for b in bounds(item)))
    taken = ids[plain]
    ledger, reason = call.trace.ledger, f"some are picked by position in {call.place}"
    if item.step not in (None, 1):
        if _interleaved(ids, item):
            ledger.unite(ids.reshape(-1, item.step).T[1:], ids[:: item.step][None], call.place)
        else:
            ledger.pin(ids, reason)
        return taken
    if adaptive and _in_equal_pieces(call, ids, item):
        return taken
    for bound, is_stop in ((item.start, False), (item.stop, True)):
        beyond = is_stop and bound is not None and bound.__index__() > len(ids) - (not exact)
        if bound is None or (beyond and not _ends(bound, ids)):
            if isinstance(bound, AdaptiveInt):
                bound.fix(call.name)
        elif isinstance(bound, AdaptiveInt):
            _follow_bound(call, ids, bound, item.start if is_stop else None)
        elif type(bound) is not int:
            ledger.pin(ids, reason)
        elif bound > 0:
            pin_to(call, ids, bound - 1, True)
        elif bound < 0:
            pin_to(call, ids, bound, False)
    return taken


def _interleaved(ids: Ids, item: slice) -> bool:
    """Every second unit, say, to the end: what lies between goes with it."""
    step, start = item.step, item.start or 0
    typed = type(step) is int and type(start) is int and item.stop is None
    return typed and 0 <= start < step and len(ids) % step == 0


def _ends(bound: Any, ids: Ids) -> bool:
    """Whether a size says just where a dimension ends."""
    return isinstance(bound, AdaptiveInt) and bound.plain == len(ids)


def _follow_bound(call: Call, ids: Ids, bound: AdaptiveInt, start: Any) -> None:
    """The units before (or, counted from the end, after) a bound stay as many as it says.

    Args:
        start: where the slice begins that the bound ends, None for no such bound.
    """
    reason, position = f"a size cuts their dimension in {call.place}", bound.plain
    first, terms = 0, bound.terms
    if len(terms) > 1 and isinstance(start, AdaptiveInt) and 0 <= start.plain < position:
        # A running sum: what was added last says how many lie between the two.
        first = start.plain
        terms = merged((*terms, *((one, -scale) for one, scale in start.terms)))
    if position >= 0:
        hold(call, ids, first, position, terms, reason)
    else:
        negative = tuple((one, -scale) for one, scale in bound.terms)
        hold(call, ids, len(ids) + position, len(ids), negative, reason)


def hold(call: Call, ids: Ids, start: int, stop: int, terms: Terms, reason: str) -> None:
    """As many of the units from `start` to `stop` are left as `terms` say."""
    part, others = ids[start:stop], merged((*terms, (ids, Fraction(-1))))
    if len(others) < len(terms):
        # All but some: then the others are as many as is taken away.
        part = np.delete(ids, slice(start, stop))
        terms = tuple((one, -scale) for one, scale in others)
    call.trace.ledger.equate(part, terms, reason, unite=True)


def bounds(item: slice) -> tuple[Any, Any, Any]:
    return item.start, item.stop, item.step


def pin_to(call: Call, ids: Ids, position: int, from_start: bool) -> None:
    """Everything up to a typed position must stay, or what lies there would change."""
    part = ids[: position + 1] if from_start else ids[position:]
    call.trace.ledger.pin(part, f"some are picked by position in {call.place}")


def _in_equal_pieces(call: Call, ids: Ids, item: slice) -> bool:
    """Bounds such as `x.shape[1] // 2`: the dimension is cut into equal pieces."""
    ledger, pieces = call.trace.ledger, 1
    for bound in (item.start, item.stop):
        if bound is None or (type(bound) is int and bound == 0):
            continue
        if not isinstance(bound, AdaptiveInt) or len(bound.terms) != 1:
            return False
        counted, scale = bound.terms[0]
        if bound.plain != scale * len(counted) or bound.plain > len(ids):
            return False
        if len(counted) != len(ids):
            return False
        ledger.unite(counted, ids, f"a size of one cuts the other in {call.place}")
        pieces = max(pieces, scale.denominator)
        if pieces % scale.denominator or len(ids) % pieces:
            return False
    ledger.unite_pieces(ids, pieces, call.place)
    return True


def ids_along(call: Call, free: Free, dim: int, size: int) -> Ids | None:
    """Units of all positions along a dimension of what was made from parameters.

    None where it is of no parameter, or where only some of a parameter's positions lie there.
    """
    where = [(name, place) for name, dims in free.origins if (place := dims[dim]) is not None]
    if not where or any(call.trace.length(name, place) != size for name, place in where):
        return None
    ids = call.trace.along(*where[0])
    for name, place in where[1:]:
        call.trace.bind(name, place, ids)
    return ids


def section(call: Call, free: Free, dim: int, start: int, stop: int) -> Free:
    """The label of positions `start` to `stop` along a dimension; see `ids_along`."""
    origins = tuple(
        (name if (place := dims[dim]) is None else call.trace.part(name, place, start, stop), dims)
        for name, dims in free.origins
    )
    return Free(origins, free.copied)
