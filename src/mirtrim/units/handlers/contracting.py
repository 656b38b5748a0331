"""Sums of products: attention, layers without a module, and weights made from others."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mirtrim.units.gated_calls import SUMS_OF_PRODUCTS, read_along
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.elementwise import bind_free
from mirtrim.units.handlers.operations import Call
from mirtrim.units.handlers.weights import no_units
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label

Origin = tuple[str, tuple[int | None, ...]]
Operands = Sequence[tuple[Tensor, Sequence[str]]]


def sum_of_products(call: Call, operands: Operands, result: Sequence[str]) -> None:
    """Label a sum of products of `operands`.

    Args:
        operands: tensors with a name for each of their dimensions; equal names run together,
            and are summed over if they are not in `result`.
        result: names of the dimensions of the result.
    """
    if call.blocked([tensor for tensor, _ in operands]):
        return
    if not any(label(call, operands, result) for label in (_weight, layer, _read_back)):
        _contract(call, operands, result)


def _weight(call: Call, operands: Operands, result: Sequence[str]) -> bool:
    """Label a product of two parameters, such as B @ A of a low rank; whether it is one.

    What is summed over are units as well: a row of one and a column of the other.
    """
    trace = call.trace
    if len(operands) != 2:
        return False
    sizes = _sizes(operands)
    origins: list[tuple[str, tuple[int | None, ...]]] = []
    places: dict[str, list[tuple[str, int]]] = {}
    for tensor, names in operands:
        free = call.label(tensor)
        if not isinstance(free, Free):
            return False
        for parameter, dims in free.origins:
            # Along other dimensions it is repeated.
            at = {n: d for n, d, s in zip(names, dims, tensor.shape, strict=True) if s == sizes[n]}
            origins.append((parameter, tuple(at.get(name) for name in result)))
            for name, dim in at.items():
                if dim is not None:
                    places.setdefault(name, []).append((parameter, dim))
    if not result:
        call.unknown("makes one number of two parameters")  # as spectral normalisation does
        return True
    (one, names), (other, others) = operands
    summed = [name for name in places if name not in result]
    for name, where in places.items():
        if name in result:
            trace.findings.ties += itertools.pairwise(where)
        elif summed == [name] and _both(one, names, other, others, name):
            _rank(call, where, other, others, name)
        else:
            trace.findings.rigid.update(where)
    call.set_all(Free(tuple(origins)))
    return True


def _sizes(operands: Operands) -> dict[str, int]:
    """Of each dimension by its name."""
    sizes: dict[str, int] = {}
    for tensor, names in operands:
        for name, size in zip(names, tensor.shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))
    return sizes


def _both(
    one: Tensor, names: Sequence[str], other: Tensor, others: Sequence[str], name: str
) -> bool:
    """Whether two tensors have a dimension, and are equally long there."""
    if name not in names or name not in others:
        return False
    return one.shape[list(names).index(name)] == other.shape[list(others).index(name)]


def _rank(
    call: Call, where: list[tuple[str, int]], right: Tensor, names: Sequence[str], summed: str
) -> None:
    """What two parameters are summed over: a layer, whose rows are those of the second."""
    trace, at = call.trace, list(names).index(summed)
    free = call.label(right)
    assert isinstance(free, Free)
    found = [(name, dims[at]) for name, dims in free.origins if dims[at] is not None]
    name, place = found[0] if found else ("", None)
    known = trace.findings.layers.get(name)
    told = known is None or (name in known.weights and known.weights[name].dim == place)
    if place is None or trace.is_buffer(name) or not told or len(where) == len(found):
        trace.findings.rigid.update(where)
        return
    ids: Ids = trace.rows(name, place, right.shape[at], "linear", RowLayout(dim=place), apart=True)
    for parameter, dim in where:
        trace.bind(parameter, dim, ids)
    call.gate = ("operand", at, ids)


def _one_weight(
    call: Call, operands: Operands
) -> tuple[Tensor, Sequence[str], Origin, Tensor, Sequence[str]] | None:
    """The one of two operands that was made from a parameter, its dimensions' names and where it
    comes from; then the other operand and its names. None where there is no such pair."""
    weights = [one for one in operands if isinstance(call.label(one[0]), Free)]
    if len(operands) != 2 or len(weights) != 1:
        return None
    ((weight, names),) = weights
    ((tensor, letters),) = [one for one in operands if one[0] is not weight]
    free = call.label(weight)
    if not isinstance(free, Free) or len(free.origins) > 1:
        return None
    return weight, names, free.origins[0], tensor, letters


def _read_back(call: Call, operands: Operands, result: Sequence[str]) -> bool:
    """Label a product with a matrix that makes units the other way round; whether it is one.

    So it is with the matrix of a recurrence that begins with a learned state: the product of
    the two is one of a low rank. What comes out are the units that its columns belong to.
    """
    trace, found = call.trace, _one_weight(call, operands)
    if found is None:
        return False
    weight, names, (name, dims), tensor, letters = found
    units = call.units(tensor)
    if weight.dim() != 2 or units is None or units.axis is None:
        return False
    lies, read = dict(zip(names, dims, strict=True)), letters[units.axis]
    made = [n for n in names if n not in letters and n in result]
    known = trace.findings.layers.get(name)
    if read not in lies or read in result or len(made) != 1 or None in dims or known is None:
        return False
    place, rows = lies[read], trace.findings.slot(name, int(lies[made[0]] or 0))
    if name not in known.weights or known.weights[name].dim != place or rows is None:
        return False
    if weight.shape != (len(units.ids), len(rows))[:: 1 if names[0] == read else -1]:
        return False
    trace.bind(name, int(place or 0), units.ids)
    call.gate = ("operand", list(operands[-1][1]).index(read), units.ids)
    others = math.prod(_sizes(operands).values()) // len(rows) // len(units.ids)
    trace.findings.macs.append((others, (rows, units.ids)))
    call.set_all(Label(list(result).index(made[0]), rows) if rows.any() else IMMORTAL)
    return True


def _contract(call: Call, operands: Operands, result: Sequence[str]) -> None:
    """Label a sum of products in which no parameter makes units."""
    trace, ledger = call.trace, call.trace.ledger
    sizes = _sizes(operands)
    summed = [name for _, names in operands for name in names if name not in result]
    multiplies = len(set(summed)) < len(summed)  # and adds up
    found = [
        (names[label.axis], label)
        for tensor, names in operands
        if (label := call.units(tensor)) is not None and label.axis is not None
    ]
    if not found:
        trace.findings.macs += [(math.prod(sizes.values()), ())] * multiplies
        for tensor, _ in operands:
            parameter = trace.name_of(tensor)
            if parameter is not None and trace.is_frozen(parameter):
                trace.findings.constants.add(parameter)
        call.unknown()
        return
    name, ids = _along_one(call, operands, found)
    over_units = name not in result
    for tensor, names in operands:
        if name not in names or tensor.shape[names.index(name)] == 1:
            trace.fix_tensor(tensor)
            continue
        known = call.label(tensor)
        if isinstance(known, Label) and known.axis is not None and names[known.axis] == name:
            ledger.unite(ids, known.ids, f"they are multiplied with others in {call.place}")
            continue
        if isinstance(known, Free) and (not over_units or _is_gated(call, operands[-1], name)):
            place = names.index(name)
            bind_free(call, tensor, known, place, Label(place, ids), tensor.dim())
            continue
        trace.fix_tensor(tensor)
        what = "sums over units with" if over_units else "multiplies units with"
        if known is None or over_units:
            call.refuse(ids, f"{what} a matrix that has no units")
        else:
            ledger.unite(ids, np.zeros(1, dtype=np.int64), f"combined in {call.place}")
    others = math.prod(size for letter, size in sizes.items() if letter != name)
    trace.findings.macs += [(others, (ids,))] * multiplies
    if not over_units:
        call.set_all(Label(list(result).index(name), ids))
        return
    names = operands[-1][1]
    if name in names:
        call.gate = ("operand", list(names).index(name), ids)
        # Behind a sum there are no units any more, as behind a linear layer.
        call.set_all(IMMORTAL)
    else:
        call.unknown("sums over units that only one side has")


def _is_gated(call: Call, last: tuple[Tensor, Sequence[str]], name: str) -> bool:
    """Whether the last operand can get zeros where units are gone, along what is summed over.

    In a plain product a parameter gets them along one dimension only.
    """
    tensor, names = last
    if name not in names or tensor.shape[list(names).index(name)] == 1:
        return False
    if call.func in SUMS_OF_PRODUCTS or call.trace.name_of(tensor) is None:
        return True
    return list(names).index(name) == read_along(call.func, tensor)


def _along_one(
    call: Call,
    operands: Operands,
    found: list[tuple[str, Label]],
) -> tuple[str, Ids]:
    """The dimension along which units can go, and those units.

    Where units lie along several, the others stay. Kept are, if there are such, units that are
    not fixed already, that every operand has along that dimension, and the longest of these.
    """

    def freedom(one: tuple[str, Label]) -> tuple[bool, bool, int]:
        name, label = one
        labels = [
            (call.label(tensor), names.index(name))
            for tensor, names in operands
            if name in names and tensor.shape[names.index(name)] > 1
        ]
        shared = all(isinstance(x, Free) or (x is not None and x.axis == d) for x, d in labels)
        return not call.trace.ledger.stays(label.ids), shared, len(label.ids)

    name, kept = found[0]
    if any(other != name for other, _ in found):
        name, kept = max(found, key=freedom)
    for other, label in found:
        if other != name:
            call.refuse(label.ids, "multiplies units along one dimension with units along another")
    return name, kept.ids


def layer(call: Call, operands: Operands, result: Sequence[str]) -> bool:
    """Label a sum of products with a parameter that makes units, like a linear layer; whether it
    is one. If not, nothing was done.
    """
    trace, found = call.trace, _one_weight(call, operands)
    if found is None:
        return False
    weight, names, (name, dims), tensor, letters = found
    label = call.label(tensor)
    if not isinstance(label, Label):
        return False
    lies = dict(zip(names, dims, strict=True))
    sizes = dict(zip(names, weight.shape, strict=True))
    read = None if label.axis is None else letters[label.axis]
    inner = [n for n in names if n in letters and n not in result]
    made = [n for n in names if n not in letters and n in result]
    made = [n for n in made if sizes[n] > 1] or made
    if len(made) > 1 and made[0] == names[0]:
        # One matrix for each of several experts: what these have inside.
        made = [*made[1:], made[0]]
    constant = trace.is_buffer(name) or (read is None and trace.is_frozen(name))
    if constant or not inner or not made or read not in (None, *inner):
        return False
    mixes = read is None and weight is operands[0][0] and call.func not in SUMS_OF_PRODUCTS
    # On the left of an input it mixes positions, or it makes units of a turned one.
    if mixes and trace.choose(2):
        return False
    unit = made[trace.choose(len(made))] if len(made) > 1 else made[0]
    place, known = lies[unit], trace.findings.layers.get(name)
    whole = read is None or (lies[read] is not None and sizes[read] == len(label.ids))
    if place is None or not whole or (known and known.weights[name].dim != place):
        return False
    rows: Ids = trace.rows(name, place, sizes[unit], "linear", RowLayout(dim=place))
    columns = no_units(call, tensor, 1) if read is None else label.ids
    for letter, dim in lies.items():
        if letter == unit:
            trace.bind(name, place, rows)
        elif letter == read and dim is not None:
            trace.bind(name, dim, columns)
        elif dim is not None:
            trace.findings.rigid.add((name, dim))
    if read is not None:
        call.gate = ("operand", list(operands[-1][1]).index(read), columns)
    every = math.prod(_sizes(operands).values())
    trace.findings.macs.append((every // len(rows) // len(columns), (rows, np.asarray(columns))))
    call.set_all(Label(list(result).index(unit), rows, name) if rows.any() else IMMORTAL)
    return True
