"""A checkpoint runs a part of the network again in the backward pass, with the same gates."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mirtrim.units.finding import discover
from mirtrim.units.gating import gates

X = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 6)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(self.norm(self.up(x).tanh()).relu())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 2)
        self.blocks = nn.ModuleList([Block(), Block()])
        self.checkpointed = False
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return self.last(x)


@pytest.mark.parametrize("straight_through", [False, True])
def test_gradients_of_checkpointed_parts_are_those_of_the_gated_network(straight_through):
    net = Net()
    graph = discover(net, X)
    keep = np.random.default_rng(0).random(graph.group_count) < 0.6
    keep[0] = True
    found = []
    for net.checkpointed in (False, True):
        net.zero_grad()
        with gates(net, graph, keep, straight_through=straight_through):
            net(X).square().sum().backward()
        found.append([p.grad.clone() for p in net.parameters()])
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    for plain, again in zip(*found, strict=True):
        assert torch.equal(plain, again)
