"""What networks of other people do with their units, followed and cut under equivalence."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Variable
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import mirtrim
from mirtrim.units.cutting import cut, cut_tensors
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from tests.units.between import Net, X, removable

# Norms over units


def global_norm(m, x):
    mean = x.mean((1, 2), keepdim=True)
    return (x - mean) / ((x - mean).pow(2).mean((1, 2), keepdim=True) + 1e-8).sqrt()


def channel_norm(m, x):
    return (x - x.mean(1, keepdim=True)) / x.std(dim=1, unbiased=False, keepdim=True)


def root_mean_square(m, x):
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6)


def response_norm(m, x):
    size = torch.norm(x, p=2, dim=2, keepdim=True)
    return x * (size / (size.mean(dim=1, keepdim=True) + 1e-6)) + x


def block_attention(m, x):
    seen = torch.cat([x.max(1, keepdim=True)[0], x.mean(1, keepdim=True)], 1)
    return x * torch.sigmoid(m.look(seen))


STATISTICS = {
    "global": global_norm,
    "channel": channel_norm,
    "root mean square": root_mean_square,
    "response": response_norm,
    "block attention": block_attention,
    "normalize": lambda m, x: F.normalize(x, dim=1) * 4,
    "normalize of rows": lambda m, x: F.normalize(x.mT, p=1, dim=-1).mT,
    "softmax by names": lambda m, x: torch.softmax(input=x, dim=1) * 4,
    "by norm": lambda m, x: x / (x.norm(dim=1, keepdim=True) + 1),
    "by vector norm": lambda m, x: x / (torch.linalg.vector_norm(x, dim=(1, 2), keepdim=True) + 1),
    "by sum": lambda m, x: x / (1 + x.abs().sum()),
    "standardised": lambda m, x: (x - x.mean()) / torch.sqrt(x.var() + 1e-5),
    "extremes": lambda m, x: (x - x.amin(1, True)) / (x.amax(1, True) - x.amin(1, True) + 1),
    "log-sum-exp": lambda m, x: x - torch.logsumexp(x, 1, keepdim=True),
    "expanded": lambda m, x: x - x.mean(1, keepdim=True).expand_as(x),
    "both at once": lambda m, x: x * torch.std_mean(x, dim=1, keepdim=True)[1],
}


@pytest.mark.parametrize("statistic", STATISTICS)
def test_statistics_over_units_are_those_of_the_living(statistic, assert_equivalence):
    net = Net(STATISTICS[statistic], look=nn.Conv1d(2, 1, 5, padding=2))
    graph = assert_equivalence(net, X)
    assert removable(graph) == 12


def test_statistics_of_dead_units_do_not_count():
    """A norm over all units would see the large dead one."""
    net = Net(global_norm).double().eval()
    with torch.no_grad():
        net.first.bias[3] = 1000.0
    graph = discover(net, X)
    keep = graph.all_kept()
    keep[graph.layers[0].groups[3]] = False
    assert torch.allclose(gated(net, graph, keep)(X), cut(net, graph, keep)(X))
    assert not torch.allclose(net(X), cut(net, graph, keep)(X), atol=0.01)


@pytest.mark.parametrize("end", [lambda x: x.mean(1), lambda x: x.max(1)[0] + 1, lambda x: x.sum()])
def test_a_statistic_that_is_the_output_keeps_its_units(end):
    class Ending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv1d(3, 12, 1)

        def forward(self, x: Tensor) -> Tensor:
            return end(self.first(x)) * 2

    graph = discover(Ending().double(), X)
    assert graph.group_count == 1
    assert "output" in graph.layers[0].pinned_because


# Along other dimensions

fft = torch.fft

ALONG = {
    "rfft": lambda m, x: fft.irfft(fft.rfft(x) * 2, 20),
    "fft by dim": lambda m, x: fft.ifft(fft.fft(x, 20, dim=2, norm="ortho"), dim=-1).real,
    "hfft": lambda m, x: fft.hfft(fft.ihfft(x), 20),
    "fftn by sizes": lambda m, x: fft.ifftn(fft.fftn(x, s=(20,)), dim=[2]).abs(),
    "fft2 of images": lambda m, x: fft.irfft2(fft.rfft2(x.unflatten(2, (4, 5))), (4, 5)).flatten(2),
    "shifted": lambda m, x: fft.fftshift(fft.fft(x), dim=-1).angle(),
    "pairs": lambda m, x: torch.view_as_real(
        torch.view_as_complex(x.unflatten(2, (10, 2))) * 1j
    ).flatten(2),
    "median": lambda m, x: x - x.quantile(0.5, dim=2, keepdim=True),
    "triangle": lambda m, x: x.unflatten(2, (4, 5)).tril(1).flatten(2),
    "grid": lambda m, x: F.grid_sample(
        x.unsqueeze(2),
        torch.linspace(-1, 1, 80, dtype=x.dtype).view(2, 1, 20, 2),
        align_corners=True,
    ).squeeze(2),
}


@pytest.mark.parametrize("run", ALONG)
def test_what_each_unit_does_alone(run, assert_equivalence):
    assert removable(assert_equivalence(Net(ALONG[run]), X)) == 12


MOVED = {
    "pixels": (3, lambda m, x: F.pixel_unshuffle(F.pixel_shuffle(x.unsqueeze(2), 2), 2).squeeze(2)),
    "channels of groups": (4, lambda m, x: F.channel_shuffle(x.unsqueeze(3), 3).squeeze(3)),
}


@pytest.mark.parametrize("run", MOVED)
def test_units_that_are_moved_about_go_together(run, assert_equivalence):
    left, move = MOVED[run]
    assert removable(assert_equivalence(Net(move), X)) == left


NUMBER = {
    "rfft": lambda x: fft.rfft(x, n=x.shape[1]).abs(),
    "interpolate": lambda x: F.interpolate(x, size=x.shape[1]),
    "roll": lambda x: x.roll(x.shape[1], -1),
    "avg_pool1d": lambda x: F.avg_pool1d(x, x.shape[1]),
    "adaptive_max_pool1d": lambda x: F.adaptive_max_pool1d(x, x.shape[1]),
    "topk": lambda x: x.topk(x.shape[1], 2).values,
    "kthvalue": lambda x: x.kthvalue(x.shape[1], 2, keepdim=True).values,
}


@pytest.mark.parametrize("operation", NUMBER)
def test_the_number_of_units_is_no_length_in_time(operation):
    graph = discover(Net(lambda m, x: NUMBER[operation](x)).double(), X)
    assert removable(graph) == 0
    assert any(f"number is used in {operation}" in why for why in graph.kept) or any(
        f"number is used in fft_{operation}" in why for why in graph.kept
    )


# Weights that are computed


def old(module: nn.Module, **options) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(module, **options)


new = parametrizations.weight_norm


class Windowed(nn.Conv1d):
    def __init__(self, *sizes: int) -> None:
        super().__init__(*sizes)
        self.register_buffer("window", torch.hann_window(sizes[2] + 2)[1:-1])

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight * self.window, self.bias, padding=1)


COMPUTED = {
    "old": lambda: (old(nn.Conv1d(12, 10, 3)), old(nn.Conv1d(10, 12, 3))),
    "new": lambda: (new(nn.Conv1d(12, 10, 3)), new(nn.Conv1d(10, 12, 3))),
    "over all": lambda: (old(nn.Conv1d(12, 10, 3), dim=None), new(nn.Conv1d(10, 12, 3), dim=None)),
    "other side": lambda: (new(nn.Conv1d(12, 10, 3), dim=1), old(nn.Conv1d(10, 12, 3), dim=1)),
    "transposed": lambda: (new(nn.ConvTranspose1d(12, 10, 4, 2)), new(nn.Conv1d(10, 12, 4, 2))),
    "grouped": lambda: (new(nn.Conv1d(12, 12, 3, groups=3)), old(nn.Conv1d(12, 12, 3, groups=12))),
    "windowed": lambda: (Windowed(12, 10, 3), Windowed(10, 12, 3)),
}


@pytest.mark.parametrize("kind", COMPUTED)
def test_computed_weights_are_cut(kind, assert_equivalence):
    one, other = COMPUTED[kind]()
    net = Net(lambda m, x: m.other(torch.tanh(m.one(x))), one=one, other=other)
    graph = assert_equivalence(net, X)
    assert removable(graph) >= 3
    assert removable(graph, "one") >= 3


def test_sizes_of_modules_with_computed_weights_follow():
    net = Net(lambda m, x: m.one(x), one=new(nn.Conv1d(12, 12, 1)))
    small = mirtrim.trim(net.double(), X, ratio=2)
    assert (small.one.in_channels, small.one.out_channels) == (
        small.first.out_channels,
        small.last.in_channels,
    )
    assert small.one.weight.shape[:2] == (small.one.out_channels, small.one.in_channels)


def test_what_is_left_of_a_normalised_weight_stays_what_it_was():
    net = Net(lambda m, x: m.one(x), one=new(nn.Conv1d(12, 12, 1))).double()
    graph = discover(net, X)
    keep = graph.all_kept()
    keep[graph.layers[0].groups[[1, 4, 5]]] = False
    left = [i for i in range(12) if i not in (1, 4, 5)]
    assert torch.allclose(cut(net, graph, keep).one.weight, net.one.weight[:, left])
    cut_state = cut_tensors(dict(net.named_parameters()), graph, keep)
    made = torch._weight_norm(
        cut_state["one.parametrizations.weight.original1"],
        cut_state["one.parametrizations.weight.original0"],
        0,
    )
    assert torch.allclose(made, net.one.weight[:, left])


def test_units_of_normalised_weights_are_scored_by_their_weights():
    net = Net(lambda m, x: m.one(x), one=new(nn.Conv1d(12, 12, 1))).double()
    with torch.no_grad():
        net.one.parametrizations.weight.original0[5] *= 100
        net.one.parametrizations.weight.original1[7] *= 1000  # direction only
    graph = discover(net, X)
    layer = next(la for la in graph.layers if la.name == "one")
    rows = graph.unit_weights(layer, dict(net.named_parameters()))
    assert torch.allclose(rows, net.one.weight.flatten(1))


def test_a_spectrally_normalised_weight_keeps_what_it_reads():
    net = Net(lambda m, x: m.one(x), one=parametrizations.spectral_norm(nn.Conv1d(12, 12, 1)))
    graph = discover(net.double(), X)
    assert removable(graph) == 0
    assert any("conv1d in module 'one'" in why for why in graph.kept)


# Recurrent layers


def packed(m, x, **options):
    lengths = torch.tensor([20, 13])
    sequence = pack_padded_sequence(x.mT, lengths, batch_first=True, **options)
    padded, sizes = pad_packed_sequence(m.memory(sequence)[0], batch_first=True)
    return padded.mT * sizes.max().clamp(1, 1)


def packed_unsorted(m, x):
    sequence = pack_padded_sequence(x.mT, [9, 20], batch_first=True, enforce_sorted=False)
    output, state = m.memory(sequence)
    state = state[0] if isinstance(state, tuple) else state
    return pad_packed_sequence(output, batch_first=True)[0].mT + state[-1][..., None].repeat(
        1, 1, 20
    )


def filled(m, x):
    out = torch.zeros(x.shape[0], x.shape[2], m.memory.hidden_size, dtype=x.dtype)
    out[:, :5] = m.memory(x.mT[:, :5])[0]
    out[:, 5:, :] = m.memory(x.mT[:, 5:])[0]
    return out.mT


def copied(m, x):
    y = torch.empty_like(x)
    y.copy_(x)
    y[..., 3:] = 0
    y[y < 0] = 0.5
    return y


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize("run", [packed, packed_unsorted, filled])
def test_sequences(kind, run, assert_equivalence):
    graph = assert_equivalence(Net(run, memory=kind(12, 12, batch_first=True)), X)
    assert removable(graph) == 12
    assert removable(graph, "memory") == 12


def test_two_directions_packed(assert_equivalence):
    memory = nn.LSTM(12, 6, 2, bidirectional=True, batch_first=True)
    graph = assert_equivalence(Net(packed, memory=memory), X)
    assert removable(graph, "memory") == 6


def test_writing_into_tensors(assert_equivalence):
    assert removable(assert_equivalence(Net(copied), X)) == 12


def one_unit(m, x):
    y = x.clone()
    y[:, 2] = 0
    y[:, -2] = y[:, 4]
    y[:, 1, :7] += y[:, 0, 7:14]
    return y


def one_unit_of_zeros(m, x):
    y = torch.zeros_like(x)
    y[:, 4] = x[:, 4]
    return y


@pytest.mark.parametrize(("run", "left"), [(one_unit, 5), (one_unit_of_zeros, 7)])
def test_units_written_by_position_stay(run, left, assert_equivalence):
    """So do all before them, or the position would be another one's; from the end, all behind."""
    assert removable(assert_equivalence(Net(run), X)) == left


def test_a_mean_in_the_place_of_a_unit_keeps_all():
    def run(m, x):
        y = x.clone()
        y[:, 0] = x.mean(1)
        return y

    graph = discover(Net(run).double(), X)
    assert removable(graph) == 0


@pytest.mark.parametrize(
    "run",
    [
        lambda m, x: torch.zeros(2, 12, 20, dtype=x.dtype).copy_(x),
        lambda m, x: torch.zeros(2, 12, 20, dtype=x.dtype) + x,
        lambda m, x: torch.zeros(2, 24, 20, dtype=x.dtype).index_copy(1, torch.arange(12), x)[
            :, :12
        ],
    ],
)
def test_units_written_into_typed_sizes_stay(run):
    graph = discover(Net(run).double(), X)
    assert removable(graph) == 0
    assert sum(graph.kept.values()) == 16


class Sized(nn.Module):
    """A network that keeps its sizes as attributes, as most do."""

    def __init__(self, run) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.hidden, self.heads, self.depth, self.pieces = 12, 4, 3, 2
        self.first, self.last = nn.Linear(20, 12), nn.Linear(12, 5)
        made = {
            "memory": lambda: nn.GRU(12, 12, batch_first=True),
            "deep": lambda: nn.GRU(12, 12, 3, batch_first=True),
            "cell": lambda: nn.GRUCell(12, 12),
            "both": lambda: nn.LSTM(12, 6, bidirectional=True, batch_first=True),
        }
        for name in set(made) & set(run.__code__.co_names):
            self.add_module(name, made[name]())
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self, self.first(x)))


def stepped(m, x):
    state, out = torch.zeros(len(x), m.hidden, dtype=x.dtype), []
    for step in range(x.shape[1]):
        state = m.cell(x[:, step], state)
        out.append(state)
    return torch.stack(out, 1)


ATTRIBUTES = {
    "view": lambda m, x: torch.tanh(x.flatten(0, 1)).view(len(x), 3, m.hidden),
    "state": lambda m, x: m.memory(x, torch.zeros(1, len(x), m.hidden, dtype=x.dtype))[0],
    "steps": stepped,
    "both ways": lambda m, x: m.both(x)[0].reshape(len(x), 3, 2, m.hidden // 2).flatten(2),
    "heads": lambda m, x: x.view(2, 3, m.heads, m.hidden // m.heads).mT.mT.reshape(2, 3, m.hidden),
    "heads by size": lambda m, x: x.view(2, 3, m.heads, m.depth).relu().reshape(2, 3, m.hidden),
    "checked": lambda m, x: x if x.shape[-1] == m.hidden else x[:, :0],
    "asserted": lambda m, x: x.view(2, 3, m.hidden) if x.shape[-1] % m.hidden == 0 else x,
    "two sizes": lambda m, x: m.deep(x, torch.zeros(m.depth, len(x), m.hidden, dtype=x.dtype))[0],
    "old variable": lambda m, x: m.memory(x, Variable(x.new_zeros(1, len(x), m.hidden)))[0],
    "product of a quotient": lambda m, x: x.view(2, 3, m.hidden // 3 * 3),
    "expanded": lambda m, x: x + x.new_ones(1, 1, 1).expand(2, 3, m.hidden),
}


@pytest.mark.parametrize("use", ATTRIBUTES)
def test_integer_attributes_shrink_along(use, assert_equivalence):
    net = Sized(ATTRIBUTES[use])
    graph = assert_equivalence(net, X)
    assert removable(graph) >= 3
    small = mirtrim.trim(net, X, ratio=1.8)
    assert small(X).shape == (2, 3, 5)
    assert type(small.hidden) is int
    assert net.hidden == 12


NUMBERS = {
    "slice": lambda m, x: F.pad(x[..., : m.hidden // 3], (0, 8)),
    "square root": lambda m, x: x.view(2, 3, m.hidden) / m.hidden**0.5,
    "typed as well": lambda m, x: x.view(2, 3, m.hidden) + torch.ones(12, dtype=x.dtype),
    "list": lambda m, x: torch.stack([x[..., i] for i in list(range(m.hidden))], -1),
    "numbers": lambda m, x: x.view(2, 3, m.hidden) * torch.tensor([1.0] * m.hidden),
    "loop": lambda m, x: sum(x.view(2, 3, m.hidden) for _ in range(m.hidden)) / 12,
}


@pytest.mark.parametrize("use", NUMBERS)
def test_attributes_used_as_numbers_stay_right(use):
    net = Sized(NUMBERS[use]).double()
    graph = discover(net, X)
    keep = graph.all_kept()
    small = cut(net, graph, keep)
    assert torch.allclose(small(X), net(X))
    if graph.group_count > 1:
        assert mirtrim.trim(net, X, ratio=1.1).trim_report.equivalence_difference < 1e-5


class Stateful(nn.Module):
    """Keeps its hidden state, and a gain for each unit, as plain attributes."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(9)
        self.first, self.last = nn.Linear(20, 12), nn.Linear(10, 5)
        self.memory = nn.LSTM(12, 10, batch_first=True)
        self.gain = torch.linspace(0.5, 2, 12, dtype=torch.float64)
        self.hidden = torch.randn(1, 2, 10, dtype=torch.float64)
        self.cell = torch.randn(1, 2, 10, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x) * self.gain
        y, (self.hidden, self.cell) = self.memory(x, (self.hidden, self.cell))
        return self.last(y)


def test_states_and_constants_kept_as_attributes_are_cut_along(assert_equivalence):
    net = Stateful()
    graph = assert_equivalence(net, X)
    assert removable(graph, "first") == 12
    assert removable(graph, "memory") == 10
    before = net.hidden.clone()
    small = mirtrim.trim(net, X, ratio=2)
    assert torch.equal(net.hidden, before)
    assert small.hidden.shape == (1, 2, small.memory.hidden_size)
    assert small.gain.shape == (small.first.out_features,)
    small(X)
    assert small.hidden.grad_fn is not None


# Attention written out


class Attention(nn.Module):
    def __init__(self, run) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first = nn.Linear(20, 12)
        self.query, self.key, self.value = (nn.Linear(12, 16) for _ in range(3))
        self.all_three = nn.Linear(12, 48)
        self.out, self.last = nn.Linear(16, 12), nn.Linear(12, 5)
        self.num_heads, self.head_dim, self.scale = 4, 4, 0.5
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x + self.out(self.run(self, x)))


def three(m, x):
    shape = (*x.shape[:-1], -1, m.head_dim)
    return [f(x).view(shape).transpose(1, 2) for f in (m.query, m.key, m.value)]


def joined(y):
    return y.transpose(1, 2).flatten(2)


def by_products(m, x):
    q, k, v = three(m, x)
    return joined(torch.softmax(q @ k.transpose(-2, -1) * m.scale, -1) @ v)


def fused(m, x):
    return joined(F.scaled_dot_product_attention(*three(m, x)))


def from_one(m, x):
    batch, length, _ = x.shape
    qkv = m.all_three(x).reshape(batch, length, 3, m.num_heads, m.head_dim).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, -1)


def single_head(m, x):
    q, k, v = m.query(x), m.key(x), m.value(x)
    return torch.bmm(torch.softmax(torch.bmm(q, k.mT) / 4, -1), v)


def with_einsum(m, x):
    q, k, v = (y.transpose(1, 2) for y in three(m, x))
    weights = torch.einsum("bihd,bjhd->bhij", q, k).softmax(-1)
    return torch.einsum("bhij,bjhd->bihd", weights, v).flatten(2)


def contracted(m, x):
    weights = torch.einsum("bid, bjd -> bij", m.query(x), m.key(x)).softmax(-1)
    return torch.einsum("bij, bjd -> bid", weights, m.value(x))


def own_scale(m, x):
    q, k, v = (f(x)[:, None] for f in (m.query, m.key, m.value))
    return F.scaled_dot_product_attention(q, k, v, scale=0.3)[:, 0]


@pytest.mark.parametrize(
    ("run", "groups"),
    [
        (by_products, 4),
        (fused, 4),
        (single_head, 16),
        (with_einsum, 4),
        (contracted, 16),
        (own_scale, 16),
    ],
    ids=lambda v: getattr(v, "__name__", ""),
)
def test_attention(run, groups, assert_equivalence):
    graph = assert_equivalence(Attention(run), X)
    assert removable(graph, "first") == 12
    assert removable(graph, "query") == removable(graph, "value") == groups


def test_attention_from_one_projection(assert_equivalence):
    graph = assert_equivalence(Attention(from_one), X)
    assert removable(graph, "all_three") == 4


def test_a_scale_that_follows_the_width_keeps_it():
    def scaled(m, x):
        return F.scaled_dot_product_attention(m.query(x), m.key(x), m.value(x))

    graph = discover(Attention(scaled).double(), X)
    assert removable(graph, "query") == 0
    assert removable(graph, "value") == 16


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"add_bias_kv": True}])
def test_multihead_attention_loses_whole_heads(batch_first, options, assert_equivalence):
    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(5)
            self.first, self.last = nn.Linear(20, 12), nn.Linear(12, 5)
            self.heads = nn.MultiheadAttention(12, 4, batch_first=batch_first, **options)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            return self.last(x + self.heads(x, x, x, need_weights=False)[0])

    graph = assert_equivalence(Heads(), X)
    assert removable(graph) == 4
    small = mirtrim.trim(Heads().double(), X, ratio=1.5)
    assert small.heads.head_dim == 3
    assert small.heads.embed_dim == 3 * small.heads.num_heads == small.first.out_features


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("first", [True, False])
def test_stacks_of_transformer_layers(depth, first, assert_equivalence):
    torch.manual_seed(6)
    layers = [nn.TransformerEncoderLayer(12, 4, 24, batch_first=True) for _ in range(depth)]
    net = nn.Sequential(nn.Linear(20, 12), *layers, nn.Linear(12, 5))
    graph = assert_equivalence(
        net if first else net[1:], X if first else X @ torch.ones(20, 12).double()
    )
    assert removable(graph, "0" if first else "1.linear1") == (4 if first else 24)


# Front ends


class Spectrum(nn.Module):
    def __init__(self, trained: bool = False) -> None:
        super().__init__()
        self.real = nn.Conv1d(1, 33, 64, 32, bias=False).requires_grad_(trained)
        self.mel = nn.Parameter(torch.rand(33, 10), requires_grad=trained)
        self.norm = nn.BatchNorm2d(10)
        self.first, self.last = nn.Conv2d(1, 16, 3), nn.Conv2d(16, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        mel = torch.matmul((self.real(x) ** 2).mT, self.mel)[:, None]
        return self.last(torch.relu(self.first(self.norm(mel.transpose(1, 3)).transpose(1, 3))))


def test_frozen_front_ends_are_no_layers():
    x = torch.randn(2, 1, 400)
    small = mirtrim.trim(Spectrum(), x, ratio=2)
    report = small.trim_report
    assert report.ratio >= 2
    assert report.parameters_before == sum(
        p.numel() for p in Spectrum().parameters() if p.requires_grad
    )
    assert small.mel.shape == (33, 10)
    assert "real.weight" in str(report)
    assert "frozen front end" in str(report)


def test_a_network_that_is_frozen_as_a_whole_has_layers():
    net = nn.Sequential(nn.Conv1d(3, 16, 3), nn.ReLU(), nn.Conv1d(16, 5, 3)).requires_grad_(False)
    assert mirtrim.trim(net.double(), X, ratio=2).trim_report.ratio >= 2


# Sizes in other people's words


def rearranged(m, x):
    """einops: lengths are checked with % and cut with //, products first."""
    batch, length, _ = x.shape
    known = 3 * m.num_heads
    qkv = m.all_three(x)
    assert qkv.shape[2] % known == 0
    shape = (batch, length, 3, m.num_heads, qkv.shape[2] // known)
    q, k, v = qkv.reshape(shape).permute(2, 0, 3, 1, 4)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
    return y.reshape(batch, length, m.num_heads * y.shape[3])


def heads_last(m, x):
    """The same with heads as the last of three."""
    batch, length, _ = x.shape
    qkv = m.all_three(x)
    shape = (batch, length, qkv.shape[2] // (m.num_heads * 3), 3, m.num_heads)
    q, k, v = qkv.reshape(shape).permute(3, 0, 4, 1, 2)
    y = F.scaled_dot_product_attention(q, k, v)
    return y.permute(0, 2, 3, 1).reshape(batch, length, -1)


@pytest.mark.parametrize("run", [rearranged, heads_last])
def test_heads_are_counted_in_products(run, assert_equivalence):
    assert removable(assert_equivalence(Attention(run), X), "all_three") == 4


class Masks(nn.Module):
    """Sources × features: the features are what can shrink, though sources come first."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.sources, self.features = 2, 12
        self.encode, self.decode = nn.Conv1d(3, 12, 3), nn.ConvTranspose1d(12, 3, 3)
        self.mask = nn.Conv1d(12, 24, 1)

    def forward(self, x: Tensor) -> Tensor:
        coded = self.encode(x).relu()
        masks = self.mask(coded).view(x.shape[0], self.sources, self.features, -1)
        return self.decode((masks * coded[:, None]).flatten(0, 1))


def test_of_two_sizes_the_one_that_keeps_fewer_units_shrinks(assert_equivalence):
    graph = assert_equivalence(Masks(), X)
    assert removable(graph, "encode") == removable(graph, "mask") == 12


def patches(m, x):
    columns = F.unfold(x[..., None], kernel_size=(4, 1), stride=(2, 1))
    pieces = columns.reshape(x.shape[0], x.shape[1], 4, -1).tanh()
    folded = pieces.reshape(x.shape[0], x.shape[1] * 4, -1)
    return F.fold(folded, (20, 1), kernel_size=(4, 1), stride=(2, 1))[..., 0]


def test_patches_of_channels(assert_equivalence):
    assert removable(assert_equivalence(Net(patches), X)) == 12


def test_both_directions_added_up_to_an_attribute(assert_equivalence):
    def added(m, x):
        y = m.both(x)[0]
        return torch.cat([y[..., : m.half] + y[..., m.half :]] * 2, -1)

    class Halved(Sized):
        def __init__(self, run) -> None:
            super().__init__(run)
            self.half = 6

    assert removable(assert_equivalence(Halved(added), X), "both") == 6


class Windows(nn.Module):
    """Attention with a table of relative positions for each head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.first, self.qkv, self.last = nn.Linear(20, 12), nn.Linear(12, 36), nn.Linear(12, 5)
        self.table = nn.Parameter(torch.randn(5, 4))
        self.num_heads = 4
        places = torch.arange(3)
        self.register_buffer("index", (places[:, None] - places + 2).flatten())

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        batch, length, width = x.shape
        shape = (batch, length, 3, self.num_heads, width // self.num_heads)
        q, k, v = self.qkv(x).reshape(shape).permute(2, 0, 3, 1, 4)
        scores = (q * 0.5) @ k.mT
        bias = self.table[self.index].view(length, length, -1).permute(2, 0, 1)
        y = (scores + bias).softmax(-1) @ v
        return self.last(y.transpose(1, 2).reshape(batch, length, width))


def test_a_table_for_each_head_loses_heads(assert_equivalence):
    graph = assert_equivalence(Windows(), X)
    assert removable(graph, "qkv") == 4
    assert graph.slices["table"][1] is not None


# Layers without a module


class Handwritten(nn.Module):
    """Two layers whose weights are parameters of the network itself."""

    def __init__(self, run) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.table = nn.Parameter(torch.randn(20, 16))
        self.turned = nn.Parameter(torch.randn(16, 20))
        self.bias = nn.Parameter(torch.randn(16))
        self.last = nn.Parameter(torch.randn(16, 5))
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


HANDWRITTEN = {
    "matmul": lambda m, x: torch.relu(x @ m.table + m.bias) @ m.last,
    "transposed": lambda m, x: torch.relu(x @ m.turned.t() + m.bias).matmul(m.last),
    "with bias": lambda m, x: torch.addmm(m.bias, x[0], m.table).relu().mm(m.last),
    "method with bias": lambda m, x: m.bias.addmm(x[0], mat2=m.turned.T).tanh() @ m.last,
    "between": lambda m, x: (
        torch.addmm(m.bias, torch.relu(x[0] @ m.table) @ m.table.T, m.table) @ m.last
    ),
}


@pytest.mark.parametrize("run", HANDWRITTEN)
def test_a_product_with_a_parameter_is_a_layer(run, assert_equivalence):
    net = Handwritten(HANDWRITTEN[run])
    graph = assert_equivalence(net, X)
    assert len(set(np.concatenate([la.groups for la in graph.layers]).tolist()) - {0}) == 16


def test_a_sum_of_two_products_is_no_bias():
    """What is added is no vector of units: both products stay as they are."""
    net = Handwritten(lambda m, x: torch.addmm(x[0, :, :1], x[0] @ m.table, m.last))
    assert mirtrim.trim(net.double(), X, ratio=1).trim_report.equivalence_difference == 0


class Words(nn.Module):
    """Entries are looked up in a table, and scored by the same table."""

    def __init__(self, scored) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.table, self.first, self.last = (
            nn.Embedding(9, 16),
            nn.Linear(16, 24),
            nn.Linear(24, 16),
        )
        self.after = nn.Linear(9, 4)
        self.scored = scored

    def forward(self, x: Tensor) -> Tensor:
        x = self.table(x)
        return self.scored(self, x + self.last(torch.relu(self.first(x))))


@pytest.mark.parametrize(
    "scored",
    [
        lambda m, x: x @ m.table.weight.T,
        lambda m, x: F.linear(x, m.table.weight),
        lambda m, x: m.after(torch.relu(x @ m.table.weight.T)),
    ],
)
def test_entries_of_a_table_stay_and_its_units_go(scored, assert_equivalence):
    words = torch.randint(9, (2, 7), generator=torch.Generator().manual_seed(0))
    net = Words(scored)
    graph = assert_equivalence(net, words)
    assert removable(graph, "table") == 16
    small = mirtrim.trim(net, words, ratio=1.5)
    assert small.table.weight.shape[0] == 9
    assert small(torch.arange(9)[None]).shape[1] == 9


def test_scores_between_units_are_an_output_without_units(assert_equivalence):
    """Queries and keys may shrink though what they make of each other is returned."""

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(8)
            self.first, self.other = nn.Linear(20, 12), nn.Linear(20, 12)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x) @ self.other(x).mT

    assert removable(assert_equivalence(Scores(), X)) == 12


def test_a_whole_transformer_follows_its_width(assert_equivalence):
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(6)
            self.first, self.last = nn.Linear(20, 16), nn.Linear(16, 5)
            self.middle = nn.Transformer(16, 4, 1, 1, 24, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.middle(self.first(x), self.first(x[:, :2])))

    net = Both()
    assert removable(assert_equivalence(net, X))
    small = mirtrim.trim(net, X, ratio=1.5)
    assert small.middle.d_model == small.first.out_features < 16


def test_complex_units():
    class Waves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(7)
            self.first = nn.Linear(20, 16, dtype=torch.complex64)
            self.last = nn.Linear(16, 5, dtype=torch.complex64)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            x = torch.complex(torch.relu(x.real), torch.relu(x.imag)) + x.conj() * x.angle()
            return torch.view_as_real(self.last(x))

    small = mirtrim.trim(Waves(), X.to(torch.complex64), ratio=2)
    assert small.first.out_features < 9
