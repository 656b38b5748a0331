"""Parts of weights: chunks, splits and slices of a parameter, as cells written by hand use them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mirtrim
from mirtrim.units.finding import discover
from mirtrim.units.graph import RowLayout


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


class Net(nn.Module):
    """Three times as many rows as there are units, and what is made of them."""

    def __init__(self, run, units: int = 8) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.run, self.units = run, units
        self.first, self.last = nn.Linear(5, units), nn.Linear(units, 2)
        self.weight = nn.Parameter(noise(3 * units, units) / 3)
        self.bias = nn.Parameter(noise(3 * units))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, torch.tanh(self.first(x)))


def _attend(m, x, weights, biases):
    q, k, v = (F.linear(x, w, b) for w, b in zip(weights, biases, strict=True))
    return m.last(torch.softmax(q @ k.mT, -1) @ v)


def chunks(m, x):
    return _attend(m, x, m.weight.chunk(3), m.bias.chunk(3, 0))


def equal_parts(m, x):
    return _attend(m, x, torch.tensor_split(m.weight, 3), m.bias.tensor_split(3))


def split_by_width(m, x):
    return _attend(m, x, m.weight.split(x.shape[-1]), m.bias.split(x.size(-1)))


def split_by_attribute(m, x):
    return _attend(m, x, m.weight.split([m.units] * 3), m.bias.split([m.units] * 3))


def runs(m, x):
    n = m.units
    return _attend(m, x, *([t.narrow(0, i * n, n) for i in range(3)] for t in (m.weight, m.bias)))


def slices(m, x):
    n = m.units
    cuts = slice(None, n), slice(n, 2 * n), slice(2 * n, None)
    return _attend(m, x, [m.weight[c, :] for c in cuts], [m.bias[c] for c in cuts])


def turned(m, x):
    q, k, v = (x @ w for w in m.weight.T.chunk(3, dim=1))
    return m.last(torch.softmax(q @ k.mT, -1) @ v)


def convolved(m, x):
    one, two, _ = (F.conv1d(x.mT, w.unsqueeze(-1)) for w in m.weight.chunk(3))
    return m.last((one * torch.sigmoid(two)).mT)


def recurrent(m, x):
    """A GRU in which update and reset share one product."""
    n, state = m.units, x.new_zeros(x.shape[0], m.units)
    for step in x.unbind(1):
        both = F.linear(step, m.weight[: 2 * n], m.bias[: 2 * n])
        update, reset = torch.sigmoid(both + F.linear(state, m.weight[: 2 * n])).chunk(2, -1)
        new = F.linear(step, m.weight[2 * n :], m.bias[2 * n :]) + F.linear(
            reset * state, m.weight[2 * n :]
        )
        state = update * state + (1 - update) * torch.tanh(new)
    return m.last(state)


def shifted(m, x):
    scale, shift, _ = m.bias.chunk(3)
    return m.last(F.linear(x * scale + shift, m.weight.chunk(3)[0]))


PARTED = [
    chunks, equal_parts, split_by_width, split_by_attribute, runs, slices, turned, convolved,
    recurrent, shifted,
]  # fmt: skip


@pytest.mark.parametrize("run", PARTED)
def test_parts_whose_size_follows_lose_units(run, assert_cut_whole):
    graph = assert_cut_whole(lambda: Net(run), noise(2, 4, 5), ratio=1.2)
    assert all((layer.groups > 0).all() for layer in graph.layers if layer.name != "last")
    assert (graph.slices["weight"][0] > 0).all()
    assert run in (turned, convolved) or (graph.slices["bias"][0] > 0).all()


def test_a_part_is_scored_by_its_own_rows():
    net = Net(chunks).double()
    graph = discover(net, noise(2, 4, 5))
    part = next(layer for layer in graph.layers if layer.name == "weight[8:16]")
    assert part.weights == ("weight",)
    rows = graph.unit_weights(part, dict(net.named_parameters()))
    assert torch.equal(rows, net.weight[8:16])
    columns = RowLayout(dim=1, start=2, stop=4).by_unit(torch.arange(10.0).view(2, 5))
    assert columns.tolist() == [[2, 7], [3, 8]]


class Cell(nn.Module):
    """An LSTM with the weights of all gates in one parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 6
        self.read, self.back = nn.Parameter(noise(24, 5) / 2), nn.Parameter(noise(24, 6) / 2)
        self.last = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[0], self.size)
        read, back = self.read.chunk(4), self.back.chunk(4)
        for step in x.unbind(1):
            i, f, g, o = (
                F.linear(step, w) + F.linear(h, u) for w, u in zip(read, back, strict=True)
            )
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        return self.last(h)


def test_a_unit_of_a_cell_goes_from_all_gates(assert_cut_whole):
    graph = assert_cut_whole(Cell, noise(2, 4, 5), [("read", 0), ("back", 1)])
    gates = graph.slices["read"][0].reshape(4, 6)
    assert (gates == gates[0]).all()
    assert np.array_equal(graph.slices["last.weight"][1], gates[0])


def test_parts_of_a_part(assert_equivalence):
    def run(m, x):
        top = m.weight[: 2 * m.units]
        one, two = (F.linear(x, w) for w in top.chunk(2))
        return m.last(one * two)

    graph = assert_equivalence(Net(run), noise(2, 4, 5))
    assert [layer.name for layer in graph.layers][1:3] == [
        "weight[0:16][0:8]",
        "weight[0:16][8:16]",
    ]
    assert graph.rows("weight[0:16][8:16]", "weight").start == 8


def test_columns_of_one_weight_read_two_layers(assert_equivalence):
    def run(m, x):
        n = x.shape[-1]
        return m.last(F.linear(x, m.weight.T[:, :n]) + F.linear(x, m.weight.T[:, n : 2 * n]))

    assert (assert_equivalence(Net(run), noise(2, 4, 5)).slices["weight"][1] > 0).all()


TYPED = {
    "slice": lambda m: (m.weight[:8], m.bias[:8]),
    "negative": lambda m: (m.weight[-8:], m.bias[-8:]),
    "split": lambda m: (m.weight.split(8)[1], m.bias.split(8)[1]),
}


@pytest.mark.parametrize("part", TYPED)
def test_typed_parts_stay_whole_and_the_rest_is_cut(part):
    net = Net(lambda m, x: m.last(F.linear(x, *TYPED[part](m)).relu())).double()
    graph = discover(net, noise(2, 4, 5))
    assert {layer.name for layer in graph.layers} == {"first", "last"}
    small = mirtrim.trim(net, noise(2, 4, 5), ratio=1.1)
    assert small.weight.shape[0] == 24
    assert small(noise(3, 7, 5)).shape == (3, 7, 2)


def test_typed_columns_keep_what_they_read():
    def run(m, x):
        return m.last(F.linear(x, m.weight.T[:, :8]) + F.linear(x, m.weight.T[:, 8:16]))

    net = Net(run).double()
    graph = discover(net, noise(2, 4, 5))
    assert not next(la for la in graph.layers if la.name == "first").groups.any()
    assert mirtrim.trim(net, noise(2, 4, 5), ratio=1.1).weight.shape == (24, 7)


def test_whole_and_in_part(assert_equivalence):
    """The same weight as it is and some of it: as it is, it would lose rows."""

    def run(m, x):
        return m.last(F.linear(x, m.weight)[..., :8] + F.linear(x, m.weight[:8]))

    graph = assert_equivalence(Net(run), noise(2, 4, 5))
    assert graph.slices["weight"][0] is None
    assert (graph.slices["first.weight"][0] > 0).all()


class Slim(nn.Linear):
    """Uses as many of its rows as it is told."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight[: self.used], self.bias[: self.used])


@pytest.mark.parametrize("used", [6, 4])
def test_a_module_that_uses_some_of_its_rows(used, assert_equivalence):
    net = nn.Sequential(nn.Linear(3, 7), nn.ReLU(), Slim(7, 6), nn.ReLU(), nn.Linear(used, 2))
    net[2].used = used
    assert_equivalence(net, noise(4, 3))
    assert mirtrim.trim(net, noise(4, 3), ratio=1.3)(noise(5, 3)).shape == (5, 2)
