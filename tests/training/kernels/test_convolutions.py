"""Convolutions as matrix products: torch's values and gradients, and only where it pays."""

from contextlib import nullcontext

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mirtrim.training import forward_of
from mirtrim.training.kernels import convolutions, faster_kernels
from tests.training.kernels.conftest import inputs_of

AXES = st.sampled_from([1, 2])


class Network(nn.Module):
    """One convolution."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layer(x)
        return result


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The images that were convolved by a matrix product."""
    return inputs_of(convolutions._BandProduct, monkeypatch)


def test_sixteen_taps_over_a_ramp(products: list[Tensor]) -> None:
    """Sums of sixteen neighbours: 0 + 1 + … + 15 = 120, and 16 more with every place."""
    layer = nn.Conv1d(1, 1, 16, padding=1)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, 0.5)
    ramp = torch.arange(18.0).reshape(1, 1, 18)
    result = forward_of(Network(layer))(ramp)
    # The first and the last sum look at one zero each: 0 … 14 and 3 … 17.
    assert result.flatten().tolist() == [105.5, 120.5, 136.5, 152.5, 150.5]
    assert len(products) == 1
    result.sum().backward()
    # Tap 0 sees 0, 0 … 3 and tap 15 sees 14 … 17 and the zero behind them.
    assert layer.weight.grad is not None
    assert layer.weight.grad.flatten()[[0, 15]].tolist() == [6.0, 62.0]
    assert layer.bias.grad.tolist() == [5.0]


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    axes=AXES,
    batch=st.integers(1, 3),
    channels=st.integers(1, 4),
    outputs=st.integers(1, 5),
    taps=st.integers(16, 20),
    width=st.integers(1, 3),
    more=st.tuples(st.integers(0, 40), st.integers(0, 4)),
    stride=st.tuples(st.integers(1, 5), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 9), st.integers(0, 2)),
    bias=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_values_and_gradients_are_those_of_torch(
    axes: int,
    batch: int,
    channels: int,
    outputs: int,
    taps: int,
    width: int,
    more: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    bias: bool,
    seed: int,
) -> None:
    torch.manual_seed(seed)
    kernel = (taps, width)
    shape = [max(1, kernel[axis] - 2 * padding[axis]) + more[axis] for axis in range(axes)]
    kind = (nn.Conv1d, nn.Conv2d)[axes - 1]
    layer = kind(channels, outputs, kernel[:axes], stride[:axes], padding[:axes], bias=bias)
    layer.double()
    inputs = torch.randn(batch, channels, *shape, dtype=torch.float64, requires_grad=True)
    expected = layer(inputs)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [inputs, *layer.parameters()], weights)

    found = forward_of(Network(layer))(inputs)
    assert found.grad_fn is not None
    assert "BandProduct" in (found.grad_fn.name() + _parent(found))
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    got = torch.autograd.grad(found, [inputs, *layer.parameters()], weights)
    for one, other in zip(got, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def _parent(result: Tensor) -> str:
    assert result.grad_fn is not None
    return "".join(f.name() for f, _ in result.grad_fn.next_functions if f is not None)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(nn.Conv1d(4, 4, 15), (2, 4, 40), id="short kernel"),
        pytest.param(nn.Conv1d(16, 16, 20), (2, 16, 40), id="many channels"),
        pytest.param(nn.Conv1d(4, 4, 20, groups=2), (2, 4, 40), id="groups"),
        pytest.param(nn.Conv1d(4, 4, 20, dilation=2), (2, 4, 50), id="dilation"),
        pytest.param(nn.Conv1d(4, 4, 21, padding="same"), (2, 4, 40), id="padding in words"),
        pytest.param(nn.Conv1d(4, 4, 20), (4, 40), id="no batch"),
        pytest.param(nn.Conv1d(4, 4, 20), (0, 4, 40), id="empty batch"),
        pytest.param(nn.Conv2d(8, 8, (20, 2)), (2, 8, 40, 5), id="full blocks over two axes"),
    ],
)
def test_the_rest_is_left_to_torch(
    layer: nn.Module, shape: tuple[int, ...], products: list[Tensor]
) -> None:
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(forward_of(Network(layer))(inputs), layer(inputs))
    assert not products


@pytest.mark.parametrize(("kind", "image"), [("conv1d", (40,)), ("conv2d", (40, 3))])
def test_arguments_may_be_named_as_torch_names_them(
    kind: str, image: tuple[int, ...], products: list[Tensor]
) -> None:
    function = getattr(torch, kind)
    generator = torch.Generator().manual_seed(0)
    named = {
        "input": torch.randn(2, 1, *image, generator=generator),
        "weight": torch.randn(2, 1, 20, *(2 for _ in image[1:]), generator=generator),
    }

    class Named(nn.Conv1d):
        def forward(self, input: Tensor) -> Tensor:
            result: Tensor = function(**named, stride=3)
            return result

    found = forward_of(Named(1, 2, 20))(named["input"])
    assert len(products) == 1
    torch.testing.assert_close(found, function(**named, stride=3))


def test_a_stride_that_steps_over_the_input() -> None:
    """The only output looks at nothing but zeros in front of the input."""
    layer = nn.Conv1d(1, 2, 16, stride=50, padding=20)
    inputs = torch.ones(1, 1, 8, requires_grad=True)
    found = forward_of(Network(layer))(inputs)
    assert torch.equal(found, layer(inputs))
    found.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.tolist() == [[[0.0] * 8]]


@pytest.mark.parametrize(
    ("outputs", "taps", "stride", "height", "block", "blocks"),
    [
        pytest.param(8, 20, 1, 100, 13, 8, id="as many rows as registers hold: 112 // 8 = 14"),
        pytest.param(1, 16, 1, 99, 15, 7, id="no longer than the kernel"),
        pytest.param(1, 16, 4, 99, 4, 25, id="than the kernel moves"),
        pytest.param(2, 64, 1, 10, 10, 1, id="than all outputs"),
        pytest.param(1, 4, 8, 3, 1, 3, id="a stride beyond the kernel"),
        pytest.param(200, 20, 1, 5, 1, 5, id="more outputs than rows"),
    ],
)
def test_neighbouring_outputs_are_computed_together(
    outputs: int, taps: int, stride: int, height: int, block: int, blocks: int
) -> None:
    """As many as pay, in as few blocks as that allows, and these as even as can be."""
    images = torch.zeros(1, 3, (height - 1) * stride + taps, 1)
    found = convolutions._Blocks.of(images, torch.zeros(outputs, 3, taps, 1), (stride, 1), (0, 0))
    assert found.outputs == (height, 1)
    assert (found.block, found.blocks) == (block, blocks)
    # What a block looks at: from its first output's first tap to its last output's last.
    assert found.span == (block - 1) * stride + taps


def test_torch_says_what_is_wrong() -> None:
    network = Network(nn.Conv1d(1, 1, 20))
    with pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"):
        forward_of(network)(torch.zeros(1, 1, 10))


def test_bfloat16_is_left_to_torch(products: list[Tensor]) -> None:
    network = Network(nn.Conv1d(1, 2, 20))
    inputs = torch.randn(2, 1, 40, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16), faster_kernels(network):
        assert network(inputs).dtype == torch.bfloat16
    assert not products


def test_outside_of_the_context_and_in_networks_without_them_nothing_changes(
    products: list[Tensor],
) -> None:
    long, short = Network(nn.Conv1d(1, 2, 20)), Network(nn.Conv2d(1, 2, 5))
    with faster_kernels(long):
        pass
    long(torch.zeros(1, 1, 40))
    with faster_kernels(short):
        long(torch.zeros(1, 1, 40))
    assert not products


def test_a_network_that_is_not_on_the_processor_is_left_alone() -> None:
    assert isinstance(faster_kernels(nn.Conv1d(1, 1, 20, device="meta")), nullcontext)
    assert not isinstance(faster_kernels(nn.Conv1d(1, 1, 20)), nullcontext)


def test_no_gradient_of_inputs_that_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions._Blocks, "fold", None)
    layer = nn.Conv1d(1, 2, 20)
    forward_of(Network(layer))(torch.ones(1, 1, 40)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.flatten().tolist() == [21.0] * 40


@pytest.mark.parametrize(
    ("layer", "shape", "ours"),
    [
        pytest.param(nn.Conv1d(1, 9, 256, 4), (2, 1, 400), 1, id="one channel, long"),
        pytest.param(nn.Conv1d(6, 1, 16), (2, 6, 40), 1, id="one output"),
        pytest.param(nn.Conv2d(6, 1, (17, 3)), (2, 6, 40, 5), 1, id="one output, two axes"),
        pytest.param(nn.Conv1d(1, 9, 64), (2, 1, 100), 0, id="one channel, short"),
        pytest.param(nn.Conv1d(4, 4, 64), (2, 4, 100), 0, id="several channels"),
        pytest.param(nn.Conv1d(6, 1, 15), (2, 6, 40), 0, id="one output, short kernel"),
    ],
)
def test_what_pays_in_bfloat16(
    layer: nn.Module, shape: tuple[int, ...], ours: int, products: list[Tensor]
) -> None:
    forward_of(Network(layer), "bfloat16")(torch.randn(shape))
    assert [images.dtype for images in products] == [torch.bfloat16] * ours


@pytest.mark.parametrize("shape", [(3, 7, 120), (3, 7, 50, 9)])
def test_a_product_in_bfloat16_differs_by_rounding(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    kind = nn.Conv1d if len(shape) == 3 else nn.Conv2d
    layer = kind(7, 5, (17, 3)[: len(shape) - 2], stride=2, padding=1)
    inputs = torch.randn(shape, requires_grad=True)
    expected = layer(inputs)
    weights = torch.randn_like(expected)
    wanted = torch.autograd.grad(expected, [inputs, *layer.parameters()], weights)
    forward = forward_of(Network(layer), "bfloat16", {"layer": "matrix product"})
    found = forward(inputs)
    got = torch.autograd.grad(found, [inputs, *layer.parameters()], weights)
    assert found.dtype == torch.float32
    assert "forward" not in vars(layer)
    for one, other in zip((found, *got), (expected, *wanted), strict=True):
        assert one.shape == other.shape
        assert 0 < (one - other).norm() < 0.01 * other.norm()
