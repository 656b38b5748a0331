"""Peaks of live activations worked by hand, in floats of 4 bytes."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.counting.activation_memory import peak_activation_bytes
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN


def floats(network: nn.Module, *shape: int) -> float:
    return peak_activation_bytes(network, torch.zeros(*shape)) / 4


def test_chain_keeps_the_largest_neighbours() -> None:
    # 3 → 10 → 10 → 4: while the second layer runs, 10 + 10 are alive.
    network = nn.Sequential(nn.Linear(3, 10), nn.Linear(10, 10), nn.Linear(10, 4))
    assert floats(network, 1, 3) == 20
    assert floats(nn.Sequential(nn.Linear(100, 7), nn.Linear(7, 9)), 1, 100) == 107


def test_batch_is_divided_out() -> None:
    assert floats(nn.Linear(100, 7), 8, 100) == 107


def test_activation_in_place_makes_no_tensor() -> None:
    layers = [nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 1)]
    assert floats(nn.Sequential(*layers), 1, 2) == 20
    layers[1] = nn.ReLU(inplace=True)
    assert floats(nn.Sequential(*layers), 1, 2) == 12


def test_views_and_inactive_dropout_make_no_tensor() -> None:
    network = nn.Sequential(nn.Dropout(), nn.Flatten(), nn.Linear(12, 5))
    assert floats(network, 1, 3, 4) == 17


class Residual(nn.Module):
    """x + f(x), f: 10 → 30 → 10."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(10, 30), nn.Linear(30, 10)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(self.widen(x))


def test_residual_keeps_its_input() -> None:
    # While `narrow` runs: x (10), 30 in, 10 out. A chain without the skip would need 40.
    assert floats(Residual(), 1, 10) == 50
    plain = Residual()
    assert floats(nn.Sequential(plain.widen, plain.narrow), 1, 10) == 40


def test_early_tensor_read_late_lives_through() -> None:
    class Late(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(1, 20), nn.Linear(20, 50), nn.Linear(50, 50)

        def forward(self, x: Tensor) -> Tensor:
            early = self.a(x)
            return torch.cat([self.c(self.b(early)), early], dim=1)

    # c: early 20 + 50 + 50 = 120; concatenation: 50 + 20 + 70 = 140.
    assert floats(Late(), 1, 1) == 140


def test_several_outputs_live_to_the_end() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(1, 30), nn.Linear(1, 40)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.a(x), self.b(x)

    assert floats(Two(), 1, 1) == 71


def test_recurrent_layer() -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = nn.GRU(5, 8, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.gru(x)[0]

    # Input 10 · 5, output 10 · 8, first and last state 8 each.
    assert floats(Last(), 1, 10, 5) == 50 + 80 + 16


def test_precision_of_the_run_does_not_matter_and_integers_count_their_size() -> None:
    network = nn.Linear(3, 10).double()
    assert peak_activation_bytes(network, torch.zeros(1, 3, dtype=torch.float64)) == 52
    assert peak_activation_bytes(nn.Embedding(9, 5), torch.zeros(1, 2, dtype=torch.long)) == 56


class Sum(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


def test_an_input_that_is_a_view_counts_what_it_shows() -> None:
    network, frames = nn.Linear(6, 3), torch.zeros(100, 6)
    for x in (frames[:1], frames[::50][:1], torch.zeros(1, 1).expand(1, 6), frames.T[:, 0][None]):
        rows = x[:, :6]
        assert peak_activation_bytes(network, rows) == 4 * 9
    # Two views of the same numbers are two inputs; the same tensor twice is one.
    whole = torch.zeros(1, 6)
    assert peak_activation_bytes(Sum(), (whole, whole[:])) == 4 * 18
    assert peak_activation_bytes(Sum(), (whole, whole)) == 4 * 12
    # A weight that is given as an input is one.
    assert peak_activation_bytes(network, network.weight[:1]) == 4 * 9


@pytest.mark.parametrize(
    ("network", "shape", "expected"),
    [
        # First convolution and its batch norm: 2 · 256 · 64 · 50.
        (SpectralCNN(), (1, 1, 64, 50), 2 * 256 * 64 * 50),
        # First stage: 2 · 128 · 256.
        (Crepe(), (1, 1, 1024), 2 * 128 * 256),
    ],
)
def test_published_networks(network: nn.Module, shape: tuple[int, ...], expected: int) -> None:
    assert floats(network, *shape) == expected


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).train()
    peak_activation_bytes(network, torch.ones(1, 3))
    assert network.training
    assert network[1].num_batches_tracked == 0
