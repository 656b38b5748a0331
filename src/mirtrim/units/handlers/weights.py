"""What a weight consists of, and which units it makes and reads."""

import dataclasses
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import CONVOLUTIONS
from mirtrim.units.graph import RowLayout
from mirtrim.units.handlers.elementwise import bind_free
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label

Origins = tuple[tuple[str, tuple[int | None, ...]], ...]


def weight_origins(call: Call, weight: Tensor, dim: int = 0) -> Origins:
    """The parameters that a weight consists of; none for a constant kernel.

    The first gives the layer its name. It lies along all dimensions of the weight, if one does,
    else along `dim`, that of the units, as in a product of two; others (the magnitudes of weight
    normalisation, a window) lie along some of them.

    Raises:
        TraceError: the weight is computed from parameters in another way.
    """
    label = call.label(weight)
    if label is None:
        return ()
    found: Origins = ()
    if isinstance(label, Free):
        # What is trained comes before the mask that it is multiplied with.
        ordered = sorted(label.origins, key=lambda origin: call.trace.is_buffer(origin[0]))
        found = origins_along(Free(tuple(ordered)), weight, dim)
    if not found:
        _told_whole(call, weight)
        raise call.fail(
            f"uses a weight {tuple(weight.shape)} that is computed from parameters in a way that "
            "cannot be followed (spectral normalisation, say); make it an ordinary parameter"
        )
    return found


def _told_whole(call: Call, weight: Tensor) -> None:
    """A layer whose units are not known: its costs, and words about it for the report."""
    findings = call.trace.findings
    why = f"its weight {tuple(weight.shape)} is computed in a way that cannot be followed"
    findings.unlisted[call.trace.owner()[0]] = why
    note = f"all units of {call.place} stay, and are not listed: {why}"
    if note not in findings.notes:
        findings.notes.append(note)
    if call.func in CONVOLUTIONS or call.func is torch.nn.functional.linear:
        # Positions of the sum: inputs of a transposed convolution, else outputs.
        turned = call.func in CONVOLUTIONS and CONVOLUTIONS[call.func] == 0
        summed = call.argument(0, "input") if turned else call.out
        axis = summed.dim() - max(weight.dim() - 1, 1)
        positions = math.prod(summed.shape) // summed.shape[axis]
        findings.macs.append((positions * math.prod(weight.shape), ()))


def origins_along(free: Free, weight: Tensor, dim: int) -> Origins:
    """Like `weight_origins`; none where something along a dimension is of no parameter."""
    sized = [d for d, size in enumerate(weight.shape) if size > 1]
    whole = [o for o in free.origins if all(o[1][d] is not None for d in sized)]
    if not all(any(dims[d] is not None for _, dims in free.origins) for d in sized):
        return ()
    first = [o for o in (*whole, *free.origins) if o[1][dim] is not None] or whole
    return (first[0], *(o for o in free.origins if o is not first[0])) if first else ()


def bind_weight(call: Call, origins: Origins, dim: int, ids: Ids) -> None:
    """The positions along `dim` of a weight belong to `ids`, in all that it consists of."""
    for name, dims in origins:
        place = dims[dim]
        if place is not None:
            call.trace.bind(name, place, ids)


def reads(call: Call, weight: Tensor, origins: Origins, dim: int, ids: Ids) -> None:
    """A layer reads `ids` along `dim` of its weight."""
    bind_weight(call, origins, dim, ids)
    if call.trace.name_of(weight) is None:
        call.gate = ("operand", dim, ids)


def constant_kernel(call: Call, tensor: Tensor) -> None:
    """A weight that is no parameter: fine on inputs, refused on units."""
    label = call.units(tensor)
    if label is not None:
        call.unknown("uses a weight that is neither a parameter nor a buffer")
    else:
        call.set_all(call.label(tensor))


def no_units(call: Call, tensor: Tensor, size: int) -> Ids:
    """The ids of `size` positions of a tensor without units; parameters in it keep their shape.

    That something which could not be followed is consumed changes nothing here: it was refused
    where it arose, and does not become immortal by being consumed.
    """
    call.trace.fix_tensor(tensor)
    return np.broadcast_to(IMMORTAL.ids, size)


def learned_units(call: Call, tensor: Tensor, axis: int) -> Ids:
    """Ids along `axis` of an input without units.

    One that is made of parameters alone, such as a learned initial state, has as many positions
    as whatever it meets later wants. Nothing can be removed where it meets no units.
    """
    label, size = call.label(tensor), tensor.shape[axis]
    if not isinstance(label, Free) or all(dims[axis] is None for _, dims in label.origins):
        return no_units(call, tensor, size)
    ids = call.trace.ledger.fresh(size)
    call.trace.findings.learned.append(ids)
    bind_free(call, tensor, label, axis, Label(axis, ids), tensor.dim())
    return ids


def own_units(call: Call, free: Free, dim: int) -> Ids | None:
    """Ids along one dimension of parameters, new ones if nothing met them yet.

    Returns:
        None where the code fixes how many there are.
    """
    trace = call.trace
    places = [(name, place) for name, dims in free.origins if (place := dims[dim]) is not None]
    if not places or dim in free.copied or trace.findings.rigid.intersection(places):
        return None
    name, place = places[0]
    known = trace.findings.slot(name, place)
    ids = trace.along(name, place)
    if known is None:
        trace.findings.learned.append(ids)
    for other, where in places[1:]:
        trace.bind(other, where, ids)
    return ids


def owner_attribute(call: Call, kinds: Any, weight: Tensor, name: str) -> str | None:
    """Path of the module that runs and holds `weight`, if its attributes will be cut too."""
    path, module = call.trace.owner()
    if isinstance(module, kinds):
        computed = call.trace.name_of(weight) is None and name.startswith(f"{path}.")
        if computed or any(p is weight for p in module._parameters.values()):
            return path
    return None


def note_width(call: Call, owner: str | None, attribute: str, ids: Ids) -> None:
    """An attribute of the owner counts these units."""
    if owner is not None:
        call.trace.findings.width(owner, attribute, ids)


def rows_of(
    call: Call, origins: Origins, weight: Tensor, kind: str, layout: RowLayout, label: Label | None
) -> Ids:
    """The units that a weight makes out of an input with `label` (None: no units)."""
    name, dims = origins[0]
    units = weight.shape[layout.dim]
    if layout.parts > 1:
        units = layout.parts * weight.shape[1]
    fixed = ""
    if label is not None and label.axis != _reading_axis(call, kind):
        # One weight serves every unit that comes along another dimension, like a batch.
        fixed = f"{call.place} runs once per unit of the layer before it"
    elif call.trace.is_buffer(name):
        fixed = f"{name} is a buffer"
    elif label is None and kind != "embedding" and _is_frozen(call, origins):
        fixed = f"{name} is a frozen front end"
        call.trace.findings.constants.add(call.trace.findings.root(name))
    place = dims[layout.dim]
    if place is None:
        fixed = fixed or f"{name} is computed from parameters"
    else:
        layout = dataclasses.replace(layout, dim=place)
    layout = dataclasses.replace(layout, gain=_gain(call, origins, layout.dim))
    return call.trace.rows(name, layout.dim, units, kind, layout, fixed)


def _is_frozen(call: Call, origins: Origins) -> bool:
    """Whether nothing of a layer is trained, bias included."""
    names = [name for name, _ in origins]
    bias = call.trace.name_of(call.argument(2, "bias"))
    return all(call.trace.is_frozen(n) for n in (names if bias is None else [*names, bias]))


def _reading_axis(call: Call, kind: str) -> int:
    """The dimension of the input along which a layer reads."""
    tensor = call.argument(0, "input")
    if kind == "linear":
        return int(tensor.dim()) - 1
    return int(tensor.dim()) - int(call.argument(1, "weight").dim()) + 1


def _gain(call: Call, origins: Origins, dim: int) -> str:
    """The magnitudes of weight normalisation, if there is one for each unit."""
    for gain, direction, kept in call.trace.findings.weight_norms:
        if direction == origins[0][0] and kept == dim:
            return gain
    return ""


def label_result(
    call: Call,
    origins: Origins,
    rows: Ids,
    bias: Any,
    axis: int,
    carried: Label | None,
    dim: int = 0,
) -> None:
    """Bind the rows of weight and bias, and label the result."""
    if dim >= 0:
        bind_weight(call, origins, dim, rows)
    if bias is not None:
        call.trace.bind_optional(bias, rows, call.name)
    if carried is not None:
        call.set_all(Label(carried.axis, carried.ids))
    elif rows.any():
        call.set_all(Label(axis, rows, _source(call, origins[0][0])))
    else:
        call.set_all(IMMORTAL.of(_source(call, origins[0][0])))


def _source(call: Call, name: str) -> str:
    path, _ = call.trace.owner()
    layers = call.trace.findings.layers
    if path in layers and name in layers[path].weights:
        return path
    return name if name in layers else call.trace.findings.root(name)


@handles(torch._weight_norm)
def weight_norm(call: Call) -> None:
    """Direction × magnitude / ‖direction‖, the norm over all dimensions but one."""
    direction, magnitude = call.args[:2]
    dim = call.argument(2, "dim", 0)
    one, other = call.label(direction), call.label(magnitude)
    names = call.trace.name_of(direction), call.trace.name_of(magnitude)
    if not (isinstance(one, Free) and isinstance(other, Free) and all(names)):
        call.unknown()
        return
    kept = dim % direction.dim() if magnitude.numel() > 1 else None
    call.trace.findings.weight_norms.add((str(names[1]), str(names[0]), kept))
    ((gain, dims),) = other.origins
    placed = tuple(d if i == kept else None for i, d in enumerate(dims))
    placed = placed or (None,) * direction.dim()
    call.set_all(Free((*one.origins, (gain, placed))))
