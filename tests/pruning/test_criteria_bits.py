"""Planted knowledge: units that are, know or ignore the input and the targets."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring, score_units
from mirtrim.pruning.criteria import bits as bits_module
from mirtrim.pruning.criteria.bits import EXAMPLES, first_examples
from mirtrim.units.finding import discover

N = 1000


def scoring(network: nn.Module, inputs: Tensor, targets: Tensor, seed: int = 0) -> Scoring:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(inputs.split(64), targets.split(64), strict=True)

    network.eval()
    graph = discover(network, inputs[:1])
    return Scoring(network, graph, torch.Generator().manual_seed(seed), batches)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wires(units: int, outputs: int = 2) -> nn.Sequential:
    """A first layer whose unit u is input u."""
    network = nn.Sequential(nn.Linear(units, units), nn.ReLU(), nn.Linear(units, outputs))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(units))
        network[0].bias.zero_()
    return network


def convolution(kernels: list[list[float]]) -> nn.Sequential:
    """Sequences (n, 1, time): one unit per kernel, each centred; then a mean and an output."""
    size = len(kernels[0])
    network = nn.Sequential(
        nn.Conv1d(1, len(kernels), size, padding=size // 2, bias=False),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(len(kernels), 2),
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor(kernels)[:, None])
    return network


# information


def test_a_wider_unit_knows_more_and_a_dead_one_nothing() -> None:
    inputs = torch.randn(N, 4, generator=generator()) * torch.tensor([0.0, 0.1, 1.0, 4.0])
    bits = score_units("information", scoring(wires(4), inputs, torch.zeros(N)))["0"]
    assert bits.argsort().tolist() == [0, 1, 2, 3]
    assert bits[0] == 0
    # σ² = (0.1² + 1 + 4²) / 4 / 16², and ½ log2(1 + s² / σ²) bits.
    variance = (0.01 + 1 + 16) / 4 / 256
    expected = [0.5 * math.log2(1 + s**2 / variance) for s in (0.1, 1, 4)]
    assert bits[1:].tolist() == pytest.approx(expected, abs=0.1)


def test_a_coin_is_one_bit_and_bias_is_none() -> None:
    coin = torch.randint(2, (N, 1), generator=generator()).float()
    inputs = torch.cat([coin, torch.rand(N, 1, generator=generator(1)), torch.ones(N, 1)], 1)
    bits = score_units("information", scoring(wires(3), inputs, torch.zeros(N)))["0"]
    assert bits[0].item() == pytest.approx(1, abs=0.01)
    assert bits[1] > 3
    assert bits[2] == 0


def test_a_layer_of_constants_has_no_bits() -> None:
    bits = score_units("information", scoring(wires(3), torch.full((N, 3), 0.1), torch.zeros(N)))
    assert bits["0"].tolist() == [0, 0, 0]


def test_convolution_units_are_not_all_log2_of_the_samples() -> None:
    # The replicated estimator gave log2(n) to every convolution unit.
    inputs = torch.randn(200, 1, 300, generator=generator())
    network = convolution([[0.0, 1.0, 0.0], [0.0, 0.01, 0.0], [1.0, 1.0, 1.0]])
    bits = score_units("information", scoring(network, inputs, torch.zeros(200)))["0"]
    variance = (1 + 1e-4 + 3) / 3 / 256
    expected = [0.5 * math.log2(1 + v / variance) for v in (1, 1e-4, 3)]
    assert bits.tolist() == pytest.approx(expected, abs=0.1)


# target_information, labels


def test_the_unit_that_is_the_label_comes_first_and_noise_last() -> None:
    labels = torch.randint(4, (N,), generator=generator())
    noise = torch.randn(N, 3, generator=generator(1))
    # The label; a noisy label; |label − 1.5|, which is not monotone; noise; nothing.
    inputs = torch.stack(
        [
            labels + 0.01 * noise[:, 0],
            labels + noise[:, 1],
            (labels - 1.5).abs(),
            noise[:, 2],
            torch.zeros(N),
        ],
        dim=1,
    )
    bits = score_units("target_information", scoring(wires(5), inputs, labels))["0"]
    assert bits[0].item() == pytest.approx(2, abs=0.3)  # ten bins straddle four classes
    assert bits[2].item() == pytest.approx(1, abs=0.02)
    assert bits[0] > bits[2] > bits[1] > 0.3
    assert bits[3] < 0.03
    assert bits[4] == 0


def test_positions_are_pooled_by_their_maximum_for_labels() -> None:
    # Class 1 has one peak of 3 somewhere in the noise; the difference kernel sees it, too,
    # the empty kernel does not.
    labels = torch.randint(2, (N,), generator=generator())
    inputs = 0.3 * torch.randn(N, 1, 40, generator=generator(1))
    places = torch.randint(40, (N,), generator=generator(2))
    inputs[torch.arange(N), 0, places] += 3.0 * labels
    network = convolution([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]])
    bits = score_units("target_information", scoring(network, inputs, labels))["0"]
    assert bits[0].item() == pytest.approx(1, abs=0.05)
    assert bits[1] == 0
    assert bits[2] > 0.9


def test_units_are_read_behind_their_norm() -> None:
    """A gain of −1 turns a peak into a dip, which the maximum does not see, and a dip into one."""
    labels = torch.randint(2, (N,), generator=generator())
    inputs = 0.3 * torch.randn(N, 1, 40, generator=generator(1))
    inputs[:, 0, 7] += 3.0 * labels
    plain = convolution([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    norm = nn.BatchNorm1d(3)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -1.0, -1.0]))
    network = nn.Sequential(plain[0], norm, *plain[1:])
    bits = score_units("target_information", scoring(network, inputs, labels))["0"]
    assert bits[0].item() == pytest.approx(1, abs=0.05)
    assert bits[1] < 0.1
    assert bits[2].item() == pytest.approx(1, abs=0.05)


# target_information, frames and columns


def frames_and_inputs(count: int = 200, time: int = 30) -> tuple[Tensor, Tensor]:
    """Events of one detector (count, 1, time) and an input that shows them."""
    events = (torch.rand(count, 1, time, generator=generator()) < 0.2).float()
    return events, events + 0.1 * torch.randn(count, 1, time, generator=generator(1))


def test_frames_are_paired_with_frames() -> None:
    events, inputs = frames_and_inputs()
    # The event now, the event one frame ago, nothing.
    network = convolution([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    bits = score_units("target_information", scoring(network, inputs, events))["0"]
    assert bits[0].item() == pytest.approx(0.722, abs=0.03)  # h(0.2)
    assert bits[1] < 0.005
    assert bits[2] == 0


def test_other_axes_are_pooled_and_detectors_averaged() -> None:
    # Events of detector 0 light up one of eight bins; detector 1 shows nowhere.
    events, _ = frames_and_inputs(200, 30)
    other = (torch.rand(200, 1, 30, generator=generator(5)) < 0.5).float()
    inputs = 0.1 * torch.randn(200, 1, 8, 30, generator=generator(6))
    inputs[:, :, 3] += events
    network = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(480, 2)
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1e-3])[:, None, None, None])
    context = scoring(network, inputs, torch.cat([events, other], dim=1))
    bits = score_units("target_information", context)["0"]
    assert bits[0].item() == pytest.approx(0.722 / 2, abs=0.02)


def test_linear_units_know_columns() -> None:
    # Three detectors of two frames; unit 0 is one of the six columns, unit 1 none.
    events = (torch.rand(N, 3, 2, generator=generator()) < 0.5).float()
    noise = torch.randn(N, generator=generator(1))
    inputs = torch.stack([events[:, 1, 0], noise], dim=1)
    bits = score_units("target_information", scoring(wires(2), inputs, events))["0"]
    assert bits[0].item() == pytest.approx(1 / 6, abs=0.005)
    assert bits[1] < 0.005


def test_soft_columns_count_from_one_half_on() -> None:
    present = (torch.rand(N, 4, generator=generator()) < 0.3).float()
    soft = 0.6 * present + 0.2
    network = wires(4)
    hard_bits = score_units("target_information", scoring(network, present, present))["0"]
    soft_bits = score_units("target_information", scoring(network, present, soft))["0"]
    assert torch.equal(hard_bits, soft_bits)
    halves = score_units("target_information", scoring(network, present, 0.5 * present))["0"]
    assert torch.equal(hard_bits, halves)
    assert hard_bits.mean() == pytest.approx(0.881 / 4, abs=0.01)  # h(0.3) of one in four


def test_real_targets_go_by_deciles() -> None:
    target = 100 * torch.randn(N, generator=generator())
    inputs = torch.stack([target**2 / 1e4, torch.randn(N, generator=generator(1))], dim=1)
    bits = score_units("target_information", scoring(wires(2), inputs, target))["0"]
    assert bits[0] > 1.8
    assert bits[1] < 0.05


# How much is looked at


def test_batches_stop_once_there_are_enough_examples() -> None:
    batch = (torch.zeros(300, 1), torch.zeros(300))
    taken = list(first_examples(lambda: [batch] * 10, EXAMPLES)())
    assert len(taken) == 4


def test_a_thousand_examples_are_enough() -> None:
    half = (torch.zeros(500, 1), torch.zeros(500))
    assert len(list(first_examples(lambda: [half] * 4, EXAMPLES)())) == 2


def spied(name: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The arguments of every call of a function of `criteria.bits`."""
    seen: list[tuple[Any, ...]] = []
    function = getattr(bits_module, name)

    def spy(*arguments: Any) -> Any:
        seen.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(bits_module, name, spy)
    return seen


@pytest.mark.parametrize(("time", "positions"), [(60, 60), (100, 100), (101, 100), (300, 100)])
def test_a_hundred_positions_of_an_example_are_enough(
    time: int, positions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spied("noisy_information", monkeypatch)
    inputs = torch.randn(20, 1, time, generator=generator())
    network = convolution([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    score_units("information", scoring(network, inputs, torch.zeros(20)))
    assert [tuple(values.shape) for values, _ in seen] == [(20 * positions, 2)]


def test_noise_is_a_sixteenth_of_the_deviation_of_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Units that are ±1 and ±7: variances 1 and 49, of which the mean is 25."""
    seen = spied("noisy_information", monkeypatch)
    signs = torch.tensor([1.0, -1.0]).repeat(50)[:, None]
    score_units("information", scoring(wires(2), signs * torch.tensor([1.0, 7.0]), signs))
    assert [noise for _, noise in seen] == [pytest.approx(5 / 16)]


@pytest.mark.parametrize(("count", "pairs"), [(300, 9000), (400, 10_000)])
def test_ten_thousand_pairs_of_frames_are_enough(
    count: int, pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = spied("column_information", monkeypatch)
    events, inputs = frames_and_inputs(count)
    network = convolution([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    score_units("target_information", scoring(network, inputs, events))
    assert [(len(values), len(columns)) for values, columns in seen] == [(pairs, pairs)]


def test_real_targets_are_told_by_ten_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = spied("binned_information", monkeypatch)
    target = 100 * torch.randn(N, 2, generator=generator())
    score_units("target_information", scoring(wires(2), target / 100, target))
    assert len(seen) == 2
    for _, column in seen:
        assert torch.bincount(column).tolist() == [N // 10] * 10


def test_random_positions_follow_the_generator() -> None:
    inputs = torch.randn(20, 1, 300, generator=generator())
    network = convolution([[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]])
    first, again, other = (
        score_units("information", scoring(network, inputs, torch.zeros(20), seed))["0"]
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
