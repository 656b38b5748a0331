"""Normalisation layers, and activations with one parameter per unit."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.handlers.operations import HANDLERS, Call, after_running, handles
from mirtrim.units.handlers.weights import learned_units
from mirtrim.units.labels import Free, Label
from mirtrim.units.sizes import AdaptiveInt, size_after

F = nn.functional
_CHANNELS = 1
_OWNERS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.GroupNorm,
    nn.PReLU,
)


def _units(call: Call, tensor: Tensor, axis: int) -> Label | None:
    """The units that a norm sees along `axis`.

    Learned latents or tables that a module of torch normalises have units of their own, which
    may meet others later. Functions are also called on weights, which make units.
    """
    label = call.units(tensor)
    if label is None and isinstance(call.label(tensor), Free) and tensor.dim() > axis:
        _, module = call.trace.owner()
        if isinstance(module, _OWNERS):
            ids = learned_units(call, tensor, axis)
            return Label(axis, ids) if ids.any() else None
    return label


def _per_channel(call: Call, vectors: tuple[Any, ...], attribute: str) -> None:
    """Statistics per channel: units along dimension 1 do not see each other."""
    tensor = call.args[0] if call.args else call.kwargs["input"]
    label = _units(call, tensor, _CHANNELS)
    if label is None:
        _fix(call, vectors)
        call.set_all(call.label(tensor))
        return
    if label.axis != _CHANNELS:
        _fix(call, vectors)
        call.unknown("takes statistics over the dimension along which units lie")
        return
    for vector in vectors:
        call.trace.bind_optional(vector, label.ids, call.name)
    _follow(call, label, vectors[0])
    path, module = call.trace.owner()
    if isinstance(getattr(module, attribute, None), int):
        call.trace.findings.width(path, attribute, label.ids)
    call.set_all(label)


def _fix(call: Call, vectors: tuple[Any, ...]) -> None:
    """These gains and statistics are used on something without units: they keep their size."""
    for vector in vectors:
        if vector is not None:
            call.trace.fix_tensor(vector)


def _follow(call: Call, label: Label, gain: Any) -> None:
    """Remember the module whose gain directly follows a layer."""
    if label.source and gain is not None:
        name = call.trace.name_of(gain)
        if name is not None:
            path = name.rpartition(".")[0]
            call.trace.findings.followers.setdefault(label.source, path)


def _batch_norm(call: Call) -> None:
    call.run()
    statistics = (call.argument(1, "running_mean"), call.argument(2, "running_var"))
    if call.func is torch.batch_norm:
        gain, shift, *statistics_ = call.args[1:5]
        _per_channel(call, (gain, shift, *statistics_), "num_features")
        return
    gain, shift = call.argument(3, "weight"), call.argument(4, "bias")
    _per_channel(call, (gain, shift, *statistics), "num_features")


HANDLERS[F.batch_norm] = _batch_norm
HANDLERS[torch.batch_norm] = _batch_norm


def _instance_norm(call: Call) -> None:
    call.run()
    statistics = (call.argument(1, "running_mean"), call.argument(2, "running_var"))
    gain, shift = call.argument(3, "weight"), call.argument(4, "bias")
    _per_channel(call, (gain, shift, *statistics), "num_features")


HANDLERS[F.instance_norm] = _instance_norm


def _layer_norm(call: Call) -> None:
    """Statistics over the last dimensions: over living units only, after a cut."""
    call.run()
    trace = call.trace
    tensor, shape = call.args[0], call.argument(1, "normalized_shape")
    gain, shift = call.argument(2, "weight"), call.argument(3, "bias")
    if call.name == "rms_norm":
        shift = None
    label = _units(call, tensor, tensor.dim() - 1)
    first = tensor.dim() - len(shape)
    if label is None or label.axis is None or label.axis < first:
        _fix(call, (gain, shift))
        _fix_shape(call, shape)
        call.set_all(call.label(tensor))
        return
    place = label.axis - first
    path, module = trace.owner()
    size = shape[place]
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        trace.findings.width(path, "normalized_shape", label.ids, place)
    elif not isinstance(size, AdaptiveInt):
        trace.ledger.pin(label.ids, f"the code fixes the size {size} in {call.place}")
    else:
        trace.ledger.equate(label.ids, size.terms, call.place, unite=True)
    for vector in (gain, shift):
        if vector is not None:
            _bind_dim(call, vector, place, label)
    if len(shape) == 1:
        _follow(call, label, gain)
    call.gate = (call.name, label.axis, label.ids)
    call.set_all(label)


def _fix_shape(call: Call, shape: Any) -> None:
    """A normalised shape without units, here."""
    path, module = call.trace.owner()
    for place, size in enumerate(shape):
        if isinstance(module, nn.LayerNorm | nn.RMSNorm):
            none = np.zeros(size, dtype=np.int64)
            call.trace.findings.width(path, "normalized_shape", none, place)
        else:
            size_after(size, call.name)


def _bind_dim(call: Call, tensor: Tensor, dim: int, label: Label) -> None:
    name = call.trace.name_of(tensor)
    if name is not None:
        call.trace.bind(name, dim, label.ids)
    else:
        call.trace.bind_optional(tensor, label.ids, call.name)


HANDLERS[F.layer_norm] = _layer_norm
HANDLERS[torch.layer_norm] = _layer_norm
HANDLERS[F.rms_norm] = _layer_norm


def _group_norm(call: Call) -> None:
    """Statistics over equal runs of channels: every run keeps equally many."""
    call.run()
    trace = call.trace
    tensor, groups = call.args[0], int.__index__(call.argument(1, "num_groups"))
    gain, shift = call.argument(2, "weight"), call.argument(3, "bias")
    label = _units(call, tensor, _CHANNELS)
    if label is None:
        _fix(call, (gain, shift))
        call.set_all(call.label(tensor))
        return
    if label.axis != _CHANNELS:
        call.unknown("takes statistics over the dimension along which units lie")
        return
    path, module = trace.owner()
    owned = isinstance(module, nn.GroupNorm)
    single = groups == len(label.ids)
    if single and owned:
        trace.findings.width(path, "num_groups", label.ids)
    else:
        trace.ledger.unite_pieces(label.ids, groups, f"{call.place} has {groups} groups")
    if owned:
        trace.findings.width(path, "num_channels", label.ids)
    for vector in (gain, shift):
        trace.bind_optional(vector, label.ids, call.name)
    _follow(call, label, gain)
    call.gate = ("group_norm", label.axis, label.ids)
    call.set_all(label)


HANDLERS[F.group_norm] = _group_norm
HANDLERS[torch.group_norm] = _group_norm


@handles("prelu")
@after_running
def prelu(call: Call) -> None:
    """One slope for all, or one per channel."""
    tensor, slope = call.argument(0, "input"), call.argument(1, "weight")
    label = call.units(tensor) if slope.numel() == 1 else _units(call, tensor, _CHANNELS)
    if label is None or slope.numel() == 1:
        call.trace.fix_tensor(slope)
        call.set_all(call.label(tensor))
        return
    if label.axis != _CHANNELS:
        call.trace.fix_tensor(slope)
        call.set_all(label)
        return
    call.trace.bind_optional(slope, label.ids, call.name)
    path, module = call.trace.owner()
    if isinstance(module, nn.PReLU):
        call.trace.findings.width(path, "num_parameters", label.ids)
    call.set_all(label)
