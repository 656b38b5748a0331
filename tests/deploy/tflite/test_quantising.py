"""Scales and integers, by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.deploy.tflite.layers import Layers
from mirtrim.deploy.tflite.lowering import lower, trace
from mirtrim.deploy.tflite.quantising import LARGEST_BIAS, Quantisation, quantise
from mirtrim.utils.errors import ConfigError


def quantised(model: nn.Module, *calibration: Tensor) -> tuple[Layers, Quantisation]:
    graph = trace(model.eval(), calibration[0][:1])
    layers = lower(graph)
    return layers, quantise(layers, graph, calibration)


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    made = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weight))
        made.bias.copy_(torch.tensor(bias))
    return made


def test_a_linear_layer_by_hand() -> None:
    """Inputs reach from −1 to 4.1: 5.1 in 255 steps of 0.02, 0 at −128 + 50 = −78.

    The largest weight, 2.54, becomes 127: steps of 0.02; so a bias step is 0.0004.
    """
    layers, found = quantised(
        linear([[2.54, -1.0], [0.011, 0.0]], [1.0, -0.5]), torch.tensor([[-1.0, 4.1], [0.0, 2.0]])
    )
    scale = found.activations[layers.input]
    assert scale.scale == pytest.approx(0.02)
    assert scale.zero_point == -78
    weights = found.weights[layers.layers[0]]
    assert weights.weight.tolist() == [[127, -50], [1, 0]]
    assert weights.bias.tolist() == [2500, -1250]
    assert weights.scales == pytest.approx([0.02])


def test_units_of_a_convolution_have_their_own_scales() -> None:
    convolution = nn.Conv1d(1, 2, 1)
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([1.27, -0.127]).reshape(2, 1, 1))
        convolution.bias.zero_()
    layers, found = quantised(
        nn.Sequential(convolution, nn.Flatten(), nn.Linear(6, 1)), torch.ones(1, 1, 3)
    )
    weights = found.weights[layers.layers[0]]
    assert weights.weight.ravel().tolist() == [127, -127]
    assert weights.scales == pytest.approx([0.01, 0.001])


def test_what_is_only_moved_keeps_its_scale() -> None:
    model = nn.Sequential(nn.Conv1d(1, 1, 1), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(2, 1))
    layers, found = quantised(model, torch.randn(8, 1, 4, generator=torch.Generator()))
    convolved, pooled = (layers.layers[index].output for index in (0, 1))
    assert found.activations[convolved] == found.activations[pooled]
    assert found.activations[layers.input] != found.activations[convolved]


def test_what_is_joined_has_one_scale() -> None:
    """Numbers from 0 to 1 and from −3 to 0 are stored in steps of 4 / 255, before and after."""

    class Joined(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, x * -3.0], dim=1)

    layers, found = quantised(Joined(), torch.tensor([[0.0, 1.0]]))
    (joining,) = (layer for layer in layers.layers if layer.kind == "concatenation")
    (scale,) = {found.activations[value] for value in (*joining.inputs, joining.output)}
    assert scale.scale == pytest.approx(4 / 255)


def test_zero_is_among_the_numbers() -> None:
    """Inputs from 10 to 11 are given the numbers from 0 to 11: padding is exact."""
    layers, found = quantised(nn.Linear(1, 1), torch.tensor([[10.0], [11.0]]))
    scale = found.activations[layers.input]
    assert (scale.zero_point, scale.scale) == (-128, pytest.approx(11 / 255))


def test_dead_units_and_tiny_weights() -> None:
    layers, found = quantised(linear([[1e-20], [0.0]], [3.0, -3.0]), torch.ones(1, 1))
    weights = found.weights[layers.layers[0]]
    assert weights.weight.ravel().tolist() == [0, 0]
    assert np.abs(weights.bias).tolist() == pytest.approx([LARGEST_BIAS] * 2, rel=1e-6)
    layers, found = quantised(linear([[0.0]], [0.0]), torch.zeros(1, 1))
    assert found.weights[layers.layers[0]].scales.tolist() == [1.0]


def test_useless_calibration_is_refused() -> None:
    graph = trace(nn.Linear(1, 1), torch.zeros(1, 1))
    with pytest.raises(ConfigError, match="at least one example"):
        quantise(lower(graph), graph, [])
    with pytest.raises(ConfigError, match="not finite at input"):
        quantise(lower(graph), graph, [torch.tensor([[1.0], [float("nan")], [2.0]])])
