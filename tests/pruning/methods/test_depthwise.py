"""Separable convolutions from scratch: which layers, how wide, and drawn how."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.counting.operations import macs
from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.depthwise import separable
from mirtrim.training.initialise import initialise
from mirtrim.units.pairs import LayerPair
from mirtrim.utils.errors import ConfigError, RatioError

EXAMPLE = torch.zeros(1, 1, 8, 10)


def network() -> nn.Module:
    model = SpectralCNN(frames=10, mel_bins=8, channels=16, hidden=16)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def fill_with_seven(model: nn.Module, generator: torch.Generator) -> None:
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)


def sizes() -> dict[str, int]:
    return {"parameters": count(network()), "macs": macs(network(), EXAMPLE)}


def prepared(ratio: float, budget: str, seed: int = 0, **more: Any) -> nn.Module:
    settings = settings_of({"method": "depthwise", "budget": budget})
    scoring = {"batches": None, "loss": None, "generator": torch.Generator().manual_seed(seed)}
    current = Round(ratio, sizes(), EXAMPLE, scoring, **more)
    return get_method("depthwise").prepare(Ticket(network(), {}), settings, current).network


def test_layers_with_fewer_weights_apart_are_taken_apart() -> None:
    """K·M·N → K·M + M·N: 3·8·6 = 144 → 72; into one channel 24 → 32, which stays."""
    model = nn.Sequential(
        nn.Conv1d(1, 8, 3),
        nn.Conv1d(8, 6, 3, stride=2, padding=1, dilation=2),
        nn.Conv1d(6, 6, 1),
        nn.Conv1d(6, 6, 3, groups=2),
        nn.Conv1d(6, 1, 3),
        nn.Linear(5, 4),
    )
    found = separable(model)
    assert [isinstance(layer, LayerPair) for layer in found] == [False, True, *[False] * 4]
    depthwise, mixing = found[1]
    assert tuple(depthwise.weight.shape) == (8, 1, 3)
    assert (depthwise.groups, depthwise.stride, depthwise.padding, depthwise.dilation) == (
        8, (2,), (1,), (2,)
    )  # fmt: skip
    assert depthwise.bias is None
    assert tuple(mixing.weight.shape) == (6, 8, 1)
    assert mixing.bias.shape == (6,)
    assert sum(p.numel() for p in (depthwise.weight, mixing.weight)) == 72
    x = torch.randn(2, 8, 20)
    assert found[1](x).shape == model[1](x).shape
    # The one that is given stays as it is.
    assert not any(isinstance(layer, LayerPair) for layer in model)


@pytest.mark.parametrize(("ratio", "budget"), [(2, "parameters"), (4, "parameters"), (8, "macs")])
def test_a_network_is_as_large_as_the_ratio_leaves(ratio: float, budget: str) -> None:
    found = prepared(ratio, budget)
    left = {"parameters": count(found), "macs": macs(found, EXAMPLE)}
    assert 0.85 * sizes()[budget] / ratio < left[budget] <= sizes()[budget] / ratio
    assert sum(isinstance(m, LayerPair) for m in found.modules()) == 1
    # All layers have about the same share of their units.
    channels, hidden = found.conv1[0].out_channels, found.branch.out_features
    assert abs(channels / 16 - hidden / 16) <= 1 / 16


def test_a_network_that_is_smaller_than_the_target_is_made_wider() -> None:
    """Separated, the network has less than half of the multiply-accumulates that ratio 2 leaves."""
    assert 2 * macs(separable(network()), EXAMPLE) < sizes()["macs"] / 1.5
    found = prepared(1.5, "macs")
    assert 0.85 * sizes()["macs"] / 1.5 < macs(found, EXAMPLE) <= sizes()["macs"] / 1.5
    assert found.conv1[0].out_channels > 16
    assert found.branch.in_features > 16
    assert found.heads[0].output.out_features == 10  # what is given does not grow
    assert found(torch.randn(2, 1, 8, 10)).shape == (2, 1, 10)


def test_weights_are_fresh_and_depthwise_ones_have_their_own_fans() -> None:
    """25 taps: deviation 1/5, and not √(2 / (25 + 25 · 32)) = 0.05."""
    found, same, other = prepared(1.5, "macs"), prepared(1.5, "macs"), prepared(1.5, "macs", 1)
    pair = next(m for m in found.modules() if isinstance(m, LayerPair))
    weight: Tensor = pair[0].weight.detach()
    assert weight.std().item() == pytest.approx(math.sqrt(1 / 25), rel=0.15)
    assert all(
        torch.equal(a, b) for a, b in zip(found.parameters(), same.parameters(), strict=True)
    )
    assert not torch.equal(found.branch.weight, other.branch.weight)
    # Everything else is drawn as the task draws it, and nothing else is left.
    sevens = prepared(2.0, "parameters", initialise=fill_with_seven)
    for name, parameter in sevens.named_parameters():
        assert (parameter == 7).all() == (name != "conv2.0.0.weight"), name
    norms = [m for m in found.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert all((m.running_var == 1).all() for m in norms)


@pytest.mark.parametrize(
    ("ratio", "budget", "wider"), [(4, "parameters", 0), (2, "parameters", 1), (1.5, "macs", 2)]
)
def test_every_network_on_the_way_is_drawn(ratio: float, budget: str, wider: int) -> None:
    """The separable one, each wider one, the cut one: a cut is checked on weights as tasks draw
    them, and the random numbers of committed rows came in that order.
    """
    drawn: list[int] = []
    found = prepared(ratio, budget, initialise=lambda model, _: drawn.append(count(model)))
    assert len(drawn) == 2 + wider
    assert drawn[0] == count(separable(network()))
    assert drawn[-1] == count(found)
    assert all(wide > 2 * narrow for narrow, wide in itertools.pairwise(drawn[:-1]))


@pytest.mark.parametrize("budget", ["parameters", "macs"])
def test_the_highest_ratio_can_be_reached_and_no_higher_one(budget: str) -> None:
    settings = settings_of({"method": "depthwise", "budget": budget})
    model = network()
    highest = get_method("depthwise").highest_ratio(model, EXAMPLE, settings)
    assert not any(isinstance(module, LayerPair) for module in model.modules())
    found = prepared(highest * 0.9999, budget)
    left = {"parameters": count(found), "macs": macs(found, EXAMPLE)}[budget]
    assert left == pytest.approx(sizes()[budget] / highest)
    assert found.branch.in_features == 2
    with pytest.raises(RatioError, match="cannot get below"):
        prepared(highest * 1.01, budget)


def test_what_nothing_makes_wider_is_refused() -> None:
    settings = settings_of({"method": "depthwise"})
    model = nn.Sequential(nn.Flatten(), nn.Linear(80, 3))
    current = Round(
        1.0, {"parameters": 10**6, "macs": 1}, EXAMPLE, {"generator": torch.Generator()}
    )
    with pytest.raises(ConfigError, match="even 64 times as wide the network has 243 parameters"):
        get_method("depthwise").prepare(Ticket(model, {}), settings, current)
