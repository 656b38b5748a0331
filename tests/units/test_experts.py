"""Experts in one parameter of three dimensions: what each of them has inside is cut."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, einsum, nn

import mirtrim
from mirtrim.units.finding import discover


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


X = noise(2, 5, 6)


class Experts(nn.Module):
    """Four experts that read and make 7 units, and have 9 inside."""

    def __init__(self, run, *, gated: bool = False, share=lambda y: y.softmax(-1)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.run, self.share, self.count = run, share, 4
        self.first, self.router, self.last = nn.Linear(6, 7), nn.Linear(7, 4), nn.Linear(7, 2)
        self.inside = nn.Parameter(noise(4, 7, 18 if gated else 9) / 2)
        self.out = nn.Parameter(noise(4, 9, 7) / 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x)).flatten(0, 1)
        shares = self.share(self.router(x))
        return self.last(F.relu(x + self.run(self, x, shares)))


def _sums(m, x, shares):
    y = einsum("teh,ehi->tei", einsum("ti,eih->teh", x, m.inside).relu(), m.out)
    return einsum("tei,te->ti", y, shares)


def _batches(m, x, shares):
    y = torch.bmm(torch.bmm(x.expand(m.inside.shape[0], -1, -1), m.inside).relu(), m.out)
    return (y * shares.T[..., None]).sum(0)


def _added(m, x, shares):
    zero = x.new_zeros(4, 1, 1)
    inside = torch.baddbmm(zero, x.repeat(4, 1, 1), m.inside).relu()
    return (torch.baddbmm(zero, inside, m.out) * shares.T[..., None]).sum(0)


def _one_by_one(m, x, shares):
    parts = [F.linear((x @ m.inside[e]).relu(), m.out[e].T) for e in range(4)]
    return sum(part * shares[:, e : e + 1] for e, part in enumerate(parts))


def _unbound(m, x, shares):
    pairs = zip(m.inside, m.out.unbind(0), strict=True)
    return sum((x @ a).relu() @ b * shares[:, e, None] for e, (a, b) in enumerate(pairs))


def _looked_up(m, x, shares):
    best = shares.argmax(-1)
    return torch.bmm(torch.bmm(x[:, None], m.inside[best]).relu(), m.out[best])[:, 0]


def _routed(m, x, shares):
    """The best two for each position (Mixtral); the last expert gets none."""
    weights, best = (shares * torch.tensor([1, 1, 1, 0])).topk(2, -1)
    chosen = F.one_hot(best, num_classes=m.count).permute(2, 1, 0)
    made = torch.zeros_like(x)
    for expert in range(m.count):
        slot, at = torch.where(chosen[expert])
        part = x[None, at].reshape(-1, x.shape[-1])
        part = (part @ m.inside[expert]).relu() @ m.out[expert]
        made.index_add_(0, at, part * weights[at, slot, None])
    return made


def _dispatched(m, x, shares):
    """Positions are handed to experts by a matrix of noughts and ones (GShard)."""
    weight, best = shares.max(-1)
    one = F.one_hot(best, 4)
    places = F.one_hot((one.cumsum(0) * one).sum(-1) - 1, 10)
    handed = (one[:, :, None] * places[:, None]).to(x.dtype)
    y = torch.bmm(torch.bmm(einsum("tec,ti->eci", handed, x), m.inside).relu(), m.out)
    return einsum("tec,eci->ti", handed, y) * weight[:, None]


RUNS = [_sums, _batches, _added, _one_by_one, _unbound, _looked_up, _routed, _dispatched]


@pytest.mark.parametrize("run", RUNS)
def test_units_inside_experts_and_those_that_they_share(run, assert_cut_whole):
    planted = [("inside", 1), ("inside", 2), ("out", 1), ("out", 2)]
    graph = assert_cut_whole(lambda: Experts(run), X, planted)
    assert graph.group_count - 1 == 7 + 9
    (router,) = (layer for layer in graph.layers if layer.name == "router")
    assert not router.groups.any()  # there are as many experts as before
    keep = graph.all_kept()
    for groups, count in ((graph.slices["inside"][1], 1), (graph.slices["inside"][2], 2)):
        keep[groups[:count]] = False
    assert graph.slices["inside"][0] is None
    assert graph.parameters(keep) == 4 * 6 * 7 * 2 + 6 * 7 + 4 * 7 + 2 * 7


def _halves(m, x, shares):
    value, gate = einsum("ti,eih->teh", x, m.inside).chunk(2, -1)
    return einsum("tei,te->ti", einsum("teh,ehi->tei", F.silu(gate) * value, m.out), shares)


def _interleaved(m, x, shares):
    y = torch.bmm(x.expand(4, -1, -1), m.inside)
    y = torch.bmm(F.silu(y[..., ::2]) * y[..., 1::2], m.out)
    return (y * shares.T[..., None]).sum(0)


@pytest.mark.parametrize(("run", "pairs"), [(_halves, "halves"), (_interleaved, "neighbours")])
def test_gated_experts_lose_pairs(run, pairs, assert_cut_whole):
    planted = [("inside", 1), ("out", 1)]
    graph = assert_cut_whole(lambda: Experts(run, gated=True), X, planted)
    shape = (2, 9) if pairs == "halves" else (9, 2)
    inside = graph.slices["inside"][2].reshape(shape)
    inside = inside if pairs == "halves" else inside.T
    assert inside[0].tolist() == inside[1].tolist() == graph.slices["out"][1].tolist()


def test_shares_that_do_not_add_up_meet_the_units_of_experts(assert_cut_whole):
    graph = assert_cut_whole(
        lambda: Experts(_sums, share=torch.sigmoid), X, [("inside", 2), ("out", 1)], 1.3
    )
    assert graph.group_count - 1 == 7 + 9
    (reason,) = (why for why in graph.kept if "output" not in why)
    assert reason.endswith("multiplies units along one dimension with units along another")


def test_a_frozen_table_of_matrices_stays(assert_equivalence):
    net = Experts(_sums)
    net.inside.requires_grad_(False)
    net.register_buffer("kept", noise(4, 9, 7))
    del net.out
    net.out = net.kept
    graph = assert_equivalence(net, X)
    # An expert can go as a whole, with its matrix; what the matrix reads and makes stays.
    assert graph.slices["kept"][0] is not None
    assert graph.slices["kept"][1:] == graph.slices["inside"][1:] == (None, None)


def test_what_is_picked_by_position_stays(assert_equivalence):
    graph = assert_equivalence(Experts(lambda m, x, s: (x @ m.inside[2])[:, :7]), X)
    assert graph.slices["inside"][2].tolist()[:7] == [0] * 7
    assert any("picked by position" in why for why in graph.kept)


def test_the_choice_is_what_keeps_fewer_parameters(scramble):
    """With what they read protected, experts go as a whole and what they have inside, but not what
    they make, which is added to what they read."""
    net = scramble(Experts(_sums), 0)
    graph = discover(net, X, protect=["first"])
    kept = {layer.name: int((layer.groups == 0).sum()) for layer in graph.layers}
    assert kept == {"first": 7, "router": 0, "inside": 0, "last": 2}
    small = mirtrim.trim(net, X, ratio=1.5, protect=["first"])
    assert small.trim_report.equivalence_difference < 1e-6
    assert len(small.inside) == len(small.out) == small.router.out_features < 4
