"""Layers that take over the weights of others, as momentum encoders do."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mirtrim
from mirtrim.units.finding import discover

X = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(3)).double()


class Momentum(nn.Module):
    """A frozen encoder that follows a trained one, and what both make."""

    def __init__(self, update, *, in_training: bool) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.update, self.in_training = update, in_training
        self.query = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 7))
        self.key = copy.deepcopy(self.query).requires_grad_(False)
        self.last = nn.Linear(7, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or not self.in_training:
            with torch.no_grad():
                for key, query in zip(self.key.parameters(), self.query.parameters(), strict=True):
                    self.update(key, query)
        return self.last(self.query(x) * self.key(x))


def _assign(key, query):
    key.data = 0.5 * key.data + 0.5 * query.data


UPDATES = {
    "data": _assign,
    "data.copy_": lambda key, query: key.data.copy_(0.5 * key.data + 0.5 * query.data),
    "data.mul_": lambda key, query: key.data.mul_(0.5).add_(query.data, alpha=0.5),
    "data.lerp_": lambda key, query: key.data.lerp_(query.data, 0.5),
    "copy_": lambda key, query: key.copy_(query),
    "copy_ of a mean": lambda key, query: key.copy_(0.5 * key + 0.5 * query.detach()),
    "lerp_": lambda key, query: key.lerp_(query, 0.5),
}


@pytest.mark.parametrize("in_training", [True, False])
@pytest.mark.parametrize("name", UPDATES)
def test_a_momentum_encoder_is_cut_with_what_it_follows(name, in_training, assert_equivalence):
    for seed in (0, 1):
        net = Momentum(UPDATES[name], in_training=in_training)
        graph = assert_equivalence(net, X, seed)
        for place in ("0.weight", "0.bias", "2.weight"):
            for one, other in zip(
                graph.slices[f"query.{place}"], graph.slices[f"key.{place}"], strict=True
            ):
                assert (one is None and other is None) or np.array_equal(one, other)
        assert (graph.slices["query.0.weight"][0] > 0).all()
    small = mirtrim.trim(net, X, ratio=1.3).train()
    assert small(X).shape == (2, 4, 2)
    assert small.key[0].weight.shape == small.query[0].weight.shape


def test_a_frozen_encoder_that_follows_nothing_stays():
    graph = discover(Momentum(lambda key, query: key.mul_(1.0), in_training=True).double(), X)
    assert not next(la for la in graph.layers if la.name == "key.0").groups.any()
    assert (graph.slices["query.0.weight"][0] > 0).all()


def test_data_from_elsewhere_keeps_the_weight(assert_equivalence):
    class Filled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(5, 10), nn.Linear(10, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.last.weight.data = torch.linspace(0, 1, 30).to(x).view(3, 10)
            return self.last(self.first(x))

    graph = assert_equivalence(Filled(), X)
    assert graph.slices["last.weight"][1] is None
