"""Hand-worked cases: which units each operation binds, keeps or pins.

Each small network is `a` (six units), something in between, and consumers; the expected groups
are written out. A unit's group number follows the order of first appearance, 0 is immortal.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirtrim.units.finding import discover

X = torch.linspace(-1, 1, 2 * 3 * 8).reshape(2, 3, 8).double()


class Net(nn.Module):
    """Children by name and a function of (network, input)."""

    def __init__(self, run, **children) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a = nn.Conv1d(3, 6, 1)
        for name, child in children.items():
            if isinstance(child, nn.Module):
                self.add_module(name, child)
            elif isinstance(child, nn.Parameter):
                self.register_parameter(name, child)
            else:
                self.register_buffer(name, child)
        self.run = run

    def forward(self, x: Tensor):
        return self.run(self, x)


def groups(net: Net, layer: str = "a", x: Tensor = X) -> list[int]:
    graph = discover(net.double(), x)
    return next(entry.groups.tolist() for entry in graph.layers if entry.name == layer)


def conv(channels: int, **options) -> nn.Conv1d:
    return nn.Conv1d(channels, 2, 1, **options)


FREE = [1, 2, 3, 4, 5, 6]
HALVES = [1, 2, 3, 1, 2, 3]
NONE = [0] * 6


@pytest.mark.parametrize(
    ("name", "run", "channels", "expected"),
    [
        # elementwise
        ("relu", lambda m, x: F.relu(m.a(x)), 6, FREE),
        ("scalar arithmetic", lambda m, x: 1 - (2 * m.a(x) + 1) / 3, 6, FREE),
        ("in place", lambda m, x: m.a(x).mul_(2).clamp_(-1, 1), 6, FREE),
        ("comparison and where", lambda m, x: torch.where(x[:, :1] > 0, m.a(x), 0.0), 6, FREE),
        ("masked fill", lambda m, x: m.a(x).masked_fill(x[:, :1] > 0, 0.0), 6, FREE),
        ("sum with the input", lambda m, x: m.a(x) + torch.cat([x, x], 1), 6, NONE),
        ("constant along time", lambda m, x: m.a(x) * torch.arange(8), 6, FREE),
        ("constant per batch", lambda m, x: m.a(x) * torch.ones(2, 1, 1), 6, FREE),
        ("sum of itself reversed", lambda m, x: m.a(x) + m.a(x).flip(1), 6, [1, 2, 3, 3, 2, 1]),
        # parts
        ("chunk", lambda m, x: torch.cat(m.a(x).chunk(2, 1)[::-1], 1), 6, HALVES),
        ("chunk in three", lambda m, x: m.a(x).chunk(3, 1)[1], 2, [1, 2, 1, 2, 1, 2]),
        ("unequal chunk", lambda m, x: torch.cat(m.a(x).chunk(4, 1), 1), 6, NONE),
        ("chunk along time", lambda m, x: m.a(x).chunk(2, 2)[1], 6, FREE),
        ("chunk in single units", lambda m, x: torch.cat(m.a(x).chunk(6, 1)[::-1], 1), 6, NONE),
        (
            "all tied",
            lambda m, x: torch.cat([*m.a(x).chunk(2, 1), *m.a(x).chunk(3, 1)], 1),
            12,
            NONE,
        ),
        ("glu", lambda m, x: F.glu(m.a(x), 1), 3, HALVES),
        ("typed split", lambda m, x: m.a(x).split(4, 1)[1], 2, [0, 0, 0, 0, 1, 2]),
        ("typed split list", lambda m, x: m.a(x).split([4, 2], 1)[1], 2, NONE),
        ("half split", lambda m, x: m.a(x).split(m.a.out_channels // 2, 1)[0], 3, HALVES),
        ("slice from", lambda m, x: m.a(x)[:, 2:], 4, [0, 0, 1, 2, 3, 4]),
        ("slice to", lambda m, x: m.a(x)[:, :2], 2, [0, 0, 1, 2, 3, 4]),
        ("slice past the end", lambda m, x: m.a(x)[:, :9], 6, FREE),
        ("slice from the end", lambda m, x: m.a(x)[:, -2:], 2, [1, 2, 3, 4, 0, 0]),
        ("slice without the end", lambda m, x: m.a(x)[:, :-1], 5, [1, 2, 3, 4, 5, 0]),
        ("slice with a step", lambda m, x: m.a(x)[:, ::2], 3, [1, 1, 2, 2, 3, 3]),
        ("slice along time", lambda m, x: m.a(x)[:, :, 1:-1], 6, FREE),
        ("ellipsis slice", lambda m, x: m.a(x)[..., ::2], 6, FREE),
        ("half slice", lambda m, x: m.a(x)[:, : m.a(x).shape[1] // 2], 3, HALVES),
        ("other half", lambda m, x: m.a(x)[:, m.a(x).size(1) // 2 :], 3, HALVES),
        ("narrow", lambda m, x: m.a(x).narrow(1, 1, 2), 2, [0, 0, 0, 1, 2, 3]),
        ("one unit", lambda m, x: m.a(x)[:, 1][:, None], 1, [0, 0, 1, 2, 3, 4]),
        ("unbind", lambda m, x: torch.stack(m.a(x).unbind(1), 1), 6, NONE),
        ("unbind over time", lambda m, x: torch.stack(m.a(x).unbind(2), 2), 6, FREE),
        # joining
        ("cat with the input", lambda m, x: torch.cat([x, m.a(x)], 1), 9, FREE),
        (
            "cat along time",
            lambda m, x: torch.cat([m.a(x), m.a(x).flip(1)], 2),
            6,
            [1, 2, 3, 3, 2, 1],
        ),
        (
            "stack",
            lambda m, x: torch.stack([m.a(x), m.a(x).flip(1)], 1).mean(1),
            6,
            [1, 2, 3, 3, 2, 1],
        ),
        ("repeat", lambda m, x: m.a(x).repeat(1, 2, 1), 12, FREE),
        ("repeat_interleave", lambda m, x: m.a(x).repeat_interleave(2, 1), 12, FREE),
        ("pad time", lambda m, x: F.pad(m.a(x), (1, 2)), 6, FREE),
        ("reflect time", lambda m, x: F.pad(m.a(x), (1, 2), mode="reflect"), 6, FREE),
        ("pad units", lambda m, x: F.pad(m.a(x), (0, 0, 1, 1)), 8, FREE),
        ("zeros before", lambda m, x: torch.cat([torch.zeros_like(m.a(x)), m.a(x)], 2), 6, FREE),
        ("zeros of its size", lambda m, x: m.a(x) + torch.zeros(2, m.a(x).shape[1], 1), 6, FREE),
        ("new zeros", lambda m, x: m.a(x) + x.new_zeros(2, m.a.out_channels, 1), 6, FREE),
        # reshaping
        ("round trip", lambda m, x: m.a(x).flatten(1).view(2, -1, 8), 6, FREE),
        ("typed channels", lambda m, x: m.a(x).view(2, 6, 4, 2).flatten(2), 6, NONE),
        ("follows shape", lambda m, x: m.a(x).view(2, m.a(x).shape[1], 4, 2).flatten(2), 6, FREE),
        ("follows attribute", lambda m, x: m.a(x).view(2, m.a.out_channels, -1), 6, FREE),
        ("typed parts", lambda m, x: m.a(x).view(2, 2, -1, 8).mean(1), 3, HALVES),
        ("typed runs", lambda m, x: m.a(x).view(2, -1, 2, 8).mean(2), 3, [1, 1, 2, 2, 3, 3]),
        ("unflatten", lambda m, x: m.a(x).unflatten(1, (2, -1)).sum(1), 3, HALVES),
        ("both typed", lambda m, x: m.a(x).view(2, 2, 3, 8).mean(1), 3, NONE),
        ("across time", lambda m, x: m.a(x).reshape(2, -1, 16), 3, [1, 1, 2, 2, 3, 3]),
        ("permute", lambda m, x: m.a(x).permute(2, 0, 1).permute(1, 2, 0), 6, FREE),
        ("T and mT", lambda m, x: m.a(x).mT.transpose(1, 2), 6, FREE),
        ("squeeze", lambda m, x: m.a(x).unsqueeze(3).squeeze(3), 6, FREE),
        ("careless squeeze", lambda m, x: m.a(x).squeeze(), 6, [0, 0, 1, 2, 3, 4]),
        ("expand", lambda m, x: m.a(x)[:, :, :1].expand(-1, -1, 8), 6, FREE),
        ("typed expand", lambda m, x: m.a(x)[:, :, :1].expand(2, 6, 8), 6, NONE),
        ("expand as", lambda m, x: m.a(x) * x[:, :1].expand_as(m.a(x)), 6, FREE),
        # along time only
        ("mean over time", lambda m, x: m.a(x).mean(-1, keepdim=True), 6, FREE),
        ("max over time", lambda m, x: m.a(x).max(dim=2, keepdim=True)[0], 6, FREE),
        ("softmax over time", lambda m, x: m.a(x).softmax(2), 6, FREE),
        ("pooling", lambda m, x: F.max_pool1d(m.a(x), 2), 6, FREE),
        ("interpolate", lambda m, x: F.interpolate(m.a(x), scale_factor=2), 6, FREE),
        ("windows", lambda m, x: m.a(x).unfold(2, 4, 2).mean(3), 6, FREE),
        ("time matrix", lambda m, x: m.a(x) @ torch.ones(8, 4).double(), 6, FREE),
        ("index over time", lambda m, x: m.a(x)[:, :, torch.tensor([0, 3, 1])], 6, FREE),
        # sizes
        ("size in arithmetic", lambda m, x: m.a(x) / m.a(x).shape[1] ** 0.5, 6, NONE),
        ("size compared", lambda m, x: m.a(x) if m.a(x).shape[1] == 6 else x, 6, NONE),
        (
            "attribute compared",
            lambda m, x: m.a(x) if m.a.out_channels > 2 else x,
            6,
            [0, 0, 0, 1, 2, 3],
        ),
        ("asserted even", lambda m, x: (m.a(x).shape[1] % 2 or 1) * m.a(x), 6, HALVES),
        ("size as a number", lambda m, x: m.a(x)[:, : int(m.a(x).shape[1]) // 2], 3, NONE),
        ("size of the weight", lambda m, x: m.a(x)[:, : m.a.weight.shape[0] // 2], 3, HALVES),
        (
            "product of sizes",
            lambda m, x: m.a(x).reshape(2, m.a(x).shape[1] * 8, 1)[:, :, 0].reshape(2, -1, 8),
            6,
            FREE,
        ),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_groups_of_six_units(name, run, channels, expected, assert_equivalence):
    net = Net(lambda m, x: m.b(run(m, x)), b=conv(channels))
    assert groups(net) == expected
    assert_equivalence(net, X)


def test_residual_sum_binds_two_layers(assert_equivalence):
    net = Net(lambda m, x: m.c(m.a(x) + m.b(x)), b=nn.Conv1d(3, 6, 1), c=conv(6))
    assert groups(net, "a") == groups(net, "b") == FREE
    assert_equivalence(net, X)


def test_outputs_and_protected_layers_keep_all_units():
    net = Net(
        lambda m, x: {"one": m.a(x), "two": [(m.c(m.b(x)),)]}, b=nn.Conv1d(3, 4, 1), c=conv(4)
    )
    graph = discover(net.double(), X)
    assert [layer.groups.tolist() for layer in graph.layers] == [NONE, [1, 2, 3, 4], [0, 0]]
    assert graph.layers[0].pinned_because == "it is an output of the network"
    kept = discover(net, X, protect=["b"])
    assert kept.group_count == 1
    assert kept.layers[1].pinned_because == "b is protected"


def test_what_is_added_to_a_protected_layer_stays_because_of_that():
    net = Net(lambda m, x: m.c(m.a(x).relu() + m.b(x)), b=nn.Conv1d(3, 6, 1), c=conv(6))
    graph = discover(net.double(), X, protect=["a"])
    why = {layer.name: layer.pinned_because for layer in graph.layers}
    assert why["a"] == "a is protected"
    assert why["b"] == "it is combined by add in the network (Net) with what stays: a is protected"


def test_reasons_name_operation_and_module():
    net = Net(lambda m, x: m.b(m.a(x).view(2, 6, -1)), b=conv(6))
    reason = discover(net.double(), X).layers[0].pinned_because
    assert reason == "the code fixes the size 6 in view in the network (Net)"


def test_single_unit_is_immortal(assert_equivalence):
    net = Net(lambda m, x: m.c(m.a(x) * m.b(x)), b=nn.Conv1d(3, 1, 1), c=conv(6))
    assert groups(net) == FREE
    assert groups(net, "b") == [0]
    assert_equivalence(net, X)


def test_depthwise_shrinks_groups_and_binds_multiples(assert_equivalence):
    net = Net(lambda m, x: m.c(m.b(m.a(x))), b=nn.Conv1d(6, 12, 3, groups=6), c=conv(12))
    assert groups(net, "b") == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]
    graph = assert_equivalence(net, X)
    assert graph.slices["b.weight"][1] is None
    # 2 examples were traced; per example 6 time steps × 3 taps × 12 channels, and so on.
    assert graph.macs(graph.all_kept()) == 8 * 3 * 6 + 6 * 3 * 12 + 6 * 12 * 2


def test_grouped_convolution_binds_positions(assert_equivalence):
    net = Net(lambda m, x: m.c(m.b(m.a(x))), b=nn.Conv1d(6, 4, 1, groups=2), c=conv(4))
    assert groups(net) == HALVES
    assert groups(net, "b") == [4, 5, 4, 5]
    assert_equivalence(net, X)


def test_grouped_transposed_convolution(assert_equivalence):
    net = Net(lambda m, x: m.c(m.b(m.a(x))), b=nn.ConvTranspose1d(6, 4, 2, 2, groups=2), c=conv(4))
    graph = assert_equivalence(net, X)
    assert graph.slices["b.weight"][0].tolist() == HALVES
    assert graph.slices["b.weight"][1].tolist() == [4, 5]
    weight = net.b.weight.detach()
    rows = graph.unit_weights(graph.layers[1], {"b.weight": weight})
    # Output channel 3 belongs to part 1, position 1: inputs 3, 4, 5.
    assert torch.equal(rows[3], weight[3:6, 1].flatten())


@pytest.mark.parametrize("affine", [True, False])
def test_norms_follow_their_units(affine, assert_equivalence):
    net = Net(
        lambda m, x: m.c(m.g(m.i(m.n(m.a(x))))),
        n=nn.BatchNorm1d(6, affine=affine),
        i=nn.InstanceNorm1d(6, affine=affine),
        g=nn.GroupNorm(3, 6, affine=affine),
        c=conv(6),
    )
    graph = assert_equivalence(net, X)
    assert graph.layers[0].groups.tolist() == [1, 2, 1, 2, 1, 2]
    assert graph.normalisation_of("a") == ("n" if affine else None)


def test_normalisation_that_follows_an_activation_counts_a_merged_one_does_not():
    net = Net(
        lambda m, x: m.c(m.m(m.n(F.relu(m.a(x))) + m.b(x))),
        b=nn.Conv1d(3, 6, 1),
        n=nn.BatchNorm1d(6),
        m=nn.BatchNorm1d(6),
        c=conv(6),
    )
    graph = discover(net.double(), X)
    assert graph.normalisation_of("a") == "n"
    assert graph.normalisation_of("b") is None


def test_layer_norm_over_units_and_time(assert_equivalence):
    net = Net(lambda m, x: m.c(m.n(m.a(x))), n=nn.LayerNorm([6, 8]), c=conv(6))
    graph = assert_equivalence(net, X)
    assert graph.slices["n.weight"][0].tolist() == FREE
    assert graph.slices["n.weight"][1] is None


def test_prelu_and_loose_parameters(assert_equivalence):
    net = Net(
        lambda m, x: m.c(m.p(m.a(x)) * m.s.view(1, -1, 1) + m.t[:, None] * m.w + m.u),
        p=nn.PReLU(6),
        s=nn.Parameter(torch.rand(6)),
        t=nn.Parameter(torch.rand(6)),
        w=torch.rand(8),
        u=nn.Parameter(torch.rand(6, 8)),
        c=conv(6),
    )
    graph = assert_equivalence(net, X)
    for name in ("p.weight", "s", "t", "u"):
        assert graph.slices[name][0].tolist() == FREE, name
    assert graph.slices["w"] == (None,)
    assert graph.slices["u"][1] is None


def test_position_embedding_is_cut_along_its_features_only(assert_equivalence):
    net = Net(
        lambda m, x: m.c((m.a(x).mT + m.position[: x.size(2)]).mT),
        position=nn.Parameter(torch.rand(20, 6)),
        c=conv(6),
    )
    graph = assert_equivalence(net, X)
    assert graph.slices["position"][0] is None
    assert graph.slices["position"][1].tolist() == FREE


def test_flatten_gives_each_column_its_unit(assert_equivalence):
    net = Net(lambda m, x: m.c(m.a(x).flatten(1)), c=nn.Linear(48, 2))
    graph = assert_equivalence(net, X)
    assert graph.slices["c.weight"][1].tolist() == np.repeat(FREE, 8).tolist()


def test_flatten_time_first(assert_equivalence):
    net = Net(lambda m, x: m.c(m.a(x).transpose(1, 2).reshape(2, -1)), c=nn.Linear(48, 2))
    graph = assert_equivalence(net, X)
    assert graph.slices["c.weight"][1].tolist() == FREE * 8


def test_linear_per_unit_keeps_its_own_units(assert_equivalence):
    """A linear layer over time serves every unit alike, so its rows cannot belong to one."""
    net = Net(lambda m, x: m.c(m.t(m.a(x))), t=nn.Linear(8, 5), c=conv(6))
    graph = assert_equivalence(net, X)
    assert graph.layers[1].groups.tolist() == [0] * 5
    assert "once per unit" in graph.layers[1].pinned_because
    assert graph.macs(graph.all_kept()) == 8 * 3 * 6 + 6 * 8 * 5 + 5 * 6 * 2


def test_convolution_with_units_in_the_batch(assert_equivalence):
    net = Net(
        lambda m, x: m.c(m.t(m.a(x).reshape(-1, 1, 8)).reshape(2, -1, 8)),
        t=nn.Conv1d(1, 2, 3, padding=1),
        c=conv(12),
    )
    graph = assert_equivalence(net, X)
    assert graph.layers[0].groups.tolist() == FREE
    assert graph.slices["c.weight"][1].tolist() == np.repeat(FREE, 2).tolist()


def test_parameter_product_is_a_linear_layer(assert_equivalence):
    net = Net(
        lambda m, x: m.c((m.a(x).mT @ m.w).relu().mT), w=nn.Parameter(torch.rand(6, 5)), c=conv(5)
    )
    graph = assert_equivalence(net, X)
    assert [layer.name for layer in graph.layers] == ["a", "w", "c"]
    assert graph.layers[1].groups.tolist() == [7, 8, 9, 10, 11]


def test_shared_convolution_binds_its_inputs_and_outputs(assert_equivalence):
    net = Net(lambda m, x: m.c(m.b(F.relu(m.b(m.a(x))))), b=nn.Conv1d(6, 6, 1), c=conv(6))
    assert groups(net) == groups(net, "b") == FREE
    graph = assert_equivalence(net, X)
    assert graph.parameters(graph.all_kept()) == (18 + 6) + (36 + 6) + (12 + 2)


def test_tied_weights_of_embedding_and_decoder(assert_equivalence):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(7, 5)
            self.hidden = nn.Linear(5, 5)
            self.decoder = nn.Linear(5, 7, bias=False)
            self.decoder.weight = self.embedding.weight

        def forward(self, x):
            return self.decoder(self.hidden(self.embedding(x)).relu())

    indices = torch.tensor([[1, 2, 6]])
    graph = assert_equivalence(Tied(), indices)
    # One tensor is read row-wise as embedding and column-wise as decoder.
    assert graph.layers[0].groups.tolist() == graph.layers[1].groups.tolist() == [1, 2, 3, 4, 5]
    assert graph.parameters(graph.all_kept()) == 35 + 30
    assert graph.slices["embedding.weight"][1].tolist() == [1, 2, 3, 4, 5]
    assert graph.slices["decoder.weight"][1].tolist() == [1, 2, 3, 4, 5]


def test_cat_sizes_follow_both_parts(assert_equivalence):
    def run(m, x):
        one, two = m.a(x), m.b(x)
        both = torch.cat([one, two], 1)
        first, second = both.split([one.shape[1], two.shape[1]], 1)
        third = both[:, one.shape[1] :]
        return m.c(torch.cat([second, third, first], 1))

    net = Net(run, b=nn.Conv1d(3, 4, 1), c=conv(14))
    graph = assert_equivalence(net, X)
    assert graph.group_count == 11


def test_two_dimensional_frequency_merge(assert_equivalence):
    def run(m, x):
        y = F.max_pool2d(m.b(m.a2(x.unsqueeze(1)).relu()), (1, 2))
        n, c, f, t = y.shape
        return m.c(y.permute(0, 3, 1, 2).reshape(n, t, c * f))

    net = Net(
        run, a2=nn.Conv2d(1, 4, 3, padding=1), b=nn.Conv2d(4, 5, 3, padding=1), c=nn.Linear(15, 2)
    )
    graph = assert_equivalence(net, X)
    assert graph.slices["c.weight"][1].tolist() == np.repeat([5, 6, 7, 8, 9], 3).tolist()


def test_zero_padded_shortcut_pins_what_it_meets(assert_equivalence):
    """The parameter-free shortcut of residual networks adds constants to some units."""
    net = Net(
        lambda m, x: m.c(F.pad(m.a(x), (0, 0, 1, 1)) + m.b(x)), b=nn.Conv1d(3, 8, 1), c=conv(8)
    )
    assert groups(net, "b") == [0, 1, 2, 3, 4, 5, 6, 0]
    assert_equivalence(net, X)


def test_shapes_that_must_stay_equal(assert_equivalence):
    net = Net(
        lambda m, x: m.c(m.a(x) + m.b(x) if m.a(x).shape == m.b(x).shape else m.a(x)),
        b=nn.Conv1d(3, 6, 1),
        c=conv(6),
    )
    assert groups(net, "b") == FREE
    assert_equivalence(net, X)


def test_discover_leaves_the_network_as_it_was():
    net = Net(lambda m, x: m.c(m.n(m.a(x))), n=nn.BatchNorm1d(6), c=conv(6)).double()
    net.train()
    net.n.eval()
    net.a.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    discover(net, X)
    assert net.training
    assert not net.n.training
    assert not net.a.weight.requires_grad
    assert net.c.weight.requires_grad
    assert type(net.a.out_channels) is int
    assert type(net.n.num_features) is int
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert discover(net, X).layers[0].groups.tolist() == FREE


def test_unit_weights_leave_biases_out():
    net = Net(
        lambda m, x: m.c(m.r(m.a(x).mT)[0]), r=nn.GRU(6, 4, batch_first=True), c=nn.Linear(4, 2)
    )
    graph = discover(net.double(), X)
    tensors = dict(net.named_parameters())
    assert torch.equal(graph.unit_weights(graph.layers[0], tensors), net.a.weight.flatten(1))
    rows = graph.unit_weights(graph.layers[1], tensors)
    assert rows.shape == (4, 3 * (6 + 4))
    # Unit 1: its reset, update and new-gate rows of W_ih, then those of W_hh.
    expected = torch.cat(
        [net.r.weight_ih_l0[[1, 5, 9]].flatten(), net.r.weight_hh_l0[[1, 5, 9]].flatten()]
    )
    assert torch.equal(rows[1], expected)
