"""Products written by hand, and bilinear layers: what makes units, and what reads them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


X = noise(2, 5, 6)
OUTPUT = {"it is an output of the network"}


class Net(nn.Module):
    """Seven units of the input, then `run`, then two out of nine."""

    def __init__(self, run, **shapes) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.run, self.first, self.last = run, nn.Linear(6, 7), nn.Linear(9, 2)
        for name, shape in shapes.items():
            made = nn.Parameter(noise(*shape) / 2) if isinstance(shape, tuple) else shape()
            setattr(self, name, made)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.run(self, torch.tanh(self.first(x)), x)))


def other(made: int):
    return lambda: nn.Linear(6, made)


# How it is written; the parameters; the dimensions of w along which 7 units are read, 9 made.
LAYERS = {
    "tensordot": (lambda m, y, x: torch.tensordot(y, m.w, 1), {"w": (7, 9)}, 0),
    "tensordot, given": (
        lambda m, y, x: torch.tensordot(y, b=m.w, dims=([2], [1])),
        {"w": (9, 7)},
        1,
    ),
    "tensordot, left": (
        lambda m, y, x: torch.tensordot(m.w, y, dims=([1], [-1])).permute(1, 2, 0),
        {"w": (9, 7)},
        1,
    ),
    "addmm": (
        lambda m, y, x: torch.addmm(m.c, mat1=y.flatten(0, 1), mat2=m.w, alpha=2),
        {"w": (7, 9), "c": (9,)},
        0,
    ),
    "addmm, left": (
        lambda m, y, x: torch.addmm(m.c, m.w, y.flatten(0, 1).T, beta=0.5).T,
        {"w": (9, 7), "c": (9, 1)},
        1,
    ),
    "addmm to units": (
        lambda m, y, x: m.other(x).flatten(0, 1).addmm(y.flatten(0, 1), m.w),
        {"w": (7, 9), "other": other(9)},
        0,
    ),
    "baddbmm": (
        lambda m, y, x: torch.baddbmm(m.c, y, m.w.expand(2, -1, -1)),
        {"w": (1, 7, 9), "c": (1, 1, 9)},
        1,
    ),
    "addbmm": (
        lambda m, y, x: torch.addbmm(m.c, y, m.w.expand(2, -1, -1)),
        {"w": (1, 7, 9), "c": (9,)},
        1,
    ),
    "addmv": (lambda m, y, x: m.c.addmv(m.w, y[0, 0])[None], {"w": (9, 7), "c": (9,)}, 1),
    "mv": (lambda m, y, x: torch.mv(m.w, y[0, 0])[None], {"w": (9, 7)}, 1),
    "a vector on the left": (lambda m, y, x: (y[0, 0] @ m.w)[None], {"w": (7, 9)}, 0),
    "left": (lambda m, y, x: (m.w @ y.mT + m.c).mT, {"w": (9, 7), "c": (9, 1)}, 1),
    "left, twice": (
        lambda m, y, x: (m.w @ y.mT + torch.matmul(m.w, m.other(x).mT)).mT,
        {"w": (9, 7), "other": other(7)},
        1,
    ),
}


@pytest.mark.parametrize(("run", "shapes", "read"), LAYERS.values(), ids=LAYERS)
def test_a_product_with_a_parameter_is_a_layer(run, shapes, read, assert_cut_whole):
    made = {0: 1, 1: 2 if len(shapes["w"]) == 3 else 0}[read]
    graph = assert_cut_whole(lambda: Net(run, **shapes), X, [("w", read), ("w", made)])
    assert set(graph.kept) == OUTPUT
    assert graph.group_count - 1 == 7 + 9
    assert len(graph.slices["w"][read]) == 7
    # Two of seven and three of nine; biases and other layers go along.
    keep = graph.all_kept()
    keep[graph.slices["w"][read][:2]] = keep[graph.slices["w"][made][:3]] = False
    beside = 6 if "c" in shapes else 0
    if "other" in shapes:
        # Its units are added to those made, or read by the same parameter.
        beside = (6 if "addmm" in run.__code__.co_names else 5) * 7
    assert graph.parameters(keep) == 5 * 7 + 5 * 6 + beside + 6 * 2 + 2


def test_a_vector_that_scores_positions(assert_cut_whole):
    """Attention that pools: a parameter is multiplied with the units of every position."""

    def run(m, y, x):
        shares = (torch.tanh(m.keys(y)) @ m.v).softmax(-1)
        return m.out((shares[..., None] * y).sum(1))

    parts = {"v": (8,), "keys": lambda: nn.Linear(7, 8), "out": lambda: nn.Linear(7, 9)}
    graph = assert_cut_whole(lambda: Net(run, **parts), X, [("v", 0), ("out.weight", 1)])
    assert graph.group_count - 1 == 7 + 8 + 9
    assert set(graph.kept) == OUTPUT


def test_positions_are_mixed_beside_the_units(assert_cut_whole):
    """A parameter on the left of what has units in its columns (a mixer)."""
    graph = assert_cut_whole(
        lambda: Net(lambda m, y, x: m.out(m.w @ y), w=(5, 5), out=lambda: nn.Linear(7, 9)),
        X,
        [("out.weight", 1)],
    )
    assert graph.group_count - 1 == 7 + 9
    assert graph.slices["w"] == (None, None)


def test_heads_by_tensordot(assert_cut_whole):
    def run(m, y, x):
        return torch.tensordot(torch.tensordot(y, m.w, 1), m.out, 2)

    graph = assert_cut_whole(
        lambda: Net(run, w=(7, 4, 3), out=(4, 3, 9)), X, [("w", 1), ("out", 0), ("w", 0)]
    )
    assert graph.group_count - 1 == 7 + 4 + 9


KEPT = {
    "in place": (
        lambda m, y, x: x.new_zeros(10, 9).addmm_(y.flatten(0, 1), m.w),
        {"w": (7, 9)},
        "is not an operation that can be followed",
    ),
    "a constant": (
        lambda m, y, x: torch.addmm(torch.ones(10, 9).double(), y.flatten(0, 1), m.w),
        {"w": (7, 9)},
        "combines 9 units with a constant of that size; register it as a buffer",
    ),
    "a matrix without a name": (
        lambda m, y, x: torch.tensordot(y, torch.ones(7, 9).double(), 1),
        {},
        "sums over units with a matrix that has no units",
    ),
}


@pytest.mark.parametrize(("run", "shapes", "reason"), KEPT.values(), ids=KEPT)
def test_what_cannot_be_followed_stays_for_one_reason(run, shapes, reason, assert_equivalence):
    graph = assert_equivalence(Net(run, **shapes), X)
    (found,) = set(graph.kept) - OUTPUT
    assert found.endswith(reason)


# --- bilinear layers


def _bilinear(m, y, x):
    return m.pair(y, torch.tanh(m.other(x)))


@pytest.mark.parametrize("bias", [True, False])
def test_a_bilinear_layer_loses_units_of_both_inputs_and_its_own(bias, assert_cut_whole):
    planted = [("pair.weight", dim) for dim in range(3)]
    graph = assert_cut_whole(
        lambda: Net(_bilinear, pair=lambda: nn.Bilinear(7, 8, 9, bias=bias), other=other(8)),
        X,
        planted,
    )
    assert graph.group_count - 1 == 7 + 8 + 9
    keep = graph.all_kept()
    for dim, count in enumerate((3, 2, 1)):
        keep[graph.slices["pair.weight"][dim][:count]] = False
    assert graph.parameters(keep) == 5 * 7 + 7 * 7 + 6 * 5 * 7 + 6 * bias + 6 * 2 + 2
    positions = 5
    assert graph.macs(keep) == positions * (5 * 6 + 7 * 6 + 6 * 5 * 7 + 6 * 2)


BILINEAR = {
    "with itself": (lambda m, y, x: m.pair(y, y), {"pair": lambda: nn.Bilinear(7, 7, 9)}, 7 + 9),
    "an input": (lambda m, y, x: m.pair(y, x), {"pair": lambda: nn.Bilinear(7, 6, 9)}, 7 + 9),
    "by hand": (
        lambda m, y, x: F.bilinear(y, m.other(x), m.w, m.c),
        {"w": (9, 7, 8), "c": (9,), "other": other(8)},
        7 + 8 + 9,
    ),
    "by name": (
        lambda m, y, x: F.bilinear(input1=y, input2=m.other(x), weight=m.w),
        {"w": (9, 7, 8), "other": other(8)},
        7 + 8 + 9,
    ),
}


@pytest.mark.parametrize(("run", "parts", "groups"), BILINEAR.values(), ids=BILINEAR)
def test_bilinear_layers_of_other_kinds(run, parts, groups, assert_cut_whole):
    planted = [("w" if "w" in parts else "pair.weight", dim) for dim in (0, 1)]
    assert assert_cut_whole(lambda: Net(run, **parts), X, planted).group_count - 1 == groups


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (lambda m, y, x: F.bilinear(y, m.other(x), 2 * m.w), "uses a weight that is no parameter"),
        (
            lambda m, y, x: F.bilinear(m.turned(x).mT[..., :7], m.other(x)[:, :4], m.w),
            "multiplies units along another dimension than the last",
        ),
    ],
)
def test_bilinear_layers_that_stay_for_one_reason(run, reason, assert_equivalence):
    net = Net(run, w=(9, 7, 8), other=other(8))
    net.turned = nn.Linear(6, 4)
    graph = assert_equivalence(net, torch.cat([X, X], 1)[:, :7])
    assert any(why.endswith(reason) for why in graph.kept)


@pytest.mark.parametrize(
    ("run", "products"),
    [
        (lambda m, y, x: m.second(torch.einsum("btc->cbt", y).permute(1, 2, 0)), 0),
        (lambda m, y, x: m.second(y * torch.einsum("btc->bt", x)[..., None]), 0),
        (lambda m, y, x: m.second(torch.einsum("btc,bt->btc", y, x[..., 0])), 0),
        (lambda m, y, x: m.second(torch.einsum("btc,c->btc", y, m.w)), 0),
        (lambda m, y, x: m.second(torch.einsum("bsc,bt->btc", y, x[..., 0])), 0),
        (lambda m, y, x: m.second(torch.einsum("bsc,bts->btc", y, x[..., :5])), 5 * 5 * 7),
    ],
    ids=["turned", "added", "scaled", "each", "outer", "product"],
)
def test_what_is_only_turned_added_or_scaled_costs_nothing(run, products, assert_equivalence):
    """Three layers on five positions: 6·7, 7·9 and 9·2 multiply-accumulates for each."""
    net = Net(run, second=lambda: nn.Linear(7, 9), w=(7,))
    graph = assert_equivalence(net, X)
    assert graph.macs(graph.all_kept()) == 5 * (42 + 63 + 18) + products
    assert set(graph.kept) == OUTPUT
