"""Networks composed at random of blocks that are written in different ways, one within another.

Sound comes as (batch, channels, time), (batch, time, features) or (batch, channels, frequency,
time); blocks change between these, and `trim` is held to all that it promises.
"""

import math
import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import mirtrim
from mirtrim.counting.operations import macs
from mirtrim.units.equivalence import check_equivalence
from tests.units.amount import RANDOM

NETWORKS, PARTS = 40 * RANDOM, 4
BANDS = 2


class Block(nn.Module):
    """A module whose children and numbers are named; `run` is its forward pass."""

    def __init__(self, run, out: int, **parts) -> None:
        super().__init__()
        self.run, self.out = run, out
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor):
        return self.run(self, x)


def convolution(r, c, depth):
    made = nn.Conv1d(c, 8, 3, padding=1, padding_mode=r.choice(["zeros", "reflect"]))
    if r.random() < 0.3:
        made = nn.utils.parametrizations.weight_norm(made)
    norm = r.choice([nn.BatchNorm1d(8), nn.GroupNorm(2, 8), nn.Identity()])
    return Block(lambda m, x: F.elu(m.norm(m.made(x))), 8, made=made, norm=norm)


def gated(r, c, depth):
    """A stream and a skip connection out of one layer."""

    def run(m, x):
        a, b = m.both(x).chunk(m.halves, 1)
        y = m.mix(a.tanh() * b.sigmoid())
        stream, skip = y.split([m.width, m.skips], 1)
        return torch.cat([x + stream, m.norm(skip)], 1)

    return Block(
        run, c + 6, both=nn.Conv1d(c, 10, 3, padding=1), mix=nn.Conv1d(5, c + 6, 1),
        norm=nn.GroupNorm(1, 6), halves=2, width=c, skips=6,
    )  # fmt: skip


def residual(r, c, depth):
    inner = chain(r, c, depth)
    run = r.choice(
        [
            lambda m, x: x + m.back(m.inner(x)),
            lambda m, x: math.sqrt(0.5) * (m.back(checkpoint(m.inner, x, use_reentrant=False)) + x),
            lambda m, x: m.back(m.inner(m.back(m.inner(x)).tanh())),  # twice
            lambda m, x: torch.stack([x, m.back(m.inner(x.flip(-1)))]).amax(0),
        ]
    )
    return Block(run, c, inner=inner, back=nn.Conv1d(inner.out, c, 1))


def branches(r, c, depth):
    both = nn.ModuleDict({"a": chain(r, c, depth), "b": nn.Conv1d(c, 6, 1)})

    def run(m, x):
        found = {name: part(x) for name, part in m.both.items()}
        return torch.cat([found["b"], found["a"]], dim=1)

    return Block(run, both["a"].out + 6, both=both)


def halved(r, c, depth):
    """Down, through something, and up again beside what was there."""
    inner = chain(r, 8, depth)

    def run(m, x):
        y = m.up(m.inner(F.relu(m.down(x))))
        return torch.cat([x, F.pad(y, (0, x.shape[-1] - y.shape[-1]))], 1)

    up = nn.ConvTranspose1d(inner.out, 7, 2, 2)
    return Block(run, c + 7, down=nn.Conv1d(c, 8, 2, 2), inner=inner, up=up)


def excited(r, c, depth):
    def run(m, x):
        scale, shift = m.b(F.relu(m.a(x.mean(-1)))).unsqueeze(-1).chunk(2, 1)
        return x * scale.sigmoid() + shift

    return Block(run, c, a=nn.Linear(c, 5), b=nn.Linear(5, 2 * c))


def shuffled(r, c, depth):
    def run(m, x):
        y = m.pairs(F.relu(m.first(x)))
        b, n, t = y.shape
        return y.view(b, m.groups, n // m.groups, t).transpose(1, 2).reshape(b, n, t)

    first, pairs = nn.Conv1d(c, 12, 1), nn.Conv1d(12, 12, 3, padding=1, groups=2)
    return Block(run, 12, first=first, pairs=pairs, groups=2)


def recurrent(r, c, depth):
    kind, both = r.choice([nn.GRU, nn.LSTM]), r.random() < 0.5
    run = lambda m, x: m.rnn(x.transpose(1, 2))[0].transpose(1, 2)  # noqa: E731
    return Block(run, 6 + 6 * both, rnn=kind(c, 6, batch_first=True, bidirectional=both))


def attention(r, c, depth):
    """Heads of features, (batch, time, features)."""

    def run(m, x):
        y = torch.einsum("bct->btc", x)
        b, t, _ = y.shape
        q, k, v = m.qkv(m.norm(y)).view(b, t, 3, m.heads, -1).permute(2, 0, 3, 1, 4)
        if m.fused:
            z = F.scaled_dot_product_attention(q, k, v)
        else:
            z = (q @ k.transpose(-2, -1) * m.scale).softmax(-1) @ v
        return (y + m.project(z.transpose(1, 2).reshape(b, t, -1))).mT

    return Block(
        run, c, qkv=nn.Linear(c, 36), project=nn.Linear(12, c), norm=nn.LayerNorm(c), heads=4,
        scale=3**-0.5, fused=r.random() < 0.5,
    )  # fmt: skip


def two_paths(r, c, depth):
    """Along short pieces of time, then from piece to piece."""

    def run(m, x):
        b, n, t = x.shape
        y = F.pad(x, (0, -t % m.piece)).view(b, n, -1, m.piece)
        pieces = y.shape[2]
        z = m.near(y.permute(0, 2, 3, 1).reshape(b * pieces, m.piece, n))[0]
        y = y + m.back(z).view(b, pieces, m.piece, n).permute(0, 3, 1, 2)
        return m.far(y.mean(-1)).repeat_interleave(m.piece, -1)[..., :t] + x

    return Block(
        run, c, near=nn.GRU(c, 5, batch_first=True), back=nn.Linear(5, c),
        far=nn.Conv1d(c, c, 3, padding=1), piece=4,
    )  # fmt: skip


def bands(r, c, depth):
    """Channels become channels of several bands, (batch, channels, frequency, time)."""

    def run(m, x):
        y = m.apart(x)
        y = y.unflatten(1, (-1, BANDS)) if m.way else y.view(len(x), m.each, m.bands, -1)
        y = y + F.relu(m.norm(m.plane(y)))
        return y.flatten(1, 2) if m.way else y.reshape(len(x), -1, y.shape[-1])

    return Block(
        run, 6 * BANDS, apart=nn.Conv1d(c, 6 * BANDS, 1), plane=nn.Conv2d(6, 6, 3, padding=1),
        norm=nn.BatchNorm2d(6), way=r.random() < 0.5, each=6, bands=BANDS,
    )  # fmt: skip


FLAT = (convolution, gated, excited, shuffled, recurrent, attention, two_paths, bands)
NESTED = (residual, branches, halved)


def chain(r: random.Random, c: int, depth: int = 0) -> Block:
    parts = nn.ModuleList()
    for _ in range(r.choice([1, 2]) + (depth == 0)):
        parts.append(r.choice(FLAT + NESTED if depth < 2 else FLAT)(r, c, depth + 1))
        c = parts[-1].out

    def run(m, x):
        for part in m.parts:
            x = part(x)
        return x

    return Block(run, c, parts=parts)


def network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    body = chain(random.Random(seed), 8)

    def run(m, x):
        y = m.body(m.first(x)).transpose(1, 2)
        return {"frames": m.frames(y), "whole": m.whole(F.relu(m.hidden(y.mean(1))))}

    return Block(
        run, 2, first=nn.Conv1d(3, 8, 1), body=body, frames=nn.Linear(body.out, 2),
        hidden=nn.Linear(body.out, 8), whole=nn.Linear(8, 3),
    ).eval()  # fmt: skip


@pytest.mark.parametrize("part", range(PARTS))
def test_networks_of_nested_blocks_are_trimmed(part, tmp_path):
    for seed in range(part, NETWORKS, PARTS):
        net, x = network(seed), torch.randn(2, 3, 12)
        small = mirtrim.trim(net, x, ratio=2)
        report = small.trim_report
        assert set(report.kept) <= {"it is an output of the network"}, seed
        assert sum(p.numel() for p in small.parameters()) == report.parameters_after
        assert macs(small, x) == report.macs_after, seed
        longer = torch.randn(3, 3, 17)
        assert check_equivalence(net, small, report.cut.graph, report.cut.keep, longer) < 1e-5
        mirtrim.save(small, tmp_path / "small")
        again = mirtrim.load(tmp_path / "small", lambda seed=seed: network(seed))
        for name, out in small(x).items():
            torch.testing.assert_close(again.eval()(x)[name], out)
        sum(out.square().mean() for out in small.train()(longer).values()).backward()
        assert all(p.grad is not None for p in small.parameters()), seed
