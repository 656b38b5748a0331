"""Random stacks of layers that are products of their own making, and one training step of each."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, einsum, nn

from mirtrim.units.cutting import cut, cut_tensors
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from tests.units.amount import RANDOM


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


X = noise(2, 5, 6)


class Block(nn.Module):
    """A function of itself and its input, and its parts: shapes of parameters, or modules."""

    def __init__(self, run, **parts) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            made = nn.Parameter(noise(*part) / 2) if isinstance(part, tuple) else part
            setattr(self, name, made)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def adapted(r, read: int, made: int) -> Block:
    rank = r.randint(2, 5)
    block = Block(
        lambda m, x: F.linear(x, m.w + 0.5 * (m.b @ m.a)),
        w=(made, read),
        a=(rank, read),
        b=(made, rank),
    )
    block.w.requires_grad_(r.random() < 0.5)
    return block


def experts(r, read: int, made: int) -> Block:
    def run(m, x):
        y = einsum("bteh,eho->bteo", einsum("bti,eih->bteh", x, m.inside).relu(), m.out)
        return einsum("bteo,bte->bto", y, m.router(x).softmax(-1))

    inside = r.randint(2, 5)
    return Block(run, inside=(3, read, inside), out=(3, inside, made), router=nn.Linear(read, 3))


def projecting(r, read: int, made: int) -> Block:
    both = r.random() < 0.5
    rnn = nn.LSTM(
        read, made + 3, r.choice([1, 2]), bidirectional=both, proj_size=made, batch_first=True
    )
    return Block(lambda m, x: m.out(m.rnn(x)[0]), rnn=rnn, out=nn.Linear(made * (1 + both), made))


def bilinear(r, read: int, made: int) -> Block:
    return Block(
        lambda m, x: m.pair(x, torch.tanh(m.other(x))),
        other=nn.Linear(read, 4),
        pair=nn.Bilinear(read, 4, made),
    )


def attending(r, read: int, made: int) -> Block:
    def run(m, x):
        b, t, _ = x.shape
        q, k, v = (
            y.view(b, t, m.heads, 2).transpose(1, 2).reshape(b * m.heads, t, 2)
            for y in m.qkv(x).chunk(3, -1)
        )
        mask = torch.full((t, t), -1e9, dtype=x.dtype).triu(1).expand(b * m.heads, -1, -1)
        seen = torch.bmm(torch.baddbmm(mask, q, k.mT, alpha=0.7).softmax(-1), v)
        return m.out(seen.view(b, m.heads, t, 2).transpose(1, 2).reshape(b, t, -1))

    block = Block(run, qkv=nn.Linear(read, 18), out=nn.Linear(6, made))
    block.heads = 3
    return block


def by_hand(r, read: int, made: int) -> Block:
    return r.choice(
        [
            lambda: Block(lambda m, x: (m.w @ x.mT + m.c).mT, w=(made, read), c=(made, 1)),
            lambda: Block(lambda m, x: torch.tensordot(x, m.w, 1), w=(read, made)),
            lambda: Block(
                lambda m, x: torch.addmm(m.c, x.flatten(0, 1), m.w).view(*x.shape[:2], -1),
                w=(read, made),
                c=(made,),
            ),
        ]
    )()


class Stack(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        r = random.Random(seed)
        torch.manual_seed(seed)
        width, layers = 6, []
        self.added = []
        for _ in range(r.randint(2, 5)):
            made = r.choice([width, r.randint(3, 8)])
            make = r.choice([adapted, experts, projecting, bilinear, attending, by_hand])
            after = r.choice([nn.ReLU(), nn.Tanh(), nn.LayerNorm(made)])
            layers.append(nn.Sequential(make(r, width, made), after))
            self.added.append(made == width and r.random() < 0.5)
            width = made
        self.layers, self.last = nn.ModuleList(layers), nn.Linear(width, 2)

    def forward(self, x: Tensor) -> Tensor:
        for layer, added in zip(self.layers, self.added, strict=True):
            x = x + layer(x) if added else layer(x)
        return self.last(x)


def _gradients(run, network: nn.Module) -> dict[str, Tensor]:
    learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(run(X).pow(2).sum(), list(learned.values()), allow_unused=True)
    return {n: g for n, g in zip(learned, found, strict=True) if g is not None}


@pytest.mark.parametrize("chunk", range(4 * RANDOM))
def test_random_stacks(chunk, scramble, random_keep):
    for seed in range(4 * chunk, 4 * chunk + 4):
        net = scramble(Stack(seed), seed)
        graph = discover(net, X)
        keep = random_keep(graph, seed, 0.5)
        small = cut(net, graph, keep)
        assert check_equivalence(net, small, graph, keep, X) < 1e-6
        left = dict(small.named_parameters())
        assert graph.parameters(keep) == sum(left[n].numel() for n in graph.unique_parameters)
        again = discover(small, X)
        fewer = random_keep(again, seed, 0.7)
        check_equivalence(small, cut(small, again, fewer), again, fewer, X)
        expected = cut_tensors(_gradients(gated(net, graph, keep), net), graph, keep)
        for name, gradient in _gradients(small, small).items():
            assert torch.allclose(expected[name], gradient, atol=1e-7), (seed, name)
