"""Channels that are shuffled between grouped convolutions (Zhang et al. 2018), in a chain."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.finding import discover
from tests.units.between import X


def shuffled(x: Tensor, groups: int) -> Tensor:
    batch, channels, time = x.shape
    parts = x.view(batch, groups, channels // groups, time)
    return parts.transpose(1, 2).reshape(batch, channels, time)


class Unit(nn.Module):
    """Grouped, shuffled, depthwise, grouped; the number of groups is an attribute."""

    def __init__(self, shortcut: bool) -> None:
        super().__init__()
        self.groups, self.shortcut = 2, shortcut
        self.one = nn.Conv1d(16, 16, 1, groups=2)
        self.along = nn.Conv1d(16, 16, 3, padding=1, groups=16)
        self.other = nn.Conv1d(16, 16, 1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.other(self.along(shuffled(self.one(x).relu(), self.groups)))
        return x + y if self.shortcut else y


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("shortcut", [False, True])
def test_a_chain_of_shuffles_does_not_couple_everything(shortcut, units, assert_equivalence):
    """Groups of a grouped convolution keep equally many channels: what lies in a pair of groups is
    8 pairs, and after a shuffle 4 fours. With shortcuts the pairs are the same everywhere."""
    torch.manual_seed(0)
    chain = [Unit(shortcut) for _ in range(units)]
    net = nn.Sequential(nn.Conv1d(3, 16, 1), *chain, nn.Conv1d(16, 4, 1))
    graph = assert_equivalence(net, X)
    pairs = 8 if shortcut else 8 * (1 + units)
    assert graph.group_count - 1 == pairs + 4 * units
    assert set(graph.kept) == {"it is an output of the network"}
    assert (discover(net, X).slices["1.along.weight"][0] > 0).all()
