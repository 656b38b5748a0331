"""Normalisation layers, and activations with one parameter per unit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.handlers.operations import Call, handles
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


def _channels(call: Call, vectors: Sequence[Any]) -> Label | None:
    """Label a result whose units lie along dimension 1, as the entries of some vectors do.

    Returns:
        The units; None where there are none, or where they lie along another dimension.
    """
    tensor = call.argument(0, "input")
    label = _units(call, tensor, _CHANNELS)
    if label is None:
        _fix(call, vectors)
        call.set_all(call.label(tensor))
    elif label.axis != _CHANNELS:
        call.unknown("takes statistics over the dimension along which units lie")
    else:
        for vector in vectors:
            call.trace.bind_optional(vector, label.ids, call.name)
        call.set_all(label)
        return label
    return None


def _fix(call: Call, vectors: Sequence[Any]) -> None:
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


@handles(F.batch_norm, F.instance_norm, torch.batch_norm)
def batch_norm(call: Call) -> None:
    """Statistics per channel: units along dimension 1 do not see each other."""
    order = (1, 2, 3, 4) if call.func is torch.batch_norm else (3, 4, 1, 2)
    names = ("weight", "bias", "running_mean", "running_var")
    vectors = [call.argument(place, name) for place, name in zip(order, names, strict=True)]
    label = _channels(call, vectors)
    if label is None:
        return
    _follow(call, label, vectors[0])
    path, module = call.trace.owner()
    if isinstance(getattr(module, "num_features", None), int):
        call.trace.findings.width(path, "num_features", label.ids)


@handles(F.layer_norm, torch.layer_norm, F.rms_norm)
def layer_norm(call: Call) -> None:
    """Statistics over the last dimensions: over living units only, after a cut."""
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
        trace.bind_optional(vector, label.ids, call.name, place)
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


@handles(F.group_norm, torch.group_norm)
def group_norm(call: Call) -> None:
    """Statistics over equal runs of channels: every run keeps equally many."""
    trace, groups = call.trace, int.__index__(call.argument(1, "num_groups"))
    gain, shift = call.argument(2, "weight"), call.argument(3, "bias")
    label = _channels(call, (gain, shift))
    if label is None:
        return
    path, module = trace.owner()
    owned = isinstance(module, nn.GroupNorm)
    if owned and groups == len(label.ids):
        trace.findings.width(path, "num_groups", label.ids)
    else:
        trace.ledger.unite_pieces(label.ids, groups, f"{call.place} has {groups} groups")
    if owned:
        trace.findings.width(path, "num_channels", label.ids)
    _follow(call, label, gain)
    call.gate = ("group_norm", label.axis, label.ids)


@handles("prelu")
def prelu(call: Call) -> None:
    """One slope for all, or one per channel."""
    tensor, slope = call.argument(0, "input"), call.argument(1, "weight")
    label = call.units(tensor)
    if slope.numel() == 1 or (label is not None and label.axis != _CHANNELS):
        call.trace.fix_tensor(slope)
        call.set_all(call.label(tensor))
        return
    label = _channels(call, (slope,))
    path, module = call.trace.owner()
    if label is not None and isinstance(module, nn.PReLU):
        call.trace.findings.width(path, "num_parameters", label.ids)
