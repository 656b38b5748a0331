"""The layers that a microcontroller network is made of, channels last, one example at a time."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Kind = Literal[
    "convolution", "depthwise", "linear", "pool", "pad", "concatenation", "add", "relu", "reshape"
]
# Layers that move numbers without computing new ones: input and output share one scale.
MOVING: tuple[Kind, ...] = ("pool", "pad", "concatenation", "reshape")


@dataclass(eq=False)
class Value:
    """An activation.

    Attributes:
        shape: as stored: (1, features) or (1, height, width, channels).
        source: name of the traced node whose result it holds.
    """

    shape: tuple[int, ...]
    source: str


@dataclass(eq=False)
class Layer:
    """One operator.

    Attributes:
        weight: fp32; convolution (units, height, width, inputs), depthwise
            (1, height, width, units), linear (units, inputs); None if it has none.
        bias: fp32, (units,).
        stride, window: (height, width); the window is that of a pooling.
        same: whether zeros are added as TensorFlow's "SAME" padding adds them.
        zeros: of a pad, (rank, 2): how many before and after each axis.
        relu: whether negative results are set to zero.
    """

    kind: Kind
    inputs: list[Value]
    output: Value
    weight: np.ndarray | None = None
    bias: np.ndarray | None = None
    stride: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    same: bool = False
    zeros: np.ndarray | None = None
    relu: bool = False

    @property
    def unit_axis(self) -> int:
        """Axis of the weight along which the units lie."""
        return 3 if self.kind == "depthwise" else 0


@dataclass(eq=False)
class Layers:
    """A network: layers in the order in which they run, one input, one output."""

    input: Value
    output: Value
    layers: list[Layer] = field(default_factory=list)

    def values(self) -> list[Value]:
        """Every activation once, in the order in which they come about."""
        return list(dict.fromkeys([self.input, *(layer.output for layer in self.layers)]))
