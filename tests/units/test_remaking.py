"""Tables that a network makes anew for longer inputs: the trimmed network must make the same."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated

WIDTH = 10


def waves(steps: int, width: int = WIDTH) -> Tensor:
    places = torch.arange(steps, dtype=torch.float64)[:, None]
    return torch.sin(places / (1 + torch.arange(width, dtype=torch.float64)))


class Net(nn.Module):
    """Reads a table of eight steps, which `grow` replaces where the input has more."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.last = nn.Linear(3, WIDTH), nn.Linear(WIDTH, 2)
        self.width = WIDTH
        self.build()

    def build(self) -> None:
        self.register_buffer("table", waves(8), persistent=False)

    def grow(self, steps: int, hidden: Tensor) -> None:
        """Nothing, unless a subclass does something."""

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.first(x)
        if x.shape[1] > self.table.shape[0]:
            self.grow(x.shape[1], hidden)
        return self.last(F.relu(hidden + self.table[: x.shape[1]]))


class ByWidth(Net):
    def grow(self, steps, hidden):
        self.table = waves(steps, self.width).to(hidden)


class ByNumber(Net):
    def grow(self, steps, hidden):
        self.register_buffer("table", waves(steps, 10), persistent=False)


class ByLayer(Net):
    def grow(self, steps, hidden):
        self.table.data = waves(steps, self.first.out_features)


class ByActivation(Net):
    def grow(self, steps, hidden):
        setattr(self, "table", waves(steps, hidden.shape[-1]))  # noqa: B010


class ByTable(Net):
    def grow(self, steps, hidden):
        self._buffers["table"] = waves(steps, self.table.shape[1])


def extend(net: nn.Module, steps: int) -> None:
    net.table = waves(steps)


class ByFunction(Net):
    def grow(self, steps, hidden):
        extend(self, steps)


class OfParent(ByWidth):
    def grow(self, steps, hidden):
        super().grow(steps, hidden)


class Held(Net):
    """A table for each length."""

    def build(self):
        self.tables = {8: waves(8), 6: waves(6)}

    def forward(self, x):
        steps = x.shape[1]
        if steps not in self.tables:
            self.tables[steps] = waves(steps, self.width)
        return self.last(F.relu(self.first(x) + self.tables[steps]))


class FromOutside(nn.Module):
    """The network around the module makes its table."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Net().double()

    def forward(self, x):
        if x.shape[1] > len(self.inner.table):
            self.inner.table = waves(x.shape[1])
        return self.inner(x)


REMADE = [
    ByWidth, ByNumber, ByLayer, ByActivation, ByTable, ByFunction, OfParent, Held, FromOutside
]  # fmt: skip


def halves(graph) -> np.ndarray:
    keep = np.arange(graph.group_count) % 2 == 0
    keep[:3] = True
    return keep


def given(steps: int) -> Tensor:
    return torch.randn(2, steps, 3, generator=torch.Generator().manual_seed(steps)).double()


@pytest.mark.parametrize("kind", REMADE)
def test_longer_inputs_find_the_same_table(kind):
    net = kind().double()
    graph = discover(net, given(6))
    keep = halves(graph)
    small = cut(net, graph, keep)
    for steps in (6, 11):
        expected = gated(net, graph, keep)(given(steps))
        assert torch.allclose(small(given(steps)), expected, atol=1e-12)


class Running(Net):
    """A state that every pass replaces."""

    def forward(self, x):
        self.table = self.table * 0.5
        return super().forward(x)


class Averaged(Net):
    """A state that training replaces."""

    def forward(self, x):
        if self.training:
            self.table = 0.9 * self.table + self.first(x).detach().mean((0, 1))
        return super().forward(x)


class ByHand(Net):
    """Replaced by the user, never by a forward pass."""

    def reset(self) -> None:
        self.table = waves(8)


class Stretched(Net):
    """Longer inputs get what is made of the table itself."""

    def forward(self, x):
        table = self.table
        if x.shape[1] > len(table):
            table = F.interpolate(table.T[None], x.shape[1])[0].T
        return self.last(F.relu(self.first(x) + table[: x.shape[1]]))


@pytest.mark.parametrize("kind", [Net, Running, Averaged, ByHand, Stretched])
def test_other_tables_lose_units(kind):
    graph = discover(kind().double(), given(6))
    assert (graph.slices["table"][1] > 0).all()
