"""Tables of entries that units are compared with: a codebook loses columns with the units."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from tests.units.between import X, removable


class Quantised(nn.Module):
    """conv → something with seven entries of as many columns as the conv has units → conv."""

    def __init__(self, run, *, buffer: bool = False, units: int = 12) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv1d(3, units, 3, padding=1), nn.Conv1d(units, 4, 1)
        self.run, entries = run, torch.randn(7, units)
        if buffer:
            self.register_buffer("entries", entries)
        else:
            self.entries = nn.Parameter(entries)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self.first(x).mT, self.entries).mT)


def nearest(z: Tensor, entries: Tensor, distances: Tensor) -> Tensor:
    """The entry at the smallest distance, with the gradient of `z` (van den Oord et al. 2017)."""
    found = entries[distances.argmin(-1)].reshape(z.shape)
    return z + (found - z).detach()


def squares(z: Tensor, entries: Tensor) -> Tensor:
    """‖z‖² − 2 z·e + ‖e‖²."""
    flat = z.reshape(-1, z.shape[-1])
    lengths = flat.pow(2).sum(1, keepdim=True) + entries.pow(2).sum(1)
    return nearest(z, entries, lengths - 2 * flat @ entries.t())


def similar(z: Tensor, shares: Tensor) -> Tensor:
    return z * shares.amax(-1, keepdim=True)


RUNS = {
    "squares": squares,
    "differences": lambda z, e: nearest(z, e, (z[:, :, None] - e).pow(2).sum(-1)),
    "cdist": lambda z, e: nearest(z, e, torch.cdist(z, e)),
    "cdist, by name": lambda z, e: nearest(z, e, torch.cdist(x2=e[None], x1=z, p=1.0)),
    "cdist, far": lambda z, e: similar(z, torch.cdist(e, z, p=float("inf")).mT),
    "pairs": lambda z, e: nearest(z, e, F.pairwise_distance(z[:, :, None], e, eps=0.1)),
    "cosine": lambda z, e: similar(z, F.cosine_similarity(z[:, :, None], e[None, None], dim=-1)),
    "cosine, chosen": lambda z, e: nearest(z, e, -F.cosine_similarity(z[:, :, None], e, dim=-1)),
    "normalised": lambda z, e: similar(z, F.normalize(z, dim=-1) @ F.normalize(e, dim=-1).t()),
    "divided": lambda z, e: similar(z, z @ (e / e.norm(dim=1, keepdim=True)).t()),
    "a layer": lambda z, e: similar(z, F.linear(z, e - e.mean(1, keepdim=True))),
}


@pytest.mark.parametrize("buffer", [False, True])
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_codebook_loses_columns(run, buffer, assert_equivalence):
    net = Quantised(run, buffer=buffer)
    for seed in range(3):
        graph = assert_equivalence(net, X, seed)
    assert removable(graph) == 12
    keep = graph.all_kept()
    keep[graph.layers[0].groups[:5]] = False
    assert cut(net, graph, keep).entries.shape == (7, 7)


@pytest.mark.parametrize("name", ["cdist, far", "normalised", "cosine"])
def test_gradients_of_the_codebook_are_those_of_the_trimmed_one(name, random_keep):
    net = Quantised(RUNS[name]).double().eval()
    graph = discover(net, X)
    keep = random_keep(graph, 2)
    small = cut(net, graph, keep)
    for one in (gated(net, graph, keep), small):
        one(X).pow(2).sum().backward()
    rows, columns = (np.ones(7, bool) if g is None else keep[g] for g in graph.slices["entries"])
    assert 1 < columns.sum() < 12
    torch.testing.assert_close(net.entries.grad[rows][:, columns], small.entries.grad)
    assert (net.entries.grad[:, ~columns] == 0).all()


CONSTANT = torch.linspace(-1, 1, 84, dtype=torch.float64).reshape(7, 12)
STAYS = {
    "a constant": lambda z, e: similar(z, torch.cdist(z, CONSTANT)),
    "units in rows": lambda z, e: z * torch.cdist(z.mT, z.mT).mean(-1)[:, None],
    "typed columns": lambda z, e: similar(z, torch.cdist(z, e.view(7, 12))),
    "read as a length": lambda z, e: z * e.norm(dim=1).mean(),
}


@pytest.mark.parametrize("name", STAYS)
def test_what_cannot_lose_columns_stays(name, assert_equivalence):
    graph = assert_equivalence(Quantised(STAYS[name]), X)
    assert graph.slices["entries"] == (None, None)
    assert removable(graph) == (12 if name == "read as a length" else 0)
