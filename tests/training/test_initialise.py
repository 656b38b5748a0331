"""Initial weights: distributions, statistics that are cleared, one source of randomness."""

import math

import pytest
import torch
from torch import nn

from mirtrim.models.spectral import SpectralCNN
from mirtrim.training.initialise import initialise
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.seeds import torch_generator


def everything() -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "linear": nn.Linear(300, 500),
            "conv1d": nn.Conv1d(40, 200, 10),
            "conv2d": nn.Conv2d(20, 200, 5),
            "norm": nn.BatchNorm2d(3000),
            "lstm": nn.LSTM(60, 80),
            "cell": nn.GRUCell(20, 30),
        }
    )


def initialised(scheme: str) -> nn.ModuleDict:
    modules = everything()
    initialise(modules, torch_generator(7, "weights"), scheme)
    return modules


def test_same_generator_same_bits_and_global_state_unused() -> None:
    first, second = (SpectralCNN(channels=4, hidden=8) for _ in range(2))
    before = torch.get_rng_state()
    for network in (first, second):
        initialise(network, torch_generator(1, "weights"))
    assert torch.equal(before, torch.get_rng_state())
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    initialise(second, torch_generator(2, "weights"))
    assert not torch.equal(first.branch.weight, second.branch.weight)


def test_sound() -> None:
    modules = initialised("sound")
    assert modules.linear.weight.std().item() == pytest.approx(math.sqrt(2 / 800), rel=0.02)
    assert modules.conv1d.weight.std().item() == pytest.approx(math.sqrt(2 / 2400), rel=0.02)
    assert modules.conv2d.weight.std().item() == pytest.approx(math.sqrt(2 / 5500), rel=0.02)
    for module in (modules.linear, modules.conv1d, modules.conv2d, modules.norm):
        assert not module.bias.any()
    assert torch.equal(modules.norm.weight, torch.ones(3000))
    assert not modules.lstm.bias_ih_l0.any()
    assert not modules.cell.bias_hh.any()
    # Per gate: (60 + 80) is the sum of both fans; the stacked matrix would have 60 + 320.
    assert modules.lstm.weight_ih_l0.std().item() == pytest.approx(math.sqrt(2 / 140), rel=0.03)
    for gate in modules.lstm.weight_hh_l0.split(80):
        torch.testing.assert_close(gate @ gate.T, torch.eye(80), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scheme", ["xavier", "classic"])
def test_published(scheme: str) -> None:
    modules = initialised(scheme)
    assert modules.linear.weight.std().item() == pytest.approx(math.sqrt(2 / 800), rel=0.02)
    assert modules.conv2d.weight.std().item() == pytest.approx(math.sqrt(2 / 5500), rel=0.02)
    assert modules.linear.bias.std().item() == pytest.approx(1, rel=0.1)
    assert modules.conv2d.bias.std().item() == pytest.approx(1, rel=0.2)
    bound = 1 / math.sqrt(400)  # fan-in 40 · 10
    for value in (modules.conv1d.weight, modules.conv1d.bias):
        assert 0.95 * bound < value.abs().max().item() <= bound
    gain_deviation = modules.norm.weight.std().item()
    assert gain_deviation == pytest.approx(0.02 if scheme == "xavier" else 0, rel=0.05)
    assert modules.norm.weight.mean().item() == pytest.approx(1, abs=0.002)
    recurrent = modules.lstm.weight_hh_l0
    orthogonal = torch.allclose(recurrent.T @ recurrent, torch.eye(80), atol=1e-5)
    assert orthogonal == (scheme == "classic")
    assert 0 < modules.lstm.bias_hh_l0.abs().max().item() <= 1 / math.sqrt(80)


def test_batch_statistics_are_cleared() -> None:
    norm = nn.BatchNorm1d(3)
    norm(torch.randn(8, 3, generator=torch_generator(0)))
    initialise(norm, torch_generator(0))
    assert not norm.running_mean.any()
    assert torch.equal(norm.running_var, torch.ones(3))
    assert norm.num_batches_tracked == 0


def test_unknown_scheme_and_layer() -> None:
    with pytest.raises(ConfigError, match=r"unknown initialisation 'kind'.*sound"):
        initialise(nn.Linear(1, 1), torch_generator(0), "kind")
    with pytest.raises(ConfigError, match=r"layer 1 \(Embedding\)"):
        initialise(nn.Sequential(nn.ReLU(), nn.Embedding(2, 2)), torch_generator(0))
