"""Building layers while the order of stored numbers is followed."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any, NoReturn

import numpy as np
from torch import fx

from mirtrim.deploy.tflite.layers import Kind, Layer, Value
from mirtrim.utils.errors import TraceError

Zeros = tuple[tuple[int, int], tuple[int, int]]
NO_ZEROS: Zeros = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Entry:
    """The value of a traced node.

    Attributes:
        value: the stored activation.
        shape: its shape in PyTorch, a batch of one first.
        order: for each stored number, its place in PyTorch's order.
        sole: whether nothing but the next node reads the activation.
        zeros: zeros before and after (height, width) that are to be added before it is read;
            `shape` and `order` are without them. Convolutions take them into their own padding.
    """

    value: Value
    shape: tuple[int, ...]
    order: np.ndarray
    sole: bool
    zeros: Zeros = NO_ZEROS


def stored_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(1, features), (1, channels, width) or (1, channels, height, width), channels last."""
    if len(shape) == 2:
        return shape
    return (1, 1, shape[2], shape[1]) if len(shape) == 3 else (1, *shape[2:], shape[1])


def channels_last(shape: tuple[int, ...]) -> np.ndarray:
    """For each number stored channels last, its place in PyTorch's order."""
    order = np.arange(prod(shape))
    return order if len(shape) == 2 else order.reshape(shape[1], -1).T.ravel()


class Builder:
    """The layers so far, and what the handler of an operator needs to add to them."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.node: fx.Node
        self._makers: dict[Value, Layer] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """PyTorch's shape of the result of the node at hand."""
        return tuple(int(length) for length in self.node.meta["val"].shape)

    def add(
        self,
        kind: Kind,
        inputs: list[Value],
        shape: tuple[int, ...] | None = None,
        order: np.ndarray | None = None,
        **more: Any,
    ) -> Entry:
        """Append a layer; its output is stored channels last unless `shape` and `order` say
        otherwise."""
        output = Value(shape or stored_shape(self.shape), self.node.name)
        self.layers.append(Layer(kind, inputs, output, **more))
        self._makers[output] = self.layers[-1]
        order = channels_last(self.shape) if order is None else order
        return Entry(output, self.shape, order, len(self.node.users) == 1)

    def fusible(self, entry: Entry) -> Layer | None:
        """The layer that makes `entry`, if what follows may become part of it."""
        maker = self._makers.get(entry.value)
        alone = entry.sole and entry.zeros == NO_ZEROS
        return maker if alone and maker is not None and not maker.relu else None

    def fused(self, entry: Entry) -> Entry:
        """`entry` once the node at hand has become part of the layer that makes it."""
        entry.value.source = self.node.name
        return self.same(entry, entry.sole)

    def same(self, entry: Entry, sole: bool | None = None) -> Entry:
        """`entry` under the name of the node at hand."""
        sole = entry.sole if sole is None else sole
        return replace(entry, sole=sole and len(self.node.users) == 1)

    def plain(self, entry: Entry) -> Entry:
        """`entry` with its zeros written."""
        if entry.zeros == NO_ZEROS:
            return entry
        value = self.padded(self.image(entry), entry.zeros)
        positions = value.shape[1:3] if len(entry.shape) == 4 else value.shape[2:3]
        shape = (*entry.shape[:2], *positions)
        return Entry(value, shape, channels_last(shape), sole=False)

    def padded(self, value: Value, zeros: Zeros) -> Value:
        """`value`, (1, height, width, channels), with zeros around it."""
        if zeros == NO_ZEROS:
            return value
        axes = np.array([(0, 0), *zeros, (0, 0)], np.int32)
        shape = tuple(int(n + sum(z)) for n, z in zip(value.shape, axes, strict=True))
        output = Value(shape, value.source)
        self.layers.append(Layer("pad", [value], output, zeros=axes))
        return output

    def image(self, entry: Entry) -> Value:
        """The activation stored as (1, height, width, channels), without its zeros."""
        if len(entry.shape) not in (3, 4) or not np.array_equal(
            entry.order, channels_last(entry.shape)
        ):
            self.fail("its input is not stored as channels and positions")
        return self.shaped(entry.value, stored_shape(entry.shape))

    def shaped(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The same numbers in the same order under another shape."""
        if value.shape == shape:
            return value
        output = Value(shape, value.source)
        self.layers.append(Layer("reshape", [value], output))
        return output

    def fail(self, reason: str) -> NoReturn:
        """Raise a TraceError that names the node at hand."""
        stack = list(self.node.meta.get("nn_module_stack", {}).values())
        where = f" in {stack[-1][0]}" if stack and stack[-1][0] else ""
        raise TraceError(f"operator {self.node.target}{where}: {reason}")
