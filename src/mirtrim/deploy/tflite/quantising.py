"""8-bit numbers for a network: post-training static quantisation from calibration examples.

The scheme is that of the TensorFlow Lite 8-bit specification: activations as int8 with one
scale and zero point each, weights as int8 around 0, biases as int32 whose scale is the product
of the two. Weights of convolutions have a scale per unit, those of a linear layer one together:
the interpreter keeps eight bytes of RAM for every scale. Activations reach from the smallest to
the largest number seen in calibration (Jacob et al., CVPR 2018, §3.1, without the moving average).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from mirtrim.deploy.tflite.layers import MOVING, Layer, Layers, Value
from mirtrim.utils.errors import ConfigError

Range = tuple[float, float]
LARGEST_BIAS = 2**30  # leaves room for the sum that the bias is added to, in int32


@dataclass(frozen=True)
class Scale:
    """A stored integer q means scale · (q − zero_point)."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Weights:
    """int8 weight, int32 bias, and the scale of each unit's weights or of all."""

    weight: np.ndarray
    bias: np.ndarray
    scales: np.ndarray


@dataclass(frozen=True)
class Quantisation:
    """Scales of all activations, integers of all layers with weights."""

    activations: Mapping[Value, Scale]
    weights: Mapping[Layer, Weights]


def quantise(layers: Layers, graph: fx.GraphModule, calibration: Iterable[Tensor]) -> Quantisation:
    """Scales and integers for `layers`.

    Args:
        graph: what `layers` were lowered from; it is run on the calibration examples.
        calibration: batches like the network's input, (batch, ...).

    Raises:
        ConfigError: there is no calibration example, or one makes a number that is not finite.
    """
    ranges = _ranges(graph, {value.source for value in layers.values()}, calibration)
    activations = _activations(layers, ranges)
    weights = {
        layer: _weights(layer, activations[layer.inputs[0]].scale)
        for layer in layers.layers
        if layer.weight is not None
    }
    return Quantisation(activations, weights)


def _ranges(
    graph: fx.GraphModule, sources: set[str], calibration: Iterable[Tensor]
) -> dict[str, Range]:
    """Smallest and largest result of each node in `sources`."""
    watching = _Watching(graph, sources)
    with torch.no_grad():
        for batch in calibration:
            for example in batch.detach().cpu().float().split(1):
                watching.run(example)
    if not watching.ranges:
        raise ConfigError("calibration needs at least one example; pass some training inputs")
    odd = [name for name, ends in watching.ranges.items() if not np.isfinite(ends).all()]
    if odd:
        raise ConfigError(
            f"calibration makes numbers that are not finite at {odd[0]}; check the examples"
        )
    return watching.ranges


class _Watching(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule, sources: set[str]) -> None:
        super().__init__(graph)
        self._sources = sources
        self.ranges: dict[str, Range] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.name in self._sources:
            low, high = self.ranges.get(n.name, (0.0, 0.0))
            least, most = (end.item() for end in torch.aminmax(result))
            # Not min(): it would pass over a NaN.
            self.ranges[n.name] = float(np.minimum(low, least)), float(np.maximum(high, most))
        return result


def _activations(layers: Layers, ranges: Mapping[str, Range]) -> dict[Value, Scale]:
    """One scale per activation; what is only moved keeps its scale."""
    groups = {value: {value} for value in layers.values()}
    for layer in layers.layers:
        if layer.kind in MOVING:
            joined = groups[layer.output].union(*(groups[value] for value in layer.inputs))
            groups.update(dict.fromkeys(joined, joined))
    return {
        value: _scale([ranges[member.source] for member in members])
        for value, members in groups.items()
    }


def _scale(ranges: list[Range]) -> Scale:
    """int8 over ranges that all contain 0, which must be met exactly: it is what pads are."""
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    scale = float(np.float32((high - low) / 255)) or 1.0
    return Scale(scale, int(np.clip(round(-128 - low / scale), -128, 127)))


def _weights(layer: Layer, input_scale: float) -> Weights:
    assert layer.weight is not None
    assert layer.bias is not None
    axis = layer.unit_axis
    units = np.moveaxis(layer.weight, axis, 0).reshape(len(layer.bias), -1)
    scales = np.abs(units).max(1).astype(np.float64) / 127
    # A unit of tiny weights gets a coarser scale rather than a bias that overflows.
    scales = np.maximum(scales, np.abs(layer.bias) / (input_scale * LARGEST_BIAS))
    if layer.kind == "linear":
        scales = scales.max(keepdims=True)
    scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
    along = [-1 if a == axis else 1 for a in range(layer.weight.ndim)]
    steps = scales.astype(np.float64)
    weight = np.rint(layer.weight / steps.reshape(along)).clip(-127, 127)
    bias = np.rint(layer.bias / (input_scale * steps))
    return Weights(weight.astype(np.int8), bias.astype(np.int32), scales)
