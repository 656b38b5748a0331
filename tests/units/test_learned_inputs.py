"""Learned tensors that layers read: initial states, latents; they meet units only later."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.finding import discover


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape))).double()


def units_left(graph, layer: str) -> int:
    (found,) = (one for one in graph.layers if one.name == layer)
    return len({int(group) for group in found.groups} - {0})


class Recurrence(nn.Module):
    """A recurrent network by hand that begins with a learned state."""

    def __init__(self, step, first, shape) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.state = nn.Parameter(torch.randn(*shape))
        self.read, self.last = nn.Linear(4, 10), nn.Linear(10, 2)
        self.back = nn.Linear(10, 10, bias=False)
        self.step, self.first = step, first

    def forward(self, x: Tensor) -> Tensor:
        read, state = self.read(x), self.first(self.state, len(x))
        for time in range(x.shape[1]):
            state = torch.tanh(self.step(self, read[:, time], state))
        return self.last(state)


STEPS = {
    "module": lambda m, read, state: read + m.back(state),
    "matrix": lambda m, read, state: read + state @ m.back.weight,
    "transposed": lambda m, read, state: torch.matmul(state, m.back.weight.t()) + read,
    "einsum": lambda m, read, state: read + torch.einsum("bh,hk->bk", state, m.back.weight),
    "from the left": lambda m, read, state: read + (m.back.weight @ state.mT).mT,
    "addmm": lambda m, read, state: torch.addmm(read, state, m.back.weight),
}
STATES = {
    "expanded": ((10,), lambda state, n: state.expand(n, -1)),
    "repeated": ((1, 10), lambda state, n: state.repeat(n, 1)),
    "tanh": ((10,), lambda state, n: state.tanh()[None].expand(n, -1)),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_recurrence_from_a_learned_state_loses_units(step, state, batch, assert_cut_whole):
    shape, first = STATES[state]
    graph = assert_cut_whole(
        lambda: Recurrence(STEPS[step], first, shape),
        noise(batch, 5, 4),
        [("back.weight", 0), ("back.weight", 1), ("state", len(shape) - 1)],
    )
    assert units_left(graph, "read") == 10
    assert graph.slices["state"][-1] is not None


def test_gates_by_hand_from_a_learned_state(assert_cut_whole):
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(4)
            self.state = nn.Parameter(torch.randn(8))
            self.read, self.last = nn.Conv1d(4, 24, 2), nn.Linear(8, 2)
            self.both = nn.Parameter(torch.randn(8, 16) / 3)
            self.new = nn.Parameter(torch.randn(8, 8) / 3)

        def forward(self, x: Tensor) -> Tensor:
            read = self.read(x.mT).mT
            state = self.state[None].repeat(len(x), 1)
            for time in range(read.shape[1]):
                one, two, three = read[:, time].chunk(3, 1)
                keep, reset = (state @ self.both).chunk(2, 1)
                keep, reset = torch.sigmoid(one + keep), torch.sigmoid(two + reset)
                new = torch.tanh(three + (reset * state) @ self.new)
                state = torch.lerp(state, new, keep)
            return self.last(state)

    graph = assert_cut_whole(Gated, noise(3, 6, 4), [("both", 0), ("new", 1)])
    assert units_left(graph, "read") == 8


class Latents(nn.Module):
    """Learned latents that attend to the input and are added to what they find."""

    def __init__(self, norm=nn.Identity) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.latents, self.norm = nn.Parameter(torch.randn(5, 12)), norm()
        self.query, self.key, self.value = nn.Linear(12, 8), nn.Linear(4, 8), nn.Linear(4, 9)
        self.out, self.last = nn.Linear(9, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        latents = self.latents.expand(len(x), -1, -1)
        for _ in range(2):
            seen = self.query(self.norm(latents)) @ self.key(x).mT
            latents = latents + self.out(seen.softmax(-1) @ self.value(x))
        return self.last(latents.mean(1))


def test_latents_lose_units(assert_cut_whole):
    graph = assert_cut_whole(Latents, noise(2, 7, 4), [("latents", 1), ("query.weight", 1)])
    assert units_left(graph, "out") == 12


def test_latents_that_meet_no_units_stay(assert_equivalence):
    class Alone(Latents):
        def forward(self, x: Tensor) -> Tensor:
            seen = self.query(self.latents) @ self.key(x).mT
            return self.last(self.out(seen.softmax(-1) @ self.value(x)))

    graph = assert_equivalence(Alone(), noise(2, 7, 4))
    assert graph.slices["latents"] == (None, None)
    assert graph.slices["query.weight"][1] is None
    assert units_left(graph, "query") == 8


# --- norms of learned tensors


NORMS = {
    "layer": lambda: nn.LayerNorm(12),
    "rms": lambda: nn.RMSNorm(12),
    "batch": lambda: nn.BatchNorm1d(12),
    "instance": lambda: nn.InstanceNorm1d(12, affine=True, track_running_stats=True),
    "group": lambda: nn.GroupNorm(2, 12),
    "prelu": lambda: nn.PReLU(12),
}


@pytest.mark.parametrize("norm", NORMS)
def test_the_norm_of_a_learned_table_is_cut_with_it(norm, assert_cut_whole):
    """Only the table lost units, and the network broke."""

    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(6)
            self.table = nn.Parameter(torch.randn(1, 12, 8))
            self.norm, self.read = NORMS[norm](), nn.Linear(4, 12)
            self.last = nn.Linear(12, 3)

        def forward(self, x: Tensor) -> Tensor:
            turned = norm in ("layer", "rms")
            table = self.norm(self.table.mT).mT if turned else self.norm(self.table)
            met = table * self.read(x)[..., None]
            return self.last(met.mT.tanh())

    planted = [("table", 1), *([("norm.weight", 0)] if norm != "group" else [])]
    graph = assert_cut_whole(Table, 3 * noise(5, 4), planted)
    assert units_left(graph, "read") == (6 if norm == "group" else 12)


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_latents_lose_units_behind_a_norm(norm, assert_cut_whole):
    graph = assert_cut_whole(lambda: Latents(NORMS[norm]), noise(2, 7, 4), [("latents", 1)])
    assert units_left(graph, "out") == 12


def test_normed_latents_that_meet_no_units_stay():
    """Nothing of them can be removed, so nothing is refused that happens to them."""

    class Sorted(Latents):
        def forward(self, x: Tensor) -> Tensor:
            seen = self.query(self.norm(self.latents).sort(-1).values) @ self.key(x).mT
            return self.last(self.out(seen.softmax(-1) @ self.value(x)))

    graph = discover(Sorted(NORMS["layer"]).double(), noise(2, 7, 4), strict=True)
    assert graph.slices["latents"] == (None, None)
    assert graph.slices["norm.weight"] == (None,)
