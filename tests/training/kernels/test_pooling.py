"""Maximum over neighbours: torch's bits, values and gradients, and only where it pays."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from mirtrim.training.kernels import faster_kernels, pooling
from tests.training.kernels.conftest import inputs_of, replacing


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What was pooled here and not by torch."""
    return inputs_of(pooling._OneAxisMaximum, monkeypatch)


def run(layer: nn.Module, inputs: Tensor) -> Tensor:
    """The layer's output within the context."""
    with replacing():
        result: Tensor = layer(inputs)
    return result


def test_the_larger_of_two_and_the_first_of_equals(pooled: list[Tensor]) -> None:
    inputs = torch.tensor([[[1.0, 3.0, 2.0, 2.0, 5.0, 4.0, 9.0]]], requires_grad=True)
    result = run(nn.MaxPool1d(2), inputs)
    assert result.tolist() == [[[3.0, 2.0, 5.0]]]
    assert len(pooled) == 1
    (result * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.tolist() == [[[0.0, 1.0, 10.0, 0.0, 100.0, 0.0, 0.0]]]


def test_windows_that_overlap_add_up(pooled: list[Tensor]) -> None:
    """Rows 1, 4, 2, 0: the four is the largest of both windows of three."""
    inputs = torch.tensor([1.0, 4.0, 2.0, 0.0]).reshape(1, 1, 4, 1).requires_grad_()
    result = run(nn.MaxPool2d((3, 1), stride=1), inputs)
    assert result.flatten().tolist() == [4.0, 4.0]
    assert len(pooled) == 1
    result.sum().backward()
    assert inputs.grad is not None
    assert inputs.grad.flatten().tolist() == [0.0, 2.0, 0.0, 0.0]


@pytest.mark.parametrize(("window", "ours"), [(2, 1), (8, 1), (9, 0)])
def test_a_window_of_more_than_eight_is_left_to_torch(
    pooled: list[Tensor], window: int, ours: int
) -> None:
    """Each neighbour is one pass more, and torch's kernel takes the same time for all."""
    inputs = torch.arange(18.0).reshape(1, 1, 18)
    assert run(nn.MaxPool1d(window), inputs).flatten()[0] == window - 1
    assert len(pooled) == ours


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    axes=st.sampled_from([1, 2]),
    along=st.integers(0, 1),
    batch=st.integers(1, 3),
    window=st.integers(2, pooling.LONGEST_WINDOW),
    stride=st.one_of(st.none(), st.integers(1, 10)),
    more=st.tuples(st.integers(0, 12), st.integers(0, 3)),
    levels=st.integers(1, 6),
    seed=st.integers(0, 2**16),
)
def test_bits_are_those_of_torch(
    axes: int,
    along: int,
    batch: int,
    window: int,
    stride: int | None,
    more: tuple[int, int],
    levels: int,
    seed: int,
) -> None:
    """Few levels, so that neighbours are equal often."""
    along = along if axes == 2 else 0
    kernel = tuple(window if axis == along else 1 for axis in range(axes))
    step = None if stride is None else tuple(stride if k > 1 else 1 for k in kernel)
    shape = [kernel[axis] + more[axis] for axis in range(axes)]
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, levels, (batch, 2, *shape), generator=generator).float()
    layer = (nn.MaxPool1d, nn.MaxPool2d)[axes - 1](kernel, step)
    ours, theirs = (image.clone().requires_grad_() for _ in range(2))
    found, expected = run(layer, ours), layer(theirs)
    assert torch.equal(found, expected)
    weights = torch.randn(expected.shape, generator=generator)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(nn.MaxPool2d(2), (1, 2, 8, 8), id="two axes"),
        pytest.param(nn.MaxPool2d((2, 1), stride=2), (1, 2, 8, 8), id="stride over another axis"),
        pytest.param(nn.MaxPool1d(pooling.LONGEST_WINDOW + 1), (1, 2, 30), id="long window"),
        pytest.param(nn.MaxPool1d(2, padding=1), (1, 2, 8), id="padding"),
        pytest.param(nn.MaxPool1d(2, dilation=2), (1, 2, 8), id="dilation"),
        pytest.param(nn.MaxPool1d(2, ceil_mode=True), (1, 2, 7), id="part of a window"),
        pytest.param(nn.MaxPool1d(1), (1, 2, 7), id="nothing to compare"),
    ],
)
def test_the_rest_is_left_to_torch(
    layer: nn.Module, shape: tuple[int, ...], pooled: list[Tensor]
) -> None:
    inputs = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(layer, inputs), layer(inputs))
    assert not pooled


def test_indices_and_whole_numbers_are_left_to_torch(pooled: list[Tensor]) -> None:
    with replacing():
        values, places = nn.MaxPool1d(2, return_indices=True)(torch.tensor([[[1.0, 3.0, 2.0]]]))
    assert (values.tolist(), places.tolist()) == ([[[3.0]]], [[[1]]])
    assert not pooled


def test_channels_last_are_left_to_torch(pooled: list[Tensor]) -> None:
    """As the jobs of drums and onsets lay out their windows: torch is the faster one there."""
    layer = nn.MaxPool2d((2, 1))
    run(layer, torch.zeros(2, 3, 4, 5).contiguous(memory_format=torch.channels_last))
    assert not pooled
    run(layer, torch.zeros(2, 3, 4, 5))
    assert len(pooled) == 1


def test_a_network_without_long_convolutions_is_left_alone(pooled: list[Tensor]) -> None:
    """Pooling alone does not win back what looking at every call costs."""
    network = nn.Sequential(nn.Conv1d(1, 2, 5), nn.MaxPool1d(2), nn.Dropout(0.5))
    with faster_kernels(network):
        network(torch.zeros(1, 1, 9))
    assert not pooled


def test_a_stride_left_empty_is_the_window() -> None:
    inputs = torch.tensor([[[1.0, 3.0, 2.0, 0.0]]])
    with replacing():
        assert functional.max_pool1d(inputs, 2, []).tolist() == [[[3.0, 2.0]]]
        with pytest.raises(RuntimeError, match="stride"):
            functional.max_pool1d(inputs, 2, 0)


def test_called_by_itself_it_has_the_defaults_of_torch() -> None:
    found = pooling.max_pool(1, torch.tensor([[[1.0, 3.0, 2.0, 5.0, 4.0]]]), 2)
    assert found is not None
    assert found.tolist() == [[[3, 5]]]


@pytest.mark.parametrize("axes", [1, 2])
def test_a_window_is_all_that_has_to_be_said(axes: int, pooled: list[Tensor]) -> None:
    image = torch.tensor([1.0, 3.0, 2.0, 5.0, 4.0]).reshape(1, 1, 5, *[1] * (axes - 1))
    pool = (functional.max_pool1d, functional.max_pool2d)[axes - 1]
    with replacing():
        assert pool(image, (2, 1)[:axes]).flatten().tolist() == [3, 5]
        assert pool(image[0], (2, 1)[:axes]).flatten().tolist() == [3, 5]  # no batch
    assert len(pooled) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layouts_that_no_layer_makes_are_left_to_torch(
    dtype: torch.dtype, pooled: list[Tensor]
) -> None:
    """Width before height in memory; and channels last of what has three axes."""
    layer = nn.MaxPool2d((2, 1))
    images = torch.randint(9, (2, 3, 6, 4), generator=torch.Generator().manual_seed(0)).to(dtype)
    for turned in (
        images.transpose(2, 3),
        images[0].permute(1, 2, 0).contiguous().permute(2, 0, 1),
    ):
        assert torch.equal(run(layer, turned), layer(turned))
    assert not pooled


def test_torch_says_what_is_wrong() -> None:
    with pytest.raises(RuntimeError, match="Invalid computed output size: 0"):
        run(nn.MaxPool1d(4), torch.zeros(1, 1, 3))


def test_what_is_not_a_number_stays_so() -> None:
    inputs = torch.tensor([[[1.0, float("nan"), float("nan"), 2.0]]])
    assert run(nn.MaxPool1d(2), inputs).isnan().all()


def test_no_comparison_is_kept_without_a_gradient(pooled: list[Tensor]) -> None:
    inputs = torch.tensor([[[1.0, 3.0]]], requires_grad=True)
    with torch.no_grad():
        assert run(nn.MaxPool1d(2), inputs).grad_fn is None
    assert len(pooled) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_channels_may_be_last_in_bfloat16(pooled: list[Tensor], dtype: torch.dtype) -> None:
    """Torch's bits and layout; in float32 it has the faster kernel."""
    layer = nn.MaxPool2d((2, 1))
    images = torch.randint(4, (3, 5, 8, 6), generator=torch.Generator().manual_seed(0)).to(dtype)
    results = []
    for call in (layer, lambda x: run(layer, x)):
        inputs = images.contiguous(memory_format=torch.channels_last).requires_grad_()
        result = call(inputs)
        (result * torch.arange(6).to(dtype)).sum().backward()
        assert inputs.grad is not None
        results.append((result, inputs.grad))
    for expected, found in zip(*results, strict=True):
        assert torch.equal(found, expected)
        assert found.stride() == expected.stride()
    assert len(pooled) == (dtype == torch.bfloat16)
