"""Attention behind masks: heads and what lies in a head go as they do without a mask."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mirtrim
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover

PADDED = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]]).bool()
NONE = torch.finfo(torch.float64).min


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


X = noise(2, 5, 6)


def kept(graph, layer: str) -> int:
    (found,) = (one for one in graph.layers if one.name == layer)
    return int((found.groups == 0).sum())


class Attention(nn.Module):
    """Self-attention of four heads, three wide; `keys` of them in keys and values."""

    def __init__(self, mask, *, typed: bool = False, keys: int = 4) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mask, self.typed, self.heads, self.keys = mask, typed, 4, keys
        self.first = nn.Linear(6, 10)
        self.q, self.k, self.v = (nn.Linear(10, 3 * n) for n in (4, keys, keys))
        self.out, self.last = nn.Linear(12, 10), nn.Linear(10, 2)
        if mask is MASKS["bias of heads"]:
            self.bias = nn.Parameter(noise(4, 5, 5))
        self.register_buffer("past", torch.tril(torch.ones(8, 8)).view(1, 1, 8, 8))

    def _heads(self, y: Tensor, count: int) -> Tensor:
        shape = (4, -1) if self.typed else (count, 3)
        y = y.view(*y.shape[:2], *shape).transpose(1, 2)
        return y.repeat_interleave(self.heads // count, 1)

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        x = self.first(x)
        q = self._heads(self.q(x), self.heads)
        k, v = self._heads(self.k(x), self.keys), self._heads(self.v(x), self.keys)
        seen = self.mask(self, q @ k.transpose(-2, -1) / 3**0.5, padded).softmax(-1) @ v
        return self.last(F.relu(x + self.out(seen.transpose(1, 2).flatten(2))))


def _written(m, a, padded):
    a = a.clone()
    a[(m.past[:, :, :5, :5] == 0).expand_as(a)] = -1e9
    return a


def _in_a_row(m, a, padded):
    """Examples and heads along one dimension, as Bloom and fairseq have them."""
    rows = a.view(-1, 5, 5).masked_fill(padded[:, None].repeat_interleave(m.heads, 0), NONE)
    return rows.view(a.shape)


def _heads_first(m, a, padded):
    """The same with all examples of the first head first, as Keras has them."""
    rows = a.transpose(0, 1).reshape(-1, 5, 5)
    rows = rows.masked_fill(padded[:, None].repeat(m.heads, 1, 1), NONE)
    return rows.view(-1, len(a), 5, 5).transpose(0, 1)


def _expanded(m, a, padded):
    mask = padded[:, None, None].expand(-1, m.heads, 5, -1).reshape(-1, 5, 5)
    return a.view(-1, 5, 5).masked_fill(mask, NONE).view(a.shape)


MASKS = {
    "none": lambda m, a, p: a,
    "causal buffer": lambda m, a, p: a.masked_fill(m.past[..., :5, :5] == 0, -torch.inf),
    "causal, sized": lambda m, a, p: a.masked_fill(
        m.past[:, :, : a.shape[-2], : a.shape[-1]] == 0, -torch.inf
    ),
    "causal, made": lambda m, a, p: a.masked_fill_(torch.ones(5, 5).triu(1).bool(), -1e9),
    "a triangle of ones": lambda m, a, p: a.masked_fill(~torch.ones_like(a).tril().bool(), -1e9),
    "padding": lambda m, a, p: a.masked_fill(p[:, None, None], NONE),
    "where": lambda m, a, p: torch.where(p[:, None, None], torch.full_like(a, NONE), a),
    "where, a number": lambda m, a, p: torch.where(p[:, None, None], NONE, a),
    "where, a tensor": lambda m, a, p: torch.where(p[:, None, None], torch.tensor(NONE), a),
    "added": lambda m, a, p: a + torch.full((5, 5), -torch.inf).triu(1),
    "added padding": lambda m, a, p: a + p[:, None, None].to(a.dtype) * -1e9,
    "multiplied": lambda m, a, p: a * m.past[..., :5, :5] - 1e9 * (1 - m.past[..., :5, :5]),
    "written": _written,
    "bias of heads": lambda m, a, p: (a + m.bias).masked_fill(p[:, None, None], -1e9),
    "expanded": lambda m, a, p: a.masked_fill(p[:, None, None].expand(a.shape), -1e9),
    "repeated": lambda m, a, p: a.masked_fill(p[:, None, None].repeat(1, m.heads, 5, 1), -1e9),
    "rows, expanded": _expanded,
    "cleared": lambda m, a, p: a.exp() * ~p[:, None, None],
}


@pytest.mark.parametrize(
    ("mask", "typed"),
    [*((name, False) for name in MASKS), ("none", True), ("padding", True), ("where", True)],
)
def test_heads_and_their_width_go_whatever_the_mask(mask, typed, assert_cut_whole):
    graph = assert_cut_whole(
        lambda: Attention(MASKS[mask], typed=typed),
        (X, PADDED),
        [("q.weight", 0), ("out.weight", 1)],
    )
    assert not any(kept(graph, name) for name in ("first", "q", "k", "v", "out"))
    # Four heads, or three positions of queries and keys and three of values.
    assert graph.group_count - 1 == 10 + (6 if typed else 4)


def test_parameters_of_a_masked_head_by_hand():
    net = Attention(MASKS["padding"]).double()
    graph = discover(net, (X, PADDED))
    (q,) = (one for one in graph.layers if one.name == "q")
    keep = graph.all_kept()
    keep[q.groups[0]] = False
    lost = graph.parameters(graph.all_kept()) - graph.parameters(keep)
    assert lost == 3 * (3 * (10 + 1) + 10)  # three units of q, k and v, three columns of out
    assert cut(net, graph, keep).q.weight.shape == (9, 10)


@pytest.mark.parametrize("mask", [_in_a_row, _heads_first])
def test_a_mask_repeated_for_each_head_is_followed(mask, assert_cut_whole):
    graph = assert_cut_whole(lambda: Attention(mask), (X, PADDED), [("v.weight", 0)])
    assert graph.group_count - 1 == 10 + 4
    assert kept(graph, "q") == kept(graph, "v") == 0


@pytest.mark.parametrize("mask", ["causal buffer", "padding", "bias of heads"])
def test_queries_that_share_keys_behind_a_mask(mask, assert_cut_whole):
    graph = assert_cut_whole(
        lambda: Attention(MASKS[mask], keys=2), (X, PADDED), [("k.weight", 0), ("v.weight", 0)], 1.2
    )
    assert kept(graph, "q") == kept(graph, "k") == 0


def test_queries_go_where_all_of_them_share_one_key(assert_cut_whole):
    graph = assert_cut_whole(
        lambda: Attention(MASKS["padding"], keys=1), (X, PADDED), [("q.weight", 0)], 1.2
    )
    assert (kept(graph, "q"), kept(graph, "k"), kept(graph, "v")) == (0, 3, 3)
    assert graph.group_count - 1 == 10 + 4


class OneKey(nn.Module):
    """Eight queries and one key, which is repeated unless there is one query only (Llama)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.heads = 8
        self.q, self.k, self.v = (nn.Linear(6, 3 * n) for n in (8, 1, 1))
        self.out = nn.Linear(24, 2)

    def _repeated(self, y: Tensor, times: int) -> Tensor:
        if times == 1:
            return y
        b, h, t, w = y.shape
        return y[:, :, None].expand(b, h, times, t, w).reshape(b, h * times, t, w)

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        q = self.q(x).view(*x.shape[:2], self.heads, 3).transpose(1, 2)
        k, v = (self._repeated(f(x)[:, None], self.heads) for f in (self.k, self.v))
        a = (q @ k.mT / 3**0.5).masked_fill(padded[:, None, None], NONE).softmax(-1)
        return self.out((a @ v).transpose(1, 2).flatten(2))


def test_a_number_of_heads_that_is_compared_with_one_stays_above_it(assert_cut_whole):
    graph = assert_cut_whole(OneKey, (X, PADDED), [("q.weight", 0), ("out.weight", 1)], 1.2)
    assert graph.group_count - 1 == 6  # heads of eight
    assert "they are compared with 1" in graph.kept


def test_a_constant_of_each_head_keeps_the_heads_for_one_reason(assert_equivalence):
    slopes = torch.arange(1, 5)[:, None, None] * -torch.ones(5, 5).tril()
    graph = assert_equivalence(Attention(lambda m, a, p: a + slopes), (X, PADDED))
    assert kept(graph, "q") == 12
    (reason,) = (why for why in graph.kept if "output" not in why)
    assert reason.endswith("combines 4 units with a constant of that size; register it as a buffer")


class Crossing(nn.Module):
    """Attends to another input, parts of which are padding."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.other = nn.Linear(6, 10), nn.Linear(4, 7)
        self.q, self.kv = nn.Linear(10, 12), nn.Linear(7, 24)
        self.out = nn.Linear(12, 2)

    def forward(self, x: Tensor, y: Tensor, padded: Tensor) -> Tensor:
        k, v = self.kv(self.other(y)).chunk(2, -1)
        q, k, v = (t.unflatten(-1, (-1, 3)).transpose(1, 2) for t in (self.q(self.first(x)), k, v))
        a = (q @ k.mT).masked_fill(padded[:, None, None], -torch.inf).softmax(-1)
        return self.out((a @ v).transpose(1, 2).flatten(2))


def test_attention_to_another_input_with_padding(assert_cut_whole):
    graph = assert_cut_whole(
        Crossing, (X, noise(2, 5, 4), PADDED), [("kv.weight", 0), ("other.weight", 0)]
    )
    assert set(graph.kept) == {"it is an output of the network"}


class Encoder(nn.Module):
    """torch's own layers, with padding and a mask."""

    def __init__(self, *, decodes: bool = False) -> None:
        super().__init__()
        torch.manual_seed(2)
        layer = nn.TransformerEncoderLayer(12, 4, 9, batch_first=True)
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 2)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.decoder = None
        if decodes:
            part = nn.TransformerDecoderLayer(12, 4, 9, batch_first=True)
            self.decoder = nn.TransformerDecoder(part, 1)

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        x = self.first(x)
        y = self.encoder(x, src_key_padding_mask=padded)
        if self.decoder is not None:
            past = torch.ones(5, 5, dtype=torch.bool).triu(1)
            y = self.decoder(x, y, tgt_mask=past, memory_key_padding_mask=padded)
        return self.last(y)


@pytest.mark.parametrize("decodes", [False, True])
def test_padding_in_encoders_of_torch(decodes, assert_cut_whole):
    name = "encoder.layers.0.self_attn.in_proj_weight"
    graph = assert_cut_whole(
        lambda: Encoder(decodes=decodes), (X, PADDED), [(name, 1), ("first.weight", 0)]
    )
    assert set(graph.kept) == {"it is an output of the network"}


def test_an_odd_number_of_heads_runs_where_torch_leaves_padding_out(tmp_path):
    """Its fast way, without gradients, is only for even numbers of heads."""
    net = Encoder().double()
    graph = discover(net, (X, PADDED))
    keep = graph.all_kept()
    (found,) = (one for one in graph.layers if one.name.endswith("0.self_attn.in_proj_weight"))
    keep[found.groups[0]] = False
    small = cut(net, graph, keep).eval()
    assert small.encoder.layers[0].self_attn.num_heads == 3
    mirtrim.save(small, tmp_path / "small")
    loaded = mirtrim.load(tmp_path / "small", lambda: Encoder().double()).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors are a prototype
        assert torch.allclose(small(X, PADDED), loaded(X, PADDED), atol=1e-12)
        assert net.eval()(X, PADDED).isfinite().all()
    assert net.encoder.use_nested_tensor


class Masked(nn.Module):
    """A mask for each example and head of `nn.MultiheadAttention`."""

    def __init__(self, count) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 2)
        self.seeing = nn.MultiheadAttention(12, 4, batch_first=True)
        self.count, self.heads = count, 4

    def forward(self, x: Tensor, padded: Tensor) -> Tensor:
        mask = padded[:, None].expand(-1, 5, -1).repeat_interleave(self.count(self), 0)
        x = self.first(x)
        return self.last(self.seeing(x, x, x, attn_mask=mask, need_weights=False)[0])


def test_masks_of_examples_and_heads_follow_a_number_of_heads(assert_cut_whole):
    graph = assert_cut_whole(
        lambda: Masked(lambda m: m.heads), (X, PADDED), [("seeing.in_proj_weight", 0)]
    )
    assert set(graph.kept) == {"it is an output of the network"}


def test_masks_of_a_typed_number_of_heads_keep_them(assert_equivalence):
    graph = assert_equivalence(Masked(lambda m: 4), (X, PADDED))
    assert kept(graph, "first") == kept(graph, "seeing.out_proj.weight") == 12
    (reason,) = (why for why in graph.kept if "output" not in why)
    assert reason.startswith("every head has a mask of its own")
