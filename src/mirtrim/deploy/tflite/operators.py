"""What becomes of each ATen operator.

A handler gets the arguments by their names in the operator's schema, where `self` becomes `input`,
adds layers, and says what the node holds.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from torch import Tensor

from mirtrim.deploy.tflite.building import Builder, Entry, Zeros, channels_last

Arguments = dict[str, Any]
Handler = Callable[[Builder, Arguments], Entry]
HANDLERS: dict[str, Handler] = {}


def _handles(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update({f"aten.{name}": handler for name in names})
        return handler

    return register


@_handles("conv1d.default", "conv2d.default")
def convolution(b: Builder, a: Arguments) -> Entry:
    entry: Entry = a["input"]
    weight = _array(a["weight"])
    flat = weight.ndim == 3
    if flat:
        weight = weight[:, :, None]
    units, inputs, *taps = weight.shape
    stride, dilation = _pair(a["stride"], flat, 1), _pair(a["dilation"], flat, 1)
    depthwise = inputs == 1 and a["groups"] == entry.shape[1] > 1
    if dilation != (1, 1) or not (depthwise or a["groups"] == 1):
        b.fail("dilated and grouped convolutions are not exported (depthwise ones are)")
    own = _pair(a["padding"], flat, 0)
    (top, bottom), (left, right) = entry.zeros
    zeros = (top + own[0], bottom + own[0]), (left + own[1], right + own[1])
    value = b.image(entry)
    same = zeros == _same_zeros(value.shape[1:3], taps, stride)
    if not same:
        value = b.padded(value, zeros)
    # A depthwise filter has one input; PyTorch and TensorFlow number its units alike.
    axes = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
    return b.add(
        "depthwise" if depthwise else "convolution",
        [value],
        weight=np.ascontiguousarray(weight.transpose(axes)),
        bias=_bias(a["bias"], units),
        stride=stride,
        same=same,
    )


def _same_zeros(lengths: tuple[int, ...], taps: list[int], stride: tuple[int, int]) -> Zeros:
    """Zeros that TensorFlow's "SAME" padding adds before and after each axis."""
    totals = [
        max((-(-length // step) - 1) * step + tap - length, 0)
        for length, tap, step in zip(lengths, taps, stride, strict=True)
    ]
    height, width = ((total // 2, total - total // 2) for total in totals)
    return height, width


@_handles("linear.default")
def linear(b: Builder, a: Arguments) -> Entry:
    entry = b.plain(a["input"])
    weight = _array(a["weight"])
    units, inputs = weight.shape
    if prod(entry.shape) != inputs:
        b.fail("a linear layer at several positions; write it as a convolution")
    columns = np.ascontiguousarray(weight[:, entry.order])
    bias = _bias(a["bias"], units)
    return b.add("linear", [entry.value], (1, units), weight=columns, bias=bias)


@_handles("batch_norm.default")
def batch_norm(b: Builder, a: Arguments) -> Entry:
    if a["training"] or a["running_mean"] is None:
        b.fail("a batch norm without running statistics depends on the batch")
    gain = 1 / np.sqrt(_array(a["running_var"]).astype(np.float64) + a["eps"])
    gain = gain if a["weight"] is None else gain * _array(a["weight"])
    offset = -gain * _array(a["running_mean"])
    offset = offset if a["bias"] is None else offset + _array(a["bias"])
    return affine(b, a["input"], gain, offset)


@_handles("add.Tensor")
def addition(b: Builder, a: Arguments) -> Entry:
    one, other = a["input"], a["other"]
    if isinstance(one, Entry) and isinstance(other, int | float) and a["alpha"] == 1:
        return affine(b, one, np.ones(1), np.array([float(other)]))
    if not (isinstance(one, Entry) and isinstance(other, Entry)) or a["alpha"] != 1:
        b.fail("only numbers and activations are added to activations")
    one, other = b.plain(one), b.plain(other)
    if one.shape != other.shape or not np.array_equal(one.order, other.order):
        b.fail("only activations of the same shape and origin are added")
    right = b.shaped(other.value, one.value.shape)
    return b.add("add", [one.value, right], one.value.shape, one.order)


@_handles("mul.Tensor")
def scaling(b: Builder, a: Arguments) -> Entry:
    if not (isinstance(a["input"], Entry) and isinstance(a["other"], int | float)):
        b.fail("activations are only multiplied by numbers")
    return affine(b, a["input"], np.array([float(a["other"])]), np.zeros(1))


def affine(b: Builder, entry: Entry, gain: np.ndarray, offset: np.ndarray) -> Entry:
    """gain · x + offset: one of each per index of PyTorch's second axis, or for all."""
    maker = b.fusible(entry)
    if maker is not None and maker.weight is not None and maker.bias is not None:
        units = maker.bias.size
        alike = np.array_equal(entry.order, channels_last(entry.shape))
        if gain.size == 1 or (gain.size == units == entry.shape[1] and alike):
            along = [-1 if axis == maker.unit_axis else 1 for axis in range(maker.weight.ndim)]
            maker.weight = (maker.weight * gain.reshape(along)).astype(np.float32)
            maker.bias = (maker.bias * gain + offset).astype(np.float32)
            return b.fused(entry)
    entry = b.plain(entry)
    units = entry.shape[1] if len(entry.shape) > 2 else prod(entry.shape)
    gain, offset = np.broadcast_to(gain, units), np.broadcast_to(offset, units)
    if len(entry.shape) > 2:
        value = b.image(entry)
    else:
        value = b.shaped(entry.value, (1, 1, 1, units))
        gain, offset = gain[entry.order], offset[entry.order]
    weight, bias = gain.astype(np.float32).reshape(1, 1, 1, units), offset.astype(np.float32)
    return b.add("depthwise", [value], value.shape, entry.order, weight=weight, bias=bias)


@_handles("relu.default", "relu_.default")
def relu(b: Builder, a: Arguments) -> Entry:
    entry: Entry = a["input"]
    maker = b.fusible(entry)
    if maker is not None and (maker.weight is not None or maker.kind == "add"):
        maker.relu = True
        return b.fused(entry)
    entry = b.plain(entry)
    return b.add("relu", [entry.value], entry.value.shape, entry.order, relu=True)


@_handles("max_pool1d.default", "max_pool2d.default")
def max_pool(b: Builder, a: Arguments) -> Entry:
    entry = b.plain(a["input"])
    flat = len(entry.shape) == 3
    window = _pair(a["kernel_size"], flat, 1)
    stride = _pair(a["stride"], flat, 1) if a["stride"] else window
    padding, dilation = _pair(a["padding"], flat, 0), _pair(a["dilation"], flat, 1)
    if padding != (0, 0) or dilation != (1, 1) or a["ceil_mode"]:
        b.fail("a pooling with padding, dilation or ceil_mode is not exported")
    return b.add("pool", [b.image(entry)], stride=stride, window=window)


@_handles("pad.default", "constant_pad_nd.default")
def pad(b: Builder, a: Arguments) -> Entry:
    entry: Entry = a["input"]
    # The last axis comes first; a one-dimensional activation has a height of 1.
    pairs = [tuple(a["pad"][start : start + 2]) for start in range(0, len(a["pad"]), 2)]
    constant = a.get("mode", "constant") == "constant" and not a.get("value")
    if not constant or min(a["pad"]) < 0 or len(pairs) > len(entry.shape) - 2:
        b.fail("only zeros around positions are added")
    width, height = (*pairs, (0, 0))[:2]
    (top, bottom), (left, right) = entry.zeros
    zeros = (top + height[0], bottom + height[1]), (left + width[0], right + width[1])
    return replace(b.same(entry), zeros=zeros)


@_handles("cat.default", "stack.default")
def joining(b: Builder, a: Arguments) -> Entry:
    entries = [b.plain(entry) for entry in a["tensors"]]
    if a["dim"] % len(b.shape) != 1:
        b.fail("activations are only joined along the axis after the batch")
    if len(entries) == 1:
        return replace(b.same(entries[0]), shape=b.shape)
    joined_images = len(entries[0].shape) == len(b.shape) in (3, 4)
    if joined_images and prod(b.shape[2:]) > 1:
        return b.add("concatenation", [b.image(entry) for entry in entries])
    parts = [b.shaped(entry.value, (1, prod(entry.shape))) for entry in entries]
    starts = np.cumsum([0, *(prod(entry.shape) for entry in entries)])
    order = [entry.order + start for entry, start in zip(entries, starts, strict=False)]
    return b.add("concatenation", parts, (1, prod(b.shape)), np.concatenate(order))


@_handles("flatten.using_ints", "reshape.default", "unflatten.int", "view.default")
@_handles("squeeze.default", "squeeze.dim", "squeeze.dims", "unsqueeze.default")
def view(b: Builder, a: Arguments) -> Entry:
    if b.shape[:1] != (1,):
        b.fail("it mixes the batch with other axes")
    return replace(b.same(b.plain(a["input"])), shape=b.shape)


@_handles("alias.default", "clone.default", "contiguous.default", "detach.default")
def unchanged(b: Builder, a: Arguments) -> Entry:
    return b.same(a["input"])


@_handles("dropout.default", "feature_dropout.default", "alpha_dropout.default")
def dropout(b: Builder, a: Arguments) -> Entry:
    return b.same(a["input"])


def _array(tensor: Tensor) -> np.ndarray:
    # A copy: NumPy would share the memory of the network's own parameter.
    return tensor.detach().cpu().float().numpy().copy()


def _bias(bias: Tensor | None, units: int) -> np.ndarray:
    return np.zeros(units, np.float32) if bias is None else _array(bias)


def _pair(numbers: list[int], flat: bool, neutral: int) -> tuple[int, int]:
    """(height, width); one-dimensional layers have `neutral` as the height."""
    return (neutral if flat else numbers[0], numbers[-1])
