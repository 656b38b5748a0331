"""Agreement with Torch-Pruning where it works: same units, same shapes, same outputs."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover

torch_pruning = pytest.importorskip(
    "torch_pruning", reason="torch-pruning is not installed; agreement is not checked"
)


class Residual(nn.Module):
    target, removed = "front", (1, 4)

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(2, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.inner = nn.Conv1d(6, 6, 3, padding=1)
        self.head = nn.Conv1d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.front(x)).relu()
        return self.head(x + self.inner(x))


class Plain(nn.Module):
    target, removed = "conv", (0, 2, 5)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.linear = nn.Linear(6 * 8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.norm(self.conv(x)).relu().flatten(1))


class UNet(nn.Module):
    target, removed = "down", (3,)

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv1d(2, 4, 3, padding=1)
        self.deep = nn.Conv1d(4, 5, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose1d(5, 3, 2, 2)
        self.last = nn.Conv1d(7, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x).relu()
        return self.last(torch.cat([y, self.up(self.deep(y).relu())], dim=1))


@pytest.mark.parametrize("kind", [Residual, Plain, UNet])
def test_same_units_same_network(kind):
    torch.manual_seed(0)
    net, x = kind().eval(), torch.randn(2, 2, 8)
    graph = discover(net, x)
    layer = next(entry for entry in graph.layers if entry.name == kind.target)
    keep = graph.all_kept()
    keep[layer.groups[list(kind.removed)]] = False
    ours = cut(net, graph, keep)
    theirs = copy.deepcopy(net)
    dependencies = torch_pruning.DependencyGraph().build_dependency(theirs, example_inputs=x)
    dependencies.get_pruning_group(
        theirs.get_submodule(kind.target),
        torch_pruning.prune_conv_out_channels,
        idxs=list(kind.removed),
    ).prune()
    expected = {name: tuple(p.shape) for name, p in theirs.state_dict().items()}
    assert {name: tuple(p.shape) for name, p in ours.state_dict().items()} == expected
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value), name
    assert np.allclose(ours(x).detach(), theirs(x).detach())
