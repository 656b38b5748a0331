"""Ways of writing networks that were met in other people's: what is cut, and what stays."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mirtrim
from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from mirtrim.utils.errors import ArtefactError, MirtrimError, TraceError


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


def parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(noise(*shape) / 2)


class Net(nn.Module):
    """Parts by name, and a function of the network and its inputs."""

    def __init__(self, run, **parts) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.run = run
        for name, make in parts.items():
            setattr(self, name, make())

    def forward(self, *inputs: Tensor):
        return self.run(self, *inputs)


def linear(read: int, made: int):
    return lambda: nn.Linear(read, made)


def units_kept(graph, layer: str) -> int:
    """How many units of a layer can never go."""
    (found,) = (one for one in graph.layers if one.name == layer)
    return int((found.groups == 0).sum())


# --- tables, and what is picked from them


def _picked(m, x):
    places = torch.arange(x.shape[1]).expand(x.shape[0], -1).reshape(-1)
    found = m.table.index_select(0, places)
    return m.last(F.relu(m.first(x) + found.view(*x.shape[:2], m.table.shape[-1])))


def _embedded(m, x):
    return m.last(F.relu(m.first(x) + F.embedding(torch.arange(x.shape[1]), m.table)))


@pytest.mark.parametrize("run", [_picked, _embedded])
@pytest.mark.parametrize("persistent", [True, False])
@pytest.mark.parametrize("trained", [True, False])
def test_a_table_of_positions_loses_units(run, persistent, trained, assert_equivalence):
    net = Net(run, first=linear(4, 10), last=linear(10, 3))
    if trained:
        net.table = parameter(9, 10)
    else:
        net.register_buffer("table", noise(9, 10), persistent=persistent)
    graph = assert_equivalence(net, noise(2, 5, 4))
    assert units_kept(graph, "first") == 0
    small = mirtrim.trim(net, noise(2, 5, 4), ratio=2)
    assert small.table.shape[0] == 9
    assert small(noise(3, 7, 4)).shape == (3, 7, 3)


def test_units_are_scored_though_the_state_lacks_a_weight(assert_equivalence):
    """A kernel that is not saved, and state that is no tensor."""

    class Extra(Net):
        def get_extra_state(self):
            return {"version": 3}

        def set_extra_state(self, state) -> None:
            pass

    net = Extra(
        lambda m, x: m.last(F.conv1d(m.first(x), m.kernel)),
        first=lambda: nn.Conv1d(2, 6, 3),
        last=lambda: nn.Conv1d(4, 2, 1),
    )
    net.register_buffer("kernel", noise(4, 6, 2), persistent=False)
    assert_equivalence(net, noise(2, 2, 9))
    assert mirtrim.trim(net, noise(2, 2, 9), ratio=1.5).kernel.shape[1] < 6


def test_bags_of_entries(assert_equivalence):
    words = torch.randint(9, (3, 5), generator=torch.Generator().manual_seed(0))
    net = Net(
        lambda m, x: m.last(F.relu(m.table(x)).view(-1, m.table.embedding_dim)),
        table=lambda: nn.EmbeddingBag(9, 12, mode="sum"),
        last=linear(12, 3),
    )
    assert units_kept(assert_equivalence(net, words), "table") == 0
    small = mirtrim.trim(net, words, ratio=2)
    assert small.table.embedding_dim == small.table.weight.shape[1] < 12


class Remade(nn.Module):
    """Makes its table of positions anew when the input is longer than ever before."""

    def __init__(self, *, wide: bool) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.last = nn.Linear(4, 12), nn.Linear(12, 3)
        self.width = 12 if wide else 99
        self.table = None

    def forward(self, x: Tensor) -> Tensor:
        if self.table is None or len(self.table) < x.shape[1]:
            steps = torch.arange(x.shape[1] * self.last.in_features, dtype=x.dtype)
            self.table = steps.view(x.shape[1], -1)[:, : self.width].sin()
        return self.last(F.relu(self.first(x) + self.table[: x.shape[1]]))


@pytest.mark.parametrize("wide", [True, False])
def test_a_table_that_may_be_made_anew_keeps_its_size(wide, scramble):
    net = scramble(Remade(wide=wide), 0)
    net(noise(2, 5, 4))
    assert units_kept(discover(net, noise(2, 5, 4)), "first") == 12
    assert net.table.shape == (5, 12)


@pytest.mark.parametrize("holder", [lambda t: [t], lambda t: (0, t), lambda t: {"a": {"b": t}}])
def test_states_in_containers_are_cut_along(holder, assert_equivalence, tmp_path):
    def run(m, x):
        held = m.state
        while not isinstance(held, Tensor):
            held = list(held.values())[-1] if isinstance(held, dict) else held[-1]
        return m.last(torch.cat([held.expand(len(x), -1, -1), m.first(x)], -1))

    def make():
        net = Net(run, first=lambda: nn.Conv1d(2, 8, 3), last=lambda: nn.Conv1d(8, 2, 2))
        net.state = holder(noise(1, 8, 2))
        return net.double()

    net = make()
    before = net.state
    assert units_kept(assert_equivalence(net, noise(2, 2, 9)), "first") == 0
    small = mirtrim.trim(net, noise(2, 2, 9), ratio=2)
    assert net.state is before
    mirtrim.save(small, tmp_path / "small")
    again = mirtrim.load(tmp_path / "small", make)
    assert type(again.state) is type(before)
    assert torch.equal(again(noise(3, 2, 7)), small(noise(3, 2, 7)))


# --- positions moved along another dimension


def _order(y):
    return y.sum(-1, keepdim=True).argsort(1).expand(-1, -1, y.shape[-1])


MOVED = {
    "gather": lambda y: y.gather(1, _order(y)),
    "take_along_dim": lambda y: torch.take_along_dim(y, _order(y), 1),
    "scatter": lambda y: torch.zeros_like(y).scatter(1, _order(y), y),
    "scatter_": lambda y: torch.zeros_like(y).scatter_(1, _order(y), 2.0),
    "scatter_add_": lambda y: y.clone().scatter_add_(1, _order(y), y),
    "scatter_reduce": lambda y: y.scatter_reduce(1, _order(y), y, "amax"),
    "index_add": lambda y: y.index_add(1, torch.tensor([0, 2, 2]), y[:, :3], alpha=2),
    "index_add_": lambda y: y.new_zeros(2, 2, y.shape[2]).index_add_(1, torch.tensor([1] * 5), y),
    "index_copy_": lambda y: y.clone().index_copy_(1, torch.tensor([3]), y[:, :1]),
    "index_fill": lambda y: y.index_fill(1, torch.tensor([0, 4]), 0.5),
}


@pytest.mark.parametrize("move", MOVED.values(), ids=MOVED)
def test_positions_are_moved_beside_the_units(move, assert_equivalence):
    net = Net(lambda m, x: m.last(move(m.first(x))), first=linear(4, 9), last=linear(9, 3))
    assert units_kept(assert_equivalence(net, noise(2, 5, 4)), "first") == 0


@pytest.mark.parametrize(
    "move",
    [
        lambda y: y.gather(2, y.argsort(-1)),
        lambda y: y.scatter(2, torch.zeros_like(y).long(), y),
        lambda y: y.gather(1, torch.zeros(2, 5, 9).long()),
        lambda y: y.index_add(2, torch.tensor([0]), y[:, :, :1]),
        lambda y: torch.zeros(2, 5, 9).double().scatter(1, torch.zeros_like(y).long(), y),
    ],
)
def test_units_that_are_moved_or_meet_fixed_sizes_stay(move, assert_equivalence):
    net = Net(lambda m, x: m.last(move(m.first(x))), first=linear(4, 9), last=linear(9, 3))
    assert units_kept(assert_equivalence(net, noise(2, 5, 4)), "first") == 9


# --- units along two dimensions


def _outer(m, x):
    return m.last((m.first(x)[:, :, None] * m.second(x)[:, None]).sum(-1))


def _outer_settled(m, x):
    part, _ = m.second(x).split([5, 2], -1)
    return m.last((part[:, None] * m.first(x)[..., None]).amax(-1))


def _outer_sum(m, x):
    return m.last(torch.einsum("ba,bc->bac", m.first(x), m.second(x)).mean(2))


@pytest.mark.parametrize("run", [_outer, _outer_settled, _outer_sum])
def test_of_units_along_two_dimensions_one_kind_stays(run, assert_equivalence):
    net = Net(run, first=linear(4, 10), second=linear(4, 7), last=linear(10, 3))
    graph = assert_equivalence(net, noise(3, 4))
    assert (units_kept(graph, "first"), units_kept(graph, "second")) == (0, 7)
    with pytest.raises(TraceError, match="units along"):
        discover(
            Net(_outer, first=linear(4, 10), second=linear(4, 7), last=linear(10, 3)).double(),
            noise(3, 4),
            strict=True,
        )


def test_units_that_are_fixed_already_stay_however_many(assert_equivalence):
    def run(m, x):
        part, _ = m.second(x).split([12, 2], -1)
        return m.last((part[:, None] * m.first(x)[..., None]).amax(-1))

    net = Net(run, first=linear(4, 10), second=linear(4, 14), last=linear(10, 3))
    assert units_kept(assert_equivalence(net, noise(3, 4)), "first") == 0


def test_units_that_meet_positions_of_others_stay(assert_equivalence):
    """A square, along one side of which lie the units of one layer, along the other another's."""
    net = Net(
        lambda m, x: m.last((m.first(x) + m.second(x).transpose(1, 2)).amax(1)),
        first=linear(4, 9),
        second=linear(4, 9),
        last=linear(9, 3),
    )
    graph = assert_equivalence(net, noise(2, 9, 4))
    assert units_kept(graph, "first") == units_kept(graph, "second") == 9


def test_a_scan_over_states(assert_equivalence):
    """The selective state space of Mamba (Gu & Dao 2023), step by step."""

    def run(m, x):
        u, gate = m.first(x).chunk(2, -1)
        steps, write, read = m.chosen(u).split([3, 4, 4], -1)
        steps = F.softplus(m.steps(steps))
        decay = torch.exp(torch.einsum("bld,dn->bldn", steps, -m.rates.exp()))
        written = torch.einsum("bld,bln,bld->bldn", steps, write, u)
        state, said = x.new_zeros(len(x), u.shape[-1], 4), []
        for t in range(x.shape[1]):
            state = decay[:, t] * state + written[:, t]
            said.append((state * read[:, t, None]).sum(-1))
        return m.last((torch.stack(said, 1) + u * m.past) * F.silu(gate))

    net = Net(
        run,
        first=linear(4, 16),
        chosen=linear(8, 11),
        steps=linear(3, 8),
        rates=lambda: parameter(8, 4),
        past=lambda: parameter(8),
        last=linear(8, 3),
    )
    assert units_kept(assert_equivalence(net, noise(2, 5, 4)), "first") == 0


# --- sums of products


LAYERS = {
    "dots": (lambda m, x: torch.einsum("...i,oi->...o", x, m.w), (14, 8)),
    "dots in the middle": (lambda m, x: torch.einsum("b...i, io -> b...o", x, m.w), (8, 14)),
    "weight first": (lambda m, x: torch.einsum("io,bti->bto", m.w, x), (8, 14)),
    "no arrow": (lambda m, x: torch.einsum("bti,iz", x, m.w), (8, 14)),
    "a list": (lambda m, x: torch.einsum("bti,io->bto", [x, m.w]), (8, 14)),
}


@pytest.mark.parametrize(("run", "shape"), LAYERS.values(), ids=LAYERS)
def test_a_sum_of_products_with_a_parameter_is_a_layer(run, shape, assert_equivalence):
    net = Net(
        lambda m, x: m.last(F.relu(run(m, F.relu(m.first(x))))),
        first=linear(4, 8),
        w=lambda: parameter(*shape),
        last=linear(14, 3),
    )
    graph = assert_equivalence(net, noise(2, 5, 4))
    assert units_kept(graph, "first") == units_kept(graph, "w") == 0


def test_heads_are_made_and_read_by_sums_of_products(assert_equivalence):
    def run(m, x):
        q, k, v = (torch.einsum("bti,ihd->bthd", x, w) for w in (m.q, m.k, m.v))
        seen = torch.einsum("bthd,bshd->bhts", q, k).softmax(-1)
        return torch.einsum("bthd,hdo->bto", torch.einsum("bhts,bshd->bthd", seen, v), m.out)

    parts = {name: lambda: parameter(6, 4, 5) for name in "qkv"}
    net = Net(run, **parts, out=lambda: parameter(4, 5, 3))
    graph = assert_equivalence(net, noise(2, 7, 6))
    assert units_kept(graph, "q") == units_kept(graph, "v") == 0


def test_what_a_layer_reads_of_an_input_stays(assert_equivalence):
    """It is bound by another use of the parameter."""
    net = Net(
        lambda m, x: m.last(torch.einsum("bti,io->bto", x, m.w)) + m.other(m.first(x) * m.w[:, 0]),
        w=lambda: parameter(4, 8),
        first=linear(4, 4),
        last=linear(8, 3),
        other=linear(4, 3),
    )
    assert units_kept(assert_equivalence(net, noise(2, 6, 4)), "first") == 4


@pytest.mark.parametrize("buffer", [True, False])
def test_a_constant_matrix_is_no_layer(buffer):
    net = Net(
        lambda m, x: m.last(F.relu(m.first(torch.einsum("bti,io->bto", x, m.w)))),
        first=linear(8, 6),
        last=linear(6, 3),
    ).double()
    if buffer:
        net.register_buffer("w", noise(4, 8))
    else:
        net.w = nn.Parameter(noise(4, 8), requires_grad=False)
    graph = discover(net, noise(2, 5, 4))
    assert [layer.name for layer in graph.layers] == ["first", "last"]


# --- weights that are computed


def _standardised(weight: Tensor) -> Tensor:
    centred = weight - weight.mean((1, 2), keepdim=True)
    return centred / (centred.std((1, 2), keepdim=True) + 1e-5)


@pytest.mark.parametrize(
    "made", [_standardised, lambda w: w.softmax(2), lambda w: w / w.abs().amax((1, 2), True)]
)
def test_standardised_weights_lose_units_and_keep_what_they_read(made, assert_equivalence):
    net = Net(
        lambda m, x: m.last(F.relu(F.conv1d(F.relu(m.first(x)), made(m.w)))),
        first=lambda: nn.Conv1d(2, 6, 1),
        w=lambda: parameter(9, 6, 3),
        last=lambda: nn.Conv1d(9, 2, 1),
    )
    graph = assert_equivalence(net, noise(2, 2, 9))
    assert units_kept(graph, "w") == 0
    assert units_kept(graph, "first") in (0, 6)
    assert units_kept(graph, "first") == 6 or made(noise(9, 6, 3)).sum(2).allclose(noise(1) * 0 + 1)


def test_a_parameter_filled_in_between(assert_equivalence):
    """A learned position that is stretched to the length of the input."""
    net = Net(
        lambda m, x: m.last(F.relu(m.first(x) + F.interpolate(m.place, x.shape[-1]))),
        first=lambda: nn.Conv1d(2, 8, 1),
        place=lambda: parameter(1, 8, 4),
        last=lambda: nn.Conv1d(8, 2, 1),
    )
    assert units_kept(assert_equivalence(net, noise(2, 2, 9)), "first") == 0


@pytest.mark.parametrize(
    "parts",
    [lambda m, y: y.split(m.first.out_features, -1), lambda m, y: y.split(m.w.shape[0], -1)],
)
def test_a_size_of_another_layer_cuts_into_parts(parts, assert_equivalence):
    def run(m, x):
        scale, shift = parts(m, m.second(x))
        return m.last(F.relu(m.first(x) * scale + shift) * m.w)

    net = Net(
        run,
        first=linear(4, 9),
        second=linear(4, 18),
        w=lambda: parameter(9),
        last=linear(9, 3),
    )
    graph = assert_equivalence(net, noise(3, 4))
    assert units_kept(graph, "first") == units_kept(graph, "second") == 0


def test_parts_stay_as_long_as_another_layer_is_wide(assert_equivalence):
    def run(m, x):
        one, other = m.second(x).split(m.first.out_features, -1)
        return m.last(m.first(x)) + m.left(one) + m.right(other)

    parts = {name: linear(9, 3) for name in ("last", "left", "right")}
    net = Net(run, first=linear(4, 9), second=linear(4, 18), **parts)
    graph = assert_equivalence(net, noise(3, 4))
    assert units_kept(graph, "first") == units_kept(graph, "second") == 0


def test_a_bound_in_a_tensor_is_a_typed_number(assert_equivalence):
    bound = torch.tensor([3])
    net = Net(lambda m, x: m.last(m.first(x)[:, : bound[0]]), first=linear(4, 8), last=linear(3, 3))
    graph = assert_equivalence(net, noise(3, 4))
    assert units_kept(graph, "first") == 3


# --- attention


class Heads(nn.Module):
    """Self-attention with a number of heads that follows from their width."""

    def __init__(self, bias=None, keys: int = 4, *, typed: bool = False) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.q, self.k, self.v = nn.Linear(6, 20), nn.Linear(6, 5 * keys), nn.Linear(6, 5 * keys)
        self.out, self.table = nn.Linear(20, 3), nn.Embedding(7, 4)
        self.slopes = parameter(4)
        self.bias, self.shared, self.typed = bias, keys < 4, typed

    def forward(self, x: Tensor) -> Tensor:
        shape = (*x.shape[:2], 4, -1) if self.typed else (*x.shape[:2], -1, 5)
        q, k, v = (
            p(x).view(shape[:3] + shape[3:])
            if p is self.q or not self.typed
            else p(x).view(*x.shape[:2], 4, -1)
            for p in (self.q, self.k, self.v)
        )
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        mask = None if self.bias is None else self.bias(self, q, k)
        seen = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=self.shared, scale=0.4)
        return self.out(seen.transpose(1, 2).flatten(2))


def _distance(q):
    steps = torch.arange(q.shape[2])
    return steps[:, None] - steps


BIASES = {
    "a table": lambda m, q, k: m.table(_distance(q).clamp(-3, 3) + 3).permute(2, 0, 1)[None],
    "slopes": lambda m, q, k: m.slopes[:, None, None] * _distance(q),
    "scores": lambda m, q, k: torch.tanh(q @ k.transpose(-1, -2)),
    "the same for all": lambda m, q, k: _distance(q).to(q.dtype)[None],
}


@pytest.mark.parametrize("bias", BIASES.values(), ids=BIASES)
def test_a_bias_of_each_head_goes_with_its_head(bias, assert_equivalence):
    graph = assert_equivalence(Heads(bias), noise(2, 5, 6))
    assert units_kept(graph, "q") == units_kept(graph, "v") == 0


def test_a_bias_of_heads_that_stay_keeps_its_table_only(assert_equivalence):
    graph = assert_equivalence(Heads(BIASES["a table"], typed=True), noise(2, 5, 6), share=0.8)
    assert units_kept(graph, "q") == units_kept(graph, "v") == 0
    assert units_kept(graph, "table") == 4


@pytest.mark.parametrize("keys", [1, 2])
def test_keys_that_queries_share_go_with_all_of_them(keys, assert_equivalence):
    graph = assert_equivalence(Heads(keys=keys), noise(2, 5, 6))
    groups = {one.name: one.groups.reshape(-1, 5) for one in graph.layers if one.name in "qk"}
    assert (groups["q"].reshape(keys, -1) == groups["k"][:, :1]).all()
    assert units_kept(graph, "q") == (20 if keys == 1 else 0)


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("learned", ["query", "key"])
def test_learned_queries_are_as_wide_as_the_rest(learned, added, assert_equivalence):
    def run(m, x):
        y = m.first(x)
        q = m.learned.expand(len(x), -1, -1)
        q, k = (q, y) if learned == "query" else (y, q)
        seen, _ = m.heads(q, k, k, need_weights=False)
        return m.last(m.norm(seen + q if added else seen))

    net = Net(
        run,
        first=linear(6, 12),
        learned=lambda: parameter(1, 3, 12),
        heads=lambda: nn.MultiheadAttention(12, 6, batch_first=True),
        norm=lambda: nn.LayerNorm(12),
        last=linear(12, 2),
    )
    graph = assert_equivalence(net, noise(2, 5, 6))
    assert units_kept(graph, "first") == 0
    assert set(graph.kept) == {"it is an output of the network"}
    assert mirtrim.trim(net, noise(2, 5, 6), ratio=2).learned.shape[-1] < 12


# --- how often layers run


class Skipped(nn.Module):
    """Blocks of two widths that are left out at random in training (LayerDrop)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.last = nn.Linear(4, 6), nn.Linear(6, 3)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(6, w), nn.LayerNorm(w), nn.ReLU(), nn.Linear(w, 6))
            for w in (8, 5, 9, 7)
        )
        self.skip: set[int] = set()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for number, block in enumerate(self.blocks):
            if not (self.training and number in self.skip):
                x = x + block(x)
        return self.last(x)


@pytest.mark.parametrize("traced_without", [set(), {1, 3}])
@pytest.mark.parametrize("run_without", [{0}, {1, 2}, set()])
def test_gates_find_their_norms_where_layers_are_left_out(traced_without, run_without, random_keep):
    net = Skipped().double()
    net.skip = traced_without
    graph = discover(net, noise(3, 4))
    keep = random_keep(graph, 0)
    small = cut(net, graph, keep)
    net.skip, small.skip = run_without, run_without
    net.train(), small.train()
    assert torch.allclose(gated(net, graph, keep)(noise(3, 4)), small(noise(3, 4)), atol=1e-9)


def test_gates_go_on_in_a_loop_that_runs_longer(random_keep):
    def run(m, x):
        y, state = m.first(x), 0
        for t in range(x.shape[1]):
            state = m.norm(y[:, t] + m.step(F.relu(y[:, t]) + state))
            state = state / state.pow(2).mean(-1, keepdim=True).sqrt()
        return m.last(state)

    net = Net(
        run, first=linear(4, 8), step=linear(8, 8), norm=lambda: nn.LayerNorm(8), last=linear(8, 3)
    ).double()
    graph = discover(net, noise(2, 3, 4))
    keep = random_keep(graph, 0)
    assert not keep.all()
    check_equivalence(net, cut(net, graph, keep), graph, keep, noise(4, 7, 4))
    short = discover(net, noise(2, 1, 4))
    check_equivalence(net, cut(net, short, keep), short, keep, noise(4, 7, 4))


def test_another_number_of_norms_is_one_clear_error(random_keep):
    def run(m, x):
        y = m.first(x)
        y = y / y.amax(-1, keepdim=True) - y.mean(-1, keepdim=True)
        return m.last(y.sub(y.std(-1, keepdim=True)) if len(x) > 2 else y)

    net = Net(run, first=linear(4, 8), last=linear(8, 3)).double()
    graph = discover(net, noise(2, 4))
    keep = random_keep(graph, 1)
    with pytest.raises(TraceError, match="the network makes a call over units that"):
        gated(net, graph, keep)(noise(3, 4))


# --- what is no network


@pytest.mark.parametrize("given", [3, nn.Linear, lambda x: x])
def test_what_is_no_network_is_one_clear_error(given, tmp_path):
    calls = [
        lambda: mirtrim.trim(given, noise(2, 3), ratio=2),
        lambda: mirtrim.tickets(given, noise(2, 3), lambda net, after: None, ratios=[2]),
        lambda: mirtrim.save(given, tmp_path / "none"),
    ]
    for call in calls:
        with pytest.raises(MirtrimError, match=r"^model: .* is not a torch"):
            call()


@pytest.mark.parametrize("factory", [3, nn.Linear(2, 2), lambda: 3])
def test_what_makes_no_network_is_one_clear_error(factory, tmp_path):
    mirtrim.save(mirtrim.trim(nn.Linear(2, 2), torch.ones(1, 2), ratio=1), tmp_path / "small")
    with pytest.raises(ArtefactError, match="^factory: "):
        mirtrim.load(tmp_path / "small", factory)


# --- weights that one trained number scales


def test_a_layer_whose_bias_a_trained_number_scales_loses_units(assert_cut_whole):
    """Only the weight was followed there."""

    def run(m, x):
        scaled = {name: tensor * m.scale for name, tensor in m.first.named_parameters()}
        return m.last(torch.func.functional_call(m.first, scaled, (x,)).tanh())

    def make():
        net = Net(run, first=linear(4, 10), last=linear(10, 3))
        net.scale = parameter(1)
        return net

    graph = assert_cut_whole(make, noise(5, 4), [("first.bias", 0)])
    assert units_kept(graph, "first") == 0
