"""Calls over units without a named weight: inputs of other lengths get the right gates, or none."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from mirtrim.utils.errors import TraceError


def normed(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


class Steps(nn.Module):
    """A loop over steps whose norms are of other units than the one behind it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        total = sum(self.second(normed(self.first(step))) for step in x.unbind(1))
        return self.last(normed(total))


class Layers(nn.Module):
    """One line of code normalises the units of several layers, each step a random number of."""

    def __init__(self, steps: str) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.layers = nn.ModuleList([nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)])
        self.steps = steps
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        again = {"layer": (x.shape[1], 1), "all": (1, x.shape[1])}[self.steps]
        result = x.new_zeros(())
        for _ in range(again[1]):
            y = x[:, 0]
            for layer in self.layers[:-1]:
                y = layer(y)
                for _ in range(again[0]):
                    y = normed(y) + 0.5
            result = result + self.layers[-1](y)
        return result


def noise(steps: int) -> Tensor:
    return torch.randn(3, steps, 2, generator=torch.Generator().manual_seed(steps)).double()


def some(graph) -> np.ndarray:
    keep = np.random.default_rng(1).random(graph.group_count) < 0.5
    keep[0] = True
    assert 0 < keep[1:].sum() < len(keep) - 1
    return keep


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_a_loop_runs_for_more_steps_or_for_fewer(steps):
    net = Steps()
    graph = discover(net, noise(3))
    keep = some(graph)
    check_equivalence(net, cut(net, graph, keep), graph, keep, noise(steps))


def test_whole_rounds_are_told_by_their_order():
    net = Layers("all")
    graph = discover(net, noise(2))
    keep = some(graph)
    for steps in (2, 1, 5):
        check_equivalence(net, cut(net, graph, keep), graph, keep, noise(steps))


@pytest.mark.parametrize("steps", [1, 3])
def test_other_numbers_of_calls_at_one_place_are_refused(steps):
    net = Layers("layer")
    graph = discover(net, noise(2))
    keep = some(graph)
    check_equivalence(net, cut(net, graph, keep), graph, keep, noise(2))
    with pytest.raises(TraceError, match=r"the network makes .* calls over units than when"):
        gated(net, graph, keep)(noise(steps))
    assert not any(net._forward_pre_hooks)
    assert not any(net._forward_hooks)


class Flat(nn.Module):
    """A mean over channels and steps in one."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first, self.last = nn.Linear(2, 6), nn.Linear(1, 1)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).flatten(1).mean(1, keepdim=True))


@pytest.mark.parametrize("steps", [3, 5])
def test_other_sizes_of_what_holds_units_and_steps_are_refused(steps):
    net = Flat()
    graph = discover(net, noise(4))
    keep = some(graph)
    check_equivalence(net, cut(net, graph, keep), graph, keep, noise(4))
    with pytest.raises(TraceError, match=rf"of size {6 * steps}, which was 24 when"):
        gated(net, graph, keep)(noise(steps))


class Renamed(Steps):
    """Its author calls himself otherwise."""

    def forward(me, x: Tensor) -> Tensor:  # noqa: N805
        total = sum(me.second(normed(me.first(step))) for step in x.unbind(1))
        return me.last(normed(total))


@pytest.mark.parametrize("steps", [1, 3])
def test_the_first_argument_of_forward_may_have_any_name(steps):
    net = Renamed()
    graph = discover(net, noise(3))
    keep = some(graph)
    check_equivalence(net, cut(net, graph, keep), graph, keep, noise(steps))
