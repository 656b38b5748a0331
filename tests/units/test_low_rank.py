"""Weights made of others: a low-rank update, merged or beside a frozen layer."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mirtrim.units.finding import discover


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


X = noise(2, 5, 6)
RANK = {"a", "down", "update.parametrizations.weight.0.a"}


class Update(nn.Module):
    """W + B @ A, as a parametrisation."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(noise(3, 7)), nn.Parameter(noise(9, 3))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + 0.5 * (self.b @ self.a)


class Adapted(nn.Module):
    """Linear layers of 7, 9 and 2 units; the middle one has an update of rank 3."""

    def __init__(self, run, *names: str, frozen: bool = False, first: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.run, self.front = run, None if first else nn.Linear(6, 7)
        read = 6 if first else 7
        shapes = {"w": (9, read), "a": (3, read), "b": (9, 3), "gain": (9, 1)}
        for name in names:
            setattr(self, name, nn.Parameter(noise(*shapes[name])))
        if not names:
            self.base = nn.Linear(read, 9)
            self.down, self.up = nn.Linear(read, 3, bias=False), nn.Linear(3, 9, bias=False)
        self.last = nn.Linear(9, 2)
        for parameter in self.base.parameters() if not names else [self.w] if "w" in names else []:
            parameter.requires_grad_(not frozen)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.front is None else F.relu(self.front(x))
        return self.last(F.relu(self.run(self, x)))


def _doubled(m, x):
    weight = m.w + m.b @ m.a
    return F.linear(x, m.gain * weight / weight.norm(dim=1, keepdim=True))


MERGED = {
    "@": lambda m, x: F.linear(x, m.w + 0.5 * (m.b @ m.a)),
    "mm": lambda m, x: F.linear(x, torch.mm(m.b, m.a).mul(0.5).add(m.w)),
    "addmm": lambda m, x: F.linear(x, torch.addmm(m.w, m.b, m.a, alpha=0.5)),
    "einsum": lambda m, x: F.linear(x, m.w + torch.einsum("or,ri->oi", m.b, m.a)),
    "tensordot": lambda m, x: F.linear(x, m.w + torch.tensordot(m.b, m.a, 1)),
    "turned": lambda m, x: F.linear(x, m.w + (m.a.T @ m.b.T).T),
    "on the right": lambda m, x: x @ (m.w + m.b @ m.a).T,
    "a convolution": lambda m, x: F.conv1d(x.mT, (m.w + m.b @ m.a).unsqueeze(-1)).mT,
    "beside": lambda m, x: F.linear(x, m.w) + F.dropout(x, 0.1, m.training) @ m.a.T @ m.b.T,
}


@pytest.mark.parametrize("run", MERGED.values(), ids=MERGED)
def test_an_update_of_low_rank_loses_all_three_kinds_of_units(run, assert_cut_whole):
    planted = [("a", 0), ("b", 1), ("b", 0), ("a", 1)]
    graph = assert_cut_whole(lambda: Adapted(run, "w", "a", "b"), X, planted)
    assert set(graph.kept) == {"it is an output of the network"}
    assert graph.group_count - 1 == 7 + 9 + 3
    # One of 7 inputs, two of 9 outputs, one of 3 ranks.
    keep = graph.all_kept()
    for name, dim, count in (("w", 1, 1), ("w", 0, 2), ("a", 0, 1)):
        keep[graph.slices[name][dim][:count]] = False
    assert graph.parameters(keep) == 6 * 7 + 6 * 7 + 2 * 6 + 7 * 2 + 7 * 2 + 2


@pytest.mark.parametrize(
    "run", [lambda m, x: F.linear(x, m.b @ m.a), lambda m, x: x @ (m.b @ m.a).T]
)
def test_a_product_alone_is_a_weight(run, assert_cut_whole):
    graph = assert_cut_whole(lambda: Adapted(run, "a", "b"), X, [("a", 0), ("b", 1)])
    assert graph.group_count - 1 == 7 + 9 + 3


@pytest.mark.parametrize("name", ["@", "beside"])
def test_a_frozen_weight_is_cut_with_its_update(name, assert_cut_whole):
    make = lambda: Adapted(MERGED[name], "w", "a", "b", frozen=True)  # noqa: E731
    graph = assert_cut_whole(make, X, [("w", 0), ("w", 1)])
    assert graph.group_count - 1 == 7 + 9 + 3
    assert not graph.notes


def test_two_layers_beside_a_frozen_one(assert_equivalence):
    def run(m, x):
        return m.base(x) + 0.5 * m.up(m.down(x))

    graph = assert_equivalence(Adapted(run, frozen=True), X)
    assert graph.group_count - 1 == 7 + 9 + 3
    # Where the frozen layer reads the input, it is a front end, and only the rank can go.
    graph = discover(Adapted(run, frozen=True, first=True).double(), X)
    assert graph.group_count - 1 == 3
    assert "base.weight is a frozen front end" in graph.kept


def test_a_merged_update_of_a_frozen_first_weight_is_no_front_end(assert_cut_whole):
    make = lambda: Adapted(MERGED["@"], "w", "a", "b", frozen=True, first=True)  # noqa: E731
    assert assert_cut_whole(make, X, [("w", 0)]).group_count - 1 == 9 + 3


def test_an_update_as_a_parametrisation(assert_equivalence):
    def make():
        net = Adapted(lambda m, x: m.update(x), "w").double()
        del net.w
        net.update = nn.Linear(7, 9).double()
        parametrize.register_parametrization(net.update, "weight", Update())
        return net

    graph = assert_equivalence(make(), X)
    assert graph.group_count - 1 == 7 + 9 + 3
    assert RANK & {layer.name for layer in graph.layers}


def test_what_a_norm_is_taken_over_goes_as_well(assert_equivalence):
    """DoRA: the norm of each row, over the columns that are left; units and ranks can go."""
    graph = assert_equivalence(Adapted(_doubled, "w", "a", "b", "gain"), X)
    assert graph.group_count - 1 == 7 + 9 + 3
    assert set(graph.kept) == {"it is an output of the network"}


def test_a_rank_that_the_code_uses_as_a_number_stays(assert_equivalence):
    def run(m, x):
        return F.linear(x, m.w + m.b @ m.a / m.a.shape[0])

    graph = assert_equivalence(Adapted(run, "w", "a", "b"), X)
    assert graph.group_count - 1 == 7 + 9


def test_a_matrix_times_itself_keeps_its_size(assert_equivalence):
    net = Adapted(lambda m, x: m.mix(F.relu(x @ (m.a.T @ m.a))), "w", "a")
    net.mix = nn.Linear(7, 9)
    del net.w
    graph = assert_equivalence(net, X)
    assert graph.slices["a"][1] is None
    assert graph.group_count - 1 == 9 + 3
