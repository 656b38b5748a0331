"""The replicated counter gives the recorded operations of every dense network."""

import pytest
import torch
from torch import nn

from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.utils.errors import TraceError
from tests.counting.replicated_counter import layer_operations, replicated_flops


@pytest.mark.parametrize(
    ("network", "shape", "exact", "recorded"),
    [
        (WaveformCNN(), (32_768,), 571_616_496, 571_616_512),
        (
            WaveformCNN(samples=132_300, classes=10, kernel=256),
            (132_300,),
            663_368_977,
            663_368_960,
        ),
        (
            SpectralCNN(detectors=3, outputs_per_frame=2),
            (64, 50),
            2_659_569_440,
            2_659_569_408,
        ),
        (
            SpectralCNN(outputs_per_frame=2, detector_hidden=False),
            (64, 50),
            2_656_209_696,
            2_656_209_664,
        ),
        (SpectralCNN(outputs_per_frame=2), (64, 50), 2_657_261_344, 2_657_261_312),
        (ChordConvNet(), (105, 15), 27_237_050, 27_237_050),
        (Crepe(capacity=4), (1024,), 36_904_448, 36_904_448),
        (Crepe(capacity=16), (1024,), 386_693_120, 386_693_120),
    ],
)
def test_recorded_dense_networks(
    network: nn.Module, shape: tuple[int, ...], exact: int, recorded: int
) -> None:
    example = torch.zeros(1, 1, *shape)
    assert sum(layer_operations(network, example)) == exact
    assert replicated_flops(network, example) == recorded


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv1d(2, 3, 4), (2, 10), (2 * 3 * 4 + 3) * 7),
        (nn.Conv1d(2, 4, 3, groups=2), (2, 5), (4 * 3 + 4) * 3),
        (nn.Conv2d(2, 3, 3, bias=False), (2, 4, 4), (2 * 3 * 9 + 3) * 4),
        (nn.Linear(5, 7), (5,), 35),
        (nn.BatchNorm1d(4), (4, 6), 48),
        (nn.ReLU(), (4, 6), 24),
        (nn.MaxPool2d(2), (3, 4, 4), 48),
        (nn.MaxPool1d(2), (3, 4), 0),
        (nn.Sequential(nn.Dropout(), nn.Sigmoid(), nn.Flatten()), (3, 4), 0),
        (nn.GRU(5, 4), (9, 5), 12 * 12 * 13),
        (nn.LSTM(5, 4), (9, 5), 16 * 16 * 17),
    ],
)
def test_rules(layer: nn.Module, shape: tuple[int, ...], expected: int) -> None:
    assert replicated_flops(layer, torch.zeros(1, *shape)) == expected


def test_running_sum_is_in_single_precision() -> None:
    # 4096 · 4096 = 2²⁴ products; the single one of the last layer is lost in the running sum.
    network = nn.Sequential(nn.Linear(4096, 4096), nn.AdaptiveAvgPool1d(1), nn.Linear(1, 1))
    assert layer_operations(network, torch.zeros(1, 4096)) == [2**24, 0, 1]
    assert replicated_flops(network, torch.zeros(1, 4096)) == 2**24


def test_layers_that_were_never_recorded_are_refused() -> None:
    with pytest.raises(TraceError, match="Bilinear"):
        replicated_flops(nn.Sequential(nn.Linear(2, 2), _Square()), torch.zeros(1, 2))


class _Square(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.form = nn.Bilinear(2, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.form(x, x)
