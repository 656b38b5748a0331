"""Rounding is no difference, and a difference is never taken for rounding."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.utils.errors import TraceError


class Sensitive(nn.Module):
    """Small outputs that hang on the last digits of large activations.

    Args:
        between: applied to the activations, for instance a cast.
    """

    def __init__(self, between=lambda x: x, gain: float = 3000.0) -> None:
        super().__init__()
        self.first, self.wide = nn.Linear(8, 64), nn.Linear(64, 1500)
        self.last = nn.Linear(1500, 4)
        self.between, self.gain = between, gain

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.between(torch.relu(self.wide(torch.relu(self.first(x)))))
        return torch.sin(self.gain * self.last(hidden))


def made(model: nn.Module, x: Tensor, seed: int = 0):
    torch.manual_seed(seed)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    graph = discover(model, x)
    keep = np.random.default_rng(seed).random(graph.group_count) < 0.5
    keep[0] = True
    return model, graph, keep, cut(model, graph, keep)


X = torch.randn(16, 8, generator=torch.Generator().manual_seed(3))


def in_float32(model, trimmed, graph, keep, x) -> float:
    """The difference as it was judged without the second look.

    Some libraries of linear algebra sum so plainly that zeros between the terms change no digit;
    then there is nothing to tell from rounding.
    """
    from mirtrim.units.gating import gated

    one, other = gated(model, graph, keep)(x).double(), trimmed(x).double()
    difference = ((one - other).abs() / one.abs().clamp(min=1)).max().item()
    if difference == 0:
        pytest.skip("sums with and without zeros are rounded alike here")
    return difference


@pytest.mark.parametrize(
    "between",
    [
        lambda x: x,
        lambda x: x.float(),
        lambda x: x.to(torch.float32) + torch.zeros(1),
        lambda x: x.to(dtype=torch.float32, copy=True) * torch.from_numpy(np.ones(1, "f4")),
        lambda x: x.type(torch.float32).add_(torch.tensor([0.5], dtype=torch.float32)),
    ],
    ids=["plain", "float()", "to", "dtype=", "type"],
)
def test_rounding_does_not_stop_a_cut(between):
    model, graph, keep, trimmed = made(Sensitive(between).eval(), X)
    assert in_float32(model, trimmed, graph, keep, X) > 1e-5
    assert check_equivalence(model, trimmed, graph, keep, X) < 1e-9
    assert next(model.parameters()).dtype is next(trimmed.parameters()).dtype is torch.float32
    assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize("share", [1e-3, 1e-5])
def test_a_wrong_weight_in_such_a_network_is_seen(share):
    model, graph, keep, trimmed = made(Sensitive().eval(), X)
    with torch.no_grad():
        trimmed.wide.weight[3] *= 1 + share
    with pytest.raises(TraceError, match="differ by"):
        check_equivalence(model, trimmed, graph, keep, X)


def test_units_in_the_wrong_order_are_seen():
    model, graph, keep, trimmed = made(Sensitive().eval(), X)
    with torch.no_grad():
        trimmed.last.weight.copy_(trimmed.last.weight.flip(1))
    with pytest.raises(TraceError, match="differ by"):
        check_equivalence(model, trimmed, graph, keep, X)


def test_a_number_that_passes_is_the_one_of_its_own_precision():
    # Processors round differently: half the gain that still passed on the first one.
    model, graph, keep, trimmed = made(Sensitive(gain=1.5).eval(), X)
    expected = in_float32(model, trimmed, graph, keep, X)
    assert expected <= 1e-5
    assert check_equivalence(model, trimmed, graph, keep, X) == expected


def only_float32(x: Tensor) -> Tensor:
    if x.dtype is not torch.float32:
        raise RuntimeError("expected scalar type Float but found Double")
    return x


def test_code_for_one_precision_is_judged_by_its_activations():
    model, graph, keep, trimmed = made(Sensitive(only_float32).eval(), X)
    assert in_float32(model, trimmed, graph, keep, X) > 1e-5
    assert check_equivalence(model, trimmed, graph, keep, X) <= 1e-5
    with torch.no_grad():
        trimmed.wide.weight[3] *= 1.5
    with pytest.raises(TraceError, match="differ by"):
        check_equivalence(model, trimmed, graph, keep, X)


def test_attention_masks_of_minus_infinity_are_equal():
    class Masked(Sensitive):
        def forward(self, x: Tensor) -> Tensor:
            y = self.last(torch.relu(self.wide(torch.relu(self.first(x)))))
            return y.masked_fill(torch.arange(4) > 2, -torch.inf)

    model, graph, keep, trimmed = made(Masked().eval(), X)
    assert check_equivalence(model, trimmed, graph, keep, X) < 1e-4
    wrong = copy.deepcopy(trimmed)
    wrong.forward = lambda x: trimmed(x).masked_fill(torch.arange(4) > 1, -torch.inf)
    with pytest.raises(TraceError, match="differ by"):
        check_equivalence(model, wrong, graph, keep, X)


class Chancy(nn.Module):
    """Random numbers for each unit, in evaluation too."""

    def __init__(self, run) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 32), nn.Linear(32, 4)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self.first(x)) + torch.randn(len(x), 1))


F = nn.functional
DRAWS = {
    "randn_like": lambda x: x + torch.randn_like(x).exp(),
    "rand": lambda x: x * torch.rand(len(x), x.shape[1]),
    "dropout": lambda x: F.dropout(x, 0.5, training=True),
    "dropout twice": lambda x: F.dropout(F.dropout(x, 0.2).relu(), 0.5, inplace=True),
    "channels": lambda x: F.dropout1d(x[..., None].repeat(1, 1, 3), 0.5)[..., 1],
    "alpha": lambda x: F.alpha_dropout(x, 0.5, training=True),
    "filled": lambda x: x + torch.empty_like(x).normal_() + torch.zeros_like(x).uniform_(-1, 1),
    "normal": lambda x: torch.normal(x, torch.sigmoid(x)),
    "bernoulli": lambda x: x * torch.bernoulli(torch.sigmoid(x)),
    "new": lambda x: x + x.new_empty(x.shape).exponential_(),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_both_networks_see_the_same_random_numbers(draw):
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(1))
    model, graph, keep, trimmed = made(Chancy(DRAWS[draw]), x)
    assert graph.group_count == 33
    state = torch.get_rng_state()
    assert check_equivalence(model, trimmed, graph, keep, x) < 1e-5
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        trimmed.last.weight[0, 0] += 0.01
    with pytest.raises(TraceError, match="differ by"):
        check_equivalence(model, trimmed, graph, keep, x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_rounded_magnitudes_of_normalised_weights_are_no_difference(dtype):
    """Rounded to 8 or 11 binary digits; one that is off by more than that is a difference."""
    torch.manual_seed(0)
    norm = nn.utils.parametrizations.weight_norm
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), norm(nn.Linear(16, 4))).to(dtype)
    x = torch.randn(3, 8).to(dtype)
    graph = discover(net, x)
    keep = np.arange(graph.group_count) % 3 != 1
    trimmed = cut(net, graph, keep)
    assert check_equivalence(net, trimmed, graph, keep, x) < 1e-6
    with torch.no_grad():
        trimmed[2].parametrizations.weight.original0[0] *= 1.05
    with pytest.raises(TraceError, match="the cut would change the network"):
        check_equivalence(net, trimmed, graph, keep, x)
