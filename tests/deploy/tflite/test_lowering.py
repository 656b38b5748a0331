"""Layers out of traced networks: what is folded, what is padded, where numbers lie."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mirtrim.deploy.tflite.layers import Layers
from mirtrim.deploy.tflite.lowering import lower, trace
from mirtrim.utils.errors import TraceError


def lowered(model: nn.Module, *shape: int) -> Layers:
    return lower(trace(model.eval(), torch.zeros(shape)))


def kinds(layers: Layers) -> list[str]:
    return [layer.kind for layer in layers.layers]


def norm(
    kind: type[nn.Module], gain: float, offset: float, mean: float, variance: float
) -> nn.Module:
    made = kind(1, eps=0.0)
    for name, value in (("weight", gain), ("bias", offset)):
        nn.init.constant_(getattr(made, name), value)
    made.running_mean.fill_(mean)
    made.running_var.fill_(variance)
    return made


def test_norm_and_relu_become_part_of_a_convolution() -> None:
    """3·((2x + 5) − 1)/√4 + 7 = 3x + 13."""
    convolution = nn.Conv2d(1, 1, 1)
    nn.init.constant_(convolution.weight, 2.0)
    nn.init.constant_(convolution.bias, 5.0)
    model = nn.Sequential(
        convolution, norm(nn.BatchNorm2d, 3, 7, 1, 4), nn.ReLU(), nn.Dropout(), nn.Flatten()
    )
    layers = lowered(model, 1, 1, 1, 2)
    assert kinds(layers) == ["convolution", "reshape"]
    only = layers.layers[0]
    assert only.relu
    assert only.weight is not None
    assert only.weight.ravel().tolist() == [3.0]
    assert only.bias is not None
    assert only.bias.tolist() == [13.0]
    assert layers.output.shape == (1, 2)


def test_a_norm_behind_a_relu_becomes_a_depthwise_convolution() -> None:
    """2·(x − 3)/√4 + 1 = x − 2; the pooling after it must see the sum."""
    model = nn.Sequential(
        nn.Conv1d(1, 1, 3), nn.ReLU(), norm(nn.BatchNorm1d, 2, 1, 3, 4), nn.MaxPool1d(2)
    )
    layers = lowered(nn.Sequential(model, nn.Flatten()), 1, 1, 6)
    assert kinds(layers)[:3] == ["convolution", "depthwise", "pool"]
    depthwise = layers.layers[1]
    assert depthwise.weight is not None
    assert depthwise.weight.ravel().tolist() == [1.0]
    assert depthwise.bias is not None
    assert depthwise.bias.tolist() == [-2.0]


def test_a_result_that_is_read_twice_is_not_changed() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            y = self.linear(x)
            return y + functional.relu(y)

    assert kinds(lowered(Twice(), 1, 3)) == ["linear", "relu", "add"]


def test_columns_follow_flattened_channels() -> None:
    """PyTorch flattens (2 channels, 3 positions) channel by channel, the board interleaves."""
    linear = nn.Linear(6, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.arange(6.0).reshape(1, 6))
    model = nn.Sequential(nn.Conv1d(1, 2, 1), nn.Flatten(), linear)
    layers = lowered(model, 1, 1, 3)
    assert kinds(layers) == ["convolution", "linear"]  # flattening is no operator
    weight = layers.layers[1].weight
    assert weight is not None
    assert weight.tolist() == [[0, 3, 1, 4, 2, 5]]


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "zeros_on_the_right", "expected"),
    [
        (5, 1, 2, 0, ["convolution"]),
        (64, 1, 31, 1, ["convolution"]),  # an even kernel, its odd zero on the right
        (64, 1, 31, 0, ["pad", "convolution"]),
        (3, 1, 0, 0, ["convolution"]),
        (64, 4, 6, 0, ["pad", "convolution"]),
        (8, 4, 2, 0, ["convolution"]),
    ],
)
def test_padding_is_an_operator_only_where_it_must_be(
    kernel: int, stride: int, padding: int, zeros_on_the_right: int, expected: list[str]
) -> None:
    class Padded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(1, 1, kernel, stride, padding)

        def forward(self, x: Tensor) -> Tensor:
            return self.convolution(functional.pad(x, (0, zeros_on_the_right))).flatten(1)

    layers = lowered(Padded(), 1, 1, 128)
    assert kinds(layers)[: len(expected)] == expected
    length = (128 + 2 * padding + zeros_on_the_right - kernel) // stride + 1
    assert math.prod(layers.output.shape) == length


def test_constants_are_added_to_biases() -> None:
    class Prior(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) * 2 - 3.0 + 5.0

    with pytest.raises(TraceError, match=r"aten\.sub\.Tensor: it has no counterpart"):
        lowered(Prior(), 1, 2)

    class Sum(Prior):
        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x) * 2 + 5.0

    layers = lowered(Sum(), 1, 2)
    bias = layers.layers[0].bias
    assert kinds(layers) == ["linear"]
    assert bias is not None
    assert bias.tolist() == [5.0, 5.0]


def test_heads_are_joined_in_order() -> None:
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList(nn.Linear(2, 3) for _ in range(2))

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([head(x) for head in self.heads], dim=1)

    layers = lowered(Heads(), 1, 2)
    assert kinds(layers) == ["linear", "linear", "concatenation", "reshape"]
    assert layers.output.shape == (1, 2, 3)


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), (1, 2), r"aten\.softmax\.int in 1: it has"),
        (nn.Conv1d(1, 2, 3), (1, 1, 9), "channels and positions; end the network with a linear"),
        (nn.Conv2d(4, 4, 3, groups=2), (1, 4, 9, 9), "dilated and grouped"),
        (nn.Conv2d(1, 4, 3, dilation=2), (1, 1, 9, 9), "dilated and grouped"),
        (nn.MaxPool1d(2, padding=1), (1, 1, 9), "pooling with padding"),
        (nn.Linear(2, 2), (1, 5, 2), "at several positions"),
        (nn.Identity(), (1, 2), "1 inputs, 1 outputs and 0 layers"),
        (nn.Linear(2, 2), (3, 2), "must be one example"),
    ],
)
def test_what_has_no_counterpart_is_named(
    model: nn.Module, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(TraceError, match=message) as caught:
        lowered(model, *shape)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_traced_is_said_in_one_line() -> None:
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(TraceError, match=r"torch\.export cannot follow Branch") as caught:
        trace(Branch(), torch.ones(1, 2))
    assert "\n" not in str(caught.value)


def test_the_network_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    lower(trace(model, torch.zeros(1, 2)))
    assert model[1].training
    after = model.state_dict()
    assert all(np.array_equal(after[name], value) for name, value in before.items())
