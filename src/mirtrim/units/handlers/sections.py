"""Parts of parameters: a run of positions along one dimension, with units of its own."""

from mirtrim.units.handlers.operations import Call
from mirtrim.units.labels import Free, Ids


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
