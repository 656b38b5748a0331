"""Calls that are several others in one, and copies of parameters."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirtrim.units.composed import COMPOSED, composed
from mirtrim.units.handlers import HANDLERS

OUTPUT = {"it is an output of the network"}


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape))).double()


A, B, C = noise(4, 6), noise(4, 6), noise(2, 4, 6)
V, W = noise(6), noise(6)

# As torch computes them: the same values, whatever dimensions the arguments have.
CALLS = {
    "atleast_1d": (torch.atleast_1d, [noise(), V]),
    "atleast_2d": (torch.atleast_2d, [V]),
    "atleast_2d, a number": (torch.atleast_2d, [noise()]),
    "atleast_3d": (torch.atleast_3d, [(noise(), V, A, C)]),
    "hstack": (torch.hstack, [(A, B)]),
    "hstack, vectors": (torch.hstack, [[V, noise(2)]]),
    "vstack": (torch.vstack, [(V, A)]),
    "row_stack": (torch.row_stack, [(A, V)]),
    "dstack": (torch.dstack, [(A, B)]),
    "dstack, vectors": (torch.dstack, [(V, W)]),
    "column_stack": (torch.column_stack, [(V, A.T)]),
    "hsplit": (torch.hsplit, [A, 3]),
    "hsplit, places": (torch.Tensor.hsplit, [V, [1, 4]]),
    "vsplit": (torch.vsplit, [A, [1]]),
    "dsplit": (torch.dsplit, [C, 2]),
    "broadcast_tensors": (torch.broadcast_tensors, [A, V, C]),
    "fliplr": (torch.fliplr, [A]),
    "flipud": (torch.flipud, [A]),
    "adjoint": (torch.adjoint, [torch.complex(A, B)]),
    "mH": (torch.Tensor.mH.__get__, [torch.complex(A, B)]),
    "H": (torch.Tensor.H.__get__, [torch.complex(A, B)]),
    "dot": (torch.dot, [V, W]),
    "vdot": (torch.vdot, [torch.complex(V, W), torch.complex(W, W)]),
    "vecdot": (torch.linalg.vecdot, [A[:, None], B]),
    "inner": (torch.inner, [C, A]),
    "inner, a number": (torch.inner, [C, noise()]),
    "outer": (torch.outer, [V, noise(3)]),
    "ger": (torch.Tensor.ger, [V, W]),
    "addr": (torch.addr, [noise(6, 6), V, W]),
    "addbmm": (torch.addbmm, [noise(4, 4), C, C.mT]),
    "chain_matmul": (torch.chain_matmul, [A, B.T, A]),
    "multi_dot": (torch.linalg.multi_dot, [[A, B.T, A]]),
    "kron": (torch.kron, [A, noise(2, 3, 2)]),
    "matmul": (torch.linalg.matmul, [A, B.T]),
    "rmatmul": (torch.Tensor.__rmatmul__, [B.T, A]),
    "cosine_similarity": (F.cosine_similarity, [A, B]),
    "cosine_similarity, broadcast": (F.cosine_similarity, [C, B, 2]),
    "cosine_similarity, of many": (F.cosine_similarity, [C[:, :, None], B[None, None], -1]),
    "cosine_similarity, first": (F.cosine_similarity, [C, A, 0]),
    "pairwise_distance": (F.pairwise_distance, [C, V]),
    "pairwise_distance, far": (F.pairwise_distance, [A, B, float("inf"), 0.5, True]),
}


@pytest.mark.parametrize(("function", "given"), CALLS.values(), ids=CALLS)
def test_the_parts_compute_what_the_call_does(function, given):
    wanted, found = function(*given), COMPOSED[function](*given)
    if isinstance(wanted, Tensor):
        wanted, found = [wanted], [found]
    assert len(wanted) == len(found)
    for one, other in zip(wanted, found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-12)


def test_keywords():
    torch.testing.assert_close(
        COMPOSED[torch.addbmm](noise(4, 4), C, C.mT, beta=2, alpha=0.5),
        torch.addbmm(noise(4, 4), C, C.mT, beta=2, alpha=0.5),
    )
    zero = torch.zeros(3, 6).double()
    for eps in (1e-8, 0.5):
        torch.testing.assert_close(
            COMPOSED[F.cosine_similarity](x1=zero + 1e-3, x2=zero + 2e-3, dim=1, eps=eps),
            F.cosine_similarity(zero + 1e-3, zero + 2e-3, eps=eps),
        )


def test_a_call_is_followed_in_one_way():
    assert not COMPOSED.keys() & HANDLERS.keys()
    assert composed(torch.hstack, {"out": A}) is None
    assert composed(torch.cat, {}) is None


class Two(nn.Module):
    """Seven and five units of one input; `run` makes `wide` columns of them, three are read."""

    def __init__(self, run, wide: int, **shapes) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.run, self.a, self.b = run, nn.Linear(6, 7), nn.Linear(6, 5)
        self.last = nn.Linear(wide, 3)
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(noise(*shape) / 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self, torch.tanh(self.a(x)), torch.tanh(self.b(x))))


def _cosines(m, a, b):
    """The angle between units and their squares, beside the others."""
    return torch.cat([F.cosine_similarity(a, a.square() + 1, dim=1)[:, None], a, b], 1)


def _gained(m, a, b):
    one, gain = torch.broadcast_tensors(a, m.g)
    return torch.hstack([one * gain, b])


NETWORKS = {
    "hstack": (lambda m, a, b: torch.hstack([a, b]), 12, {}),
    "column_stack": (lambda m, a, b: torch.column_stack((a, b)), 12, {}),
    "vstack": (lambda m, a, b: torch.vstack([a.T, b.T]).T, 12, {}),
    "row_stack": (lambda m, a, b: torch.row_stack([a.T, b.T]).T, 12, {}),
    "hsplit": (lambda m, a, b: torch.cat([*torch.hsplit(a, 1), b], 1), 12, {}),
    "atleast": (lambda m, a, b: torch.cat(torch.atleast_2d(a, b), 1), 12, {}),
    "fliplr": (lambda m, a, b: torch.fliplr(torch.cat([a, b], 1)), 12, {}),
    "adjoint": (lambda m, a, b: torch.cat([a.adjoint(), b.mH]).H, 12, {}),
    "special": (lambda m, a, b: torch.special.expit(torch.hstack((a, b))), 12, {}),
    "arctan": (lambda m, a, b: torch.hstack((a.arctan(), torch.special.xlog1py(b, b**2))), 12, {}),
    "gain": (_gained, 12, {"g": (7,)}),
    "cosine": (_cosines, 13, {}),
    "inner": (lambda m, a, b: torch.inner(a, m.w), 9, {"w": (9, 7)}),
    "addbmm": (lambda m, a, b: torch.addbmm(m.c, a[None], m.w[None]), 9, {"w": (7, 9), "c": (9,)}),
    "multi_dot": (
        lambda m, a, b: torch.linalg.multi_dot([a, m.w, m.v]),
        4,
        dict(w=(7, 9), v=(9, 4)),
    ),
    "matmul": (lambda m, a, b: torch.linalg.matmul(a, m.w), 9, {"w": (7, 9)}),
    "dots": (
        lambda m, a, b: torch.stack([torch.dot(row, m.v) for row in a])[:, None] + b,
        5,
        {"v": (7,)},
    ),
    "outer": (
        lambda m, a, b: torch.stack(
            [torch.outer(p, q[:2]) for p, q in zip(a, b, strict=True)]
        ).flatten(1),
        14,
        {},
    ),
}


@pytest.mark.parametrize(("run", "wide", "shapes"), NETWORKS.values(), ids=NETWORKS)
def test_units_go_through_calls_in_one(run, wide, shapes, assert_equivalence):
    graph = assert_equivalence(Two(run, wide, **shapes), noise(4, 6))
    assert {"a", "last"} <= {layer.name for layer in graph.layers}
    kept = next(layer for layer in graph.layers if layer.name == "a")
    assert kept.groups.all(), graph.kept


# --- copies of parameters


class Gained(nn.Module):
    """Sixteen channels, a parameter and what `run` makes of both."""

    def __init__(self, run, *shape: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.run, self.a, self.b = run, nn.Conv1d(4, 16, 3), nn.Conv1d(16, 5, 3)
        self.g = nn.Parameter(noise(*shape))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.run(self.a(x), self.g))


FOLLOW = {
    "a token for each example": (lambda h, g: torch.cat([g.repeat(len(h), 1, 1), h], 2), 1, 16, 1),
    "interleaved": (lambda h, g: torch.cat([g.repeat_interleave(2, 0), h], 2), 1, 16, 1),
    "repeated in time": (lambda h, g: h + g.repeat(2, 1, h.shape[2]), 1, 16, 1),
    "tiled": (lambda h, g: h * torch.tile(g, (1, 1, h.shape[2])), 1, 16, 1),
    "as many as units": (lambda h, g: h * g.repeat(1, h.shape[1], 1), 1, 1, 1),
    "expanded to the units": (lambda h, g: h * g.expand(h.shape[1])[:, None], 1),
    "expanded as": (lambda h, g: h * g.expand_as(h), 1),
}
TYPED = {
    "expand": (lambda h, g: h * g.expand(16)[:, None], 1),
    "expand, turned": (lambda h, g: h * g.expand(2, 8, 16).transpose(1, 2), 8, 1),
    "expand, viewed": (lambda h, g: h * g.expand(16).view(1, 16, 1), 1),
    "expand, of a sum": (lambda h, g: h * (g.expand(16, 1) + g), 1),
    "expand, joined": (lambda h, g: torch.cat([h, g.expand(2, 16, 3)], 2), 1, 1, 3),
    "repeat": (lambda h, g: h * g.repeat(16, 1), 8),
    "repeat, twice": (lambda h, g: h * g.repeat(2)[:, None], 8),
    "interleaved": (lambda h, g: h * g.repeat_interleave(2, 0)[:, None], 8),
}


@pytest.mark.parametrize(("run", "shape"), [(r, s) for r, *s in FOLLOW.values()], ids=FOLLOW)
def test_a_repeated_parameter_loses_units(run, shape, assert_equivalence):
    graph = assert_equivalence(Gained(run, *shape), noise(2, 4, 10))
    assert set(graph.kept) == OUTPUT
    assert graph.group_count - 1 == 16
    assert (graph.slices["g"][1] is not None) if len(shape) == 3 and shape[1] == 16 else True


@pytest.mark.parametrize(("run", "shape"), [(r, s) for r, *s in TYPED.values()], ids=TYPED)
def test_units_stay_that_meet_a_typed_number_of_copies(run, shape, assert_equivalence):
    graph = assert_equivalence(Gained(run, *shape), noise(2, 4, 10))
    (why,) = set(graph.kept) - OUTPUT
    assert "the code fixes how many copies meet them in" in why
    assert graph.group_count == 1


@pytest.mark.parametrize("batch_first", [True, False])
def test_learned_queries(batch_first, assert_equivalence):
    """As detectors have them: queries repeated for each example, read by a decoder."""

    class Detector(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.queries, self.first = nn.Embedding(3, 8), nn.Linear(6, 8)
            self.decoder = nn.TransformerDecoderLayer(8, 2, 12, batch_first=batch_first)
            self.last = nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            heard = self.first(x)
            batch = x.shape[0 if batch_first else 1]
            query = self.queries.weight.unsqueeze(0 if batch_first else 1)
            query = query.repeat(*((batch, 1, 1) if batch_first else (1, batch, 1)))
            return self.last(self.decoder(query, heard))

    graph = assert_equivalence(Detector(), noise(2, 5, 6))
    assert set(graph.kept) == OUTPUT
    assert graph.slices["queries.weight"][1] is not None
