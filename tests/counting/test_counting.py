"""Multiply-accumulates worked by hand: products per output position, times positions."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mirtrim.counting.operations import macs, nonzeros, parameters
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.utils.errors import TraceError

FRAMES, FEATURES, HIDDEN = 100, 40, 64


class RecurrentThenLinear(nn.Module):
    """(batch, frames, features) → 5 outputs per frame."""

    def __init__(self, kind: type[nn.RNNBase], **options: object) -> None:
        super().__init__()
        self.recurrent = kind(FEATURES, HIDDEN, batch_first=True, **options)
        self.output = nn.Linear(HIDDEN * (1 + self.recurrent.bidirectional), 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.recurrent(x)[0])


# One gate, one step: HIDDEN · FEATURES + HIDDEN · HIDDEN = 6 656; the output: HIDDEN · 5 = 320.
@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (RecurrentThenLinear(nn.RNN), 100 * (6_656 + 320)),
        (RecurrentThenLinear(nn.GRU), 2_028_800),  # 100 · (3 · 6 656 + 320)
        (RecurrentThenLinear(nn.LSTM), 2_694_400),  # 100 · (4 · 6 656 + 320)
        (RecurrentThenLinear(nn.LSTM, bidirectional=True), 5_388_800),
        # The second layer reads 64 features, or 128 of both directions.
        (RecurrentThenLinear(nn.GRU, num_layers=2), 100 * (19_968 + 3 * 8_192 + 320)),
        (
            RecurrentThenLinear(nn.LSTM, num_layers=2, bidirectional=True),
            100 * (2 * 4 * 6_656 + 2 * 4 * (64 * 128 + 64 * 64) + 640),
        ),
        (RecurrentThenLinear(nn.GRU, bidirectional=True), 100 * (2 * 19_968 + 640)),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_recurrent(network: nn.Module, expected: int, batch: int) -> None:
    assert macs(network, torch.zeros(batch, FRAMES, FEATURES)) == expected


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv1d(16, 32, 3, padding=1), (16, 100), 153_600),
        (nn.Conv1d(16, 32, 3, padding=1, groups=4), (16, 100), 38_400),
        (nn.Conv1d(16, 16, 3, padding=1, groups=16), (16, 100), 4_800),
        (nn.Conv1d(16, 32, 3, stride=2, padding=1), (16, 100), 76_800),
        (nn.Conv1d(16, 32, 3, dilation=2), (16, 100), 32 * 16 * 3 * 96),
        (nn.ConvTranspose1d(16, 32, 4, 2), (16, 100), 204_800),
        (nn.ConvTranspose1d(16, 32, 4, 2, groups=2), (16, 100), 102_400),
        (nn.Conv2d(3, 8, (5, 3)), (3, 10, 10), 8 * 3 * 15 * 6 * 8),
        (nn.ConvTranspose2d(4, 2, 3), (4, 5, 5), 4 * 2 * 9 * 25),
        (nn.Conv3d(2, 3, 2), (2, 3, 3, 3), 3 * 2 * 8 * 8),
        (nn.Linear(7, 5), (7,), 35),
        (nn.Linear(7, 5, bias=False), (11, 7), 385),
        (nn.GRUCell(4, 3), (4,), 3 * (3 * 4 + 3 * 3)),
        (nn.LSTMCell(4, 3), (4,), 4 * 21),
        (nn.RNNCell(4, 3), (4,), 21),
        (nn.Sequential(nn.BatchNorm1d(4), nn.PReLU(4), nn.Dropout()), (4, 9), 0),
        (nn.Sequential(nn.LayerNorm(9), nn.GroupNorm(2, 4)), (4, 9), 0),
        (nn.utils.parametrizations.weight_norm(nn.Linear(7, 5)), (7,), 35),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_layers(layer: nn.Module, shape: tuple[int, ...], expected: int, batch: int) -> None:
    assert macs(layer, torch.zeros(batch, *shape)) == expected


def test_published_networks() -> None:
    stages = [128 * 512 * 256, 16 * 128 * 64 * 128, 16 * 16 * 64 * 64, 16 * 16 * 64 * 32]
    stages += [32 * 16 * 64 * 16, 64 * 32 * 64 * 8, 256 * 360]
    assert macs(Crepe(), torch.zeros(1, 1, 1024)) == sum(stages)
    convolutions = 256 * 25 * 64 * 50 + 256 * 256 * 25 * 32 * 50 + 256 * 25 * 16 * 50
    linears = 800 * 1024 + 5 * 1024 * 1024 + 3 * 1024 * 50
    network = SpectralCNN(detectors=3)
    assert macs(network, torch.zeros(1, 1, 64, 50)) == convolutions + linears


def test_products_of_activations() -> None:
    class Gram(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x @ y.transpose(1, 2) + torch.einsum("bij,bkj->bik", x, y)

    assert macs(Gram(), (torch.zeros(2, 3, 5), torch.zeros(2, 4, 5))) == 2 * 3 * 4 * 5
    assert macs(nn.Bilinear(4, 5, 3), (torch.zeros(2, 4), torch.zeros(2, 5))) == 60


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    groups=st.sampled_from([1, 2, 4]),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    length=st.integers(4, 20),
    transposed=st.booleans(),
)
def test_each_output_position_costs_its_filter(
    groups: int, inputs: int, outputs: int, kernel: int, stride: int, length: int, transposed: bool
) -> None:
    """The number of products is the sum of a convolution of ones with ones, over outputs."""
    kind = nn.ConvTranspose1d if transposed else nn.Conv1d
    layer = kind(inputs * groups, outputs * groups, kernel, stride, groups=groups, bias=False)
    nn.init.ones_(layer.weight)
    ones = torch.ones(1, inputs * groups, length)
    assert macs(layer, ones) == int(layer(ones).sum())


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    macs(network, torch.ones(5, 3))
    assert [m.training for m in network.modules()] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network[0]._forward_hooks
    assert not network[0]._forward_pre_hooks


def test_unknown_operations_are_named() -> None:
    attention = nn.Sequential(nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2, 16))
    with pytest.raises(TraceError, match=r"layer 1\.self_attn: .*attention"):
        macs(attention, torch.zeros(1, 5, 8))

    class SortedWeight(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return x + self.weight.T.sort(dim=0).values

    with pytest.raises(TraceError, match=r"layer \(root\).*aten\.sort"):
        macs(SortedWeight(3, 3), torch.zeros(1, 3))


def test_a_count_that_does_not_divide_is_refused() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x[0, 0])

    with pytest.raises(TraceError, match="first axis"):
        macs(TimeFirst(), torch.zeros(3, 1, 1))


def test_parameters_and_nonzeros() -> None:
    shared = nn.Linear(3, 2)
    network = nn.Sequential(shared, nn.BatchNorm1d(2), nn.Linear(2, 3, bias=False), shared)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1)
        shared.weight[0] = 0
    assert parameters(network) == 6 + 2 + 4 + 6
    assert nonzeros(network) == 3 + 2 + 4 + 6
