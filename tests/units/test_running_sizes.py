"""Sizes that cut a dimension: narrow, running offsets, splits by attributes, sums of sizes."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mirtrim
from mirtrim.units.finding import discover
from mirtrim.units.ledger import Constraints, Ledger
from mirtrim.units.sizes import AdaptiveInt


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


class Net(nn.Module):
    """Ten units, of which four and six are read apart; or as many made by two layers."""

    def __init__(self, run) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.run, self.few, self.many, self.sizes = run, 4, 6, [4, 6]
        self.all, self.a, self.b = nn.Linear(3, 10), nn.Linear(3, 4), nn.Linear(3, 6)
        self.four, self.six, self.five = nn.Linear(4, 2), nn.Linear(6, 2), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)

    def read(self, four: Tensor, six: Tensor) -> Tensor:
        return self.four(four.relu()) + self.six(six.relu())


def narrow_by_attribute(m, x):
    h = m.all(x)
    return m.read(h.narrow(-1, 0, m.few), torch.narrow(h, -1, m.few, m.many))


def narrow_by_number(m, x):
    h, width = m.all(x), m.few
    return m.read(h.narrow(-1, 0 * width, 1 * width), h.narrow(dim=-1, start=width, length=m.many))


def narrow_joined(m, x):
    a, b = m.a(x), m.b(x)
    h, n = torch.cat([a, b], -1), a.shape[-1]
    return m.read(h.narrow(-1, 0, n), h.narrow(-1, n, b.shape[-1]))


def offsets(m, x):
    h, at, parts = m.all(x), 0, []
    for size in m.sizes:
        parts.append(h[..., at : at + size])
        at += size
    return m.read(*parts)


def offsets_of_layers(m, x):
    h, at, total = m.all(x), 0, 0
    for layer in (m.four, m.six):
        total = total + layer(h[..., at : at + layer.in_features].relu())
        at = at + layer.in_features
    return total


def offsets_joined(m, x):
    parts = m.a(x), m.b(x)
    h, ends = torch.cat(parts, -1), [0, *itertools.accumulate(p.shape[-1] for p in parts)]
    return m.read(*(h[..., i:j] for i, j in itertools.pairwise(ends)))


def split_by_attributes(m, x):
    return m.read(*m.all(x).split([m.few, m.many], -1))


def split_by_list(m, x):
    return m.read(*torch.split(m.all(x), m.sizes, dim=-1))


def split_and_rest(m, x):
    h = m.all(x)
    return m.read(*h.split([m.few, h.shape[-1] - m.few], -1))


def cut_at(m, x):
    return m.read(*torch.tensor_split(m.all(x), [m.few], -1))


def from_the_end(m, x):
    h = m.all(x)
    return m.read(h[..., : -m.many], h[..., -m.many :])


def all_but(m, x):
    h = m.all(x)
    return m.read(h[..., : h.shape[-1] - m.many], h[..., h.shape[-1] - m.many :])


FOLLOWED = [
    narrow_by_attribute, narrow_by_number, narrow_joined, offsets, offsets_of_layers,
    offsets_joined, split_by_attributes, split_by_list, split_and_rest, cut_at, from_the_end,
    all_but,
]  # fmt: skip


def free(graph) -> int:
    names = ("all", "a", "b")
    return sum(int((la.groups > 0).sum()) for la in graph.layers if la.name in names)


@pytest.mark.parametrize("run", FOLLOWED)
def test_sizes_that_cut_a_dimension_are_followed(run, assert_equivalence):
    for seed in (0, 1, 2):
        assert free(assert_equivalence(Net(run), noise(2, 7, 3), seed)) == 10
    small = mirtrim.trim(Net(run).double(), noise(2, 7, 3), ratio=1.2)
    assert small(noise(5, 3)).shape == (5, 2)
    assert small.four.in_features + small.six.in_features < 10


def halves(m, x):
    h, at, total = m.all(x), 0, 0
    half = h.shape[-1] // 2
    for _ in range(2):
        total = total + m.five(h[..., at : at + half].relu())
        at += half
    return total


def test_half_and_half_are_the_whole(assert_equivalence):
    graph = assert_equivalence(Net(halves), noise(2, 7, 3))
    groups = graph.layers[0].groups
    assert (groups[:5] == groups[5:]).all()
    assert len(set(groups.tolist())) == 5


STAY = {
    "narrow to the end": (lambda m, h: m.read(h[..., :4], h.narrow(-1, 4, 6)), 0),
    "narrow from the end": (lambda m, h: m.read(h[..., :4], h.narrow(-1, -6, 6)), 0),
    "narrow at the start": (lambda m, h: m.four(h.narrow(-1, 0, 4)), 6),
    "slice by NumPy": (lambda m, h: m.read(h[..., : np.int64(4)], h[..., np.int64(4) :]), 6),
    "cut at a number": (lambda m, h: m.read(*torch.tensor_split(h, (4,), -1)), 6),
    "half and one": (lambda m, h: m.six(h[..., : h.shape[-1] // 2 + 1]), 0),
}


@pytest.mark.parametrize("name", STAY)
def test_typed_numbers_keep_what_lies_before_them(name, assert_equivalence):
    run, left = STAY[name]
    for seed in (0, 1):
        net = Net(lambda m, x: run(m, m.all(x).relu()))
        assert free(assert_equivalence(net, noise(2, 7, 3), seed)) == left


def test_sums_of_sizes():
    ledger = Ledger()
    one, two = (
        AdaptiveInt(n, ((ledger.fresh(n), Fraction(1)),), ledger, lambda: "a test") for n in (6, 4)
    )
    assert [scale for _, scale in (one + one).terms] == [2]
    assert (one + two - one).terms == two.terms
    assert (0 + one).whole is one.whole
    assert type(one - one) is type(one * 0) is int
    assert (one // 2 + one // 2).whole is not None
    assert ledger.solve(Constraints()).component.tolist() == [0, 1, 2, 3, 1, 2, 3, 7, 8, 9, 10]


class Counted(nn.Module):
    """Eight units, and numbers of the network's own that count something else."""

    def __init__(self, run, read: int = 8) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.run, self.times, self.groups = run, 4, 2
        self.make, self.read = nn.Conv1d(3, 8, 1), nn.Conv1d(read, 2, 1)
        self.pairs = nn.Conv1d(8, 8, 1, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def _shuffled(m, x):
    y = m.pairs(m.make(x).relu())
    b, c, t = y.shape
    return m.read(y.view(b, m.groups, c // m.groups, t).transpose(1, 2).reshape(b, c, t))


def _louder(m, x):
    return m.make(x) * x.abs().mean(1, keepdim=True)[..., :3].repeat(1, 1, m.times)


@pytest.mark.parametrize(
    ("run", "read", "groups"),
    [
        (lambda m, x: m.read(torch.cat(m.make(x).relu().chunk(m.groups, 1)[::-1], 1)), 8, 4),
        (lambda m, x: m.read(sum(m.make(x).relu().tensor_split(m.groups, 1))), 4, 4),
        (lambda m, x: m.read(m.make(x.repeat_interleave(m.times, -1)).relu()), 8, 8),
        (lambda m, x: m.read(m.make(x).repeat_interleave(m.times, 1).relu()), 32, 8),
        (lambda m, x: m.read(_louder(m, x)), 8, 8),
        (_shuffled, 8, 8),
    ],
    ids=["chunk", "tensor_split", "input", "units", "time", "shuffle"],
)
def test_a_number_that_counts_no_units_keeps_none(run, read, groups, assert_equivalence):
    """Where they are halved, or grouped by two, units live in pairs: there are four of each."""
    graph = assert_equivalence(Counted(run, read), noise(2, 3, 12))
    assert graph.group_count - 1 == groups
    assert set(graph.kept) == {"it is an output of the network"}
    assert not graph.follows_attributes


def test_where_several_sizes_could_shrink_each_place_has_its_own(assert_equivalence):
    """Heads go in the one part, where the size of a head sets a scale; in the other, channels of
    two bands, which are taken one by one."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.heads, self.each, self.bands = 4, 6, 2
            self.qkv, self.out = nn.Linear(3, 36), nn.Linear(12, 3)
            self.apart, self.over = nn.Linear(3, 12), nn.Linear(6, 2)

        def attend(self, x):
            b, t, _ = x.shape
            q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            return self.out(y.transpose(1, 2).reshape(b, t, -1))

        def forward(self, x):
            y = self.apart(self.attend(x).relu())
            y = y.view(*y.shape[:2], self.each, self.bands)
            return self.over(y[..., 0].relu() - y[..., 1])

    graph = assert_equivalence(Both(), noise(2, 5, 3))
    groups = {layer.name: len(set(layer.groups.tolist()) - {0}) for layer in graph.layers}
    assert groups == {"qkv": 4, "out": 3, "apart": 6, "over": 0}
    assert discover(Both().double(), noise(2, 5, 3), strict=True).group_count == 14
