"""Low rank: factors worked out by hand, ranks that a budget leaves, and networks as they were."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mirtrim.counting.operations import macs
from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.low_rank import Factorable, choose_ranks, factorable, factored
from mirtrim.training.initialise import initialise
from mirtrim.units.pairs import LayerPair
from mirtrim.utils.errors import RatioError


def linear(weight: list[list[float]], bias: list[float]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.bias.copy_(torch.tensor(bias))
    return layer


def test_the_factors_of_a_matrix_by_hand() -> None:
    """[[0, 4, 0], [9, 0, 0]] has singular values 9 and 4, of (row 2, column 1) and (1, 2)."""
    layer = linear([[0, 4, 0], [9, 0, 0]], [1.0, 2.0])
    first, second = factored(layer, 1)
    assert first.weight.abs().flatten().tolist() == pytest.approx([3, 0, 0])
    assert second.weight.abs().flatten().tolist() == pytest.approx([0, 3])
    assert (second.weight @ first.weight).flatten().tolist() == pytest.approx([0, 0, 0, 9, 0, 0])
    assert first.bias is None
    assert second.bias.tolist() == [1.0, 2.0]
    both = factored(layer, 2)
    assert both(torch.tensor([[1.0, 10, 100]])).flatten().tolist() == pytest.approx([41.0, 11.0])


def test_a_convolution_becomes_filters_with_its_kernel_and_a_mixture() -> None:
    layer = nn.Conv2d(3, 8, (5, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))
    first, second = factored(layer, 4)
    assert tuple(first.weight.shape) == (4, 3, 5, 2)
    assert tuple(second.weight.shape) == (8, 4, 1, 1)
    assert (first.stride, first.padding, first.dilation) == ((2, 1), (1, 0), (1, 2))
    assert (second.stride, second.padding, second.dilation) == ((1, 1), (0, 0), (1, 1))
    assert first.bias is None


LAYERS = st.one_of(
    st.tuples(st.just(nn.Linear), st.integers(1, 9), st.integers(1, 9), st.just({})),
    st.tuples(
        st.sampled_from([nn.Conv1d, nn.Conv2d]),
        st.integers(1, 5),
        st.integers(1, 9),
        st.fixed_dictionaries(
            {
                "kernel_size": st.integers(1, 3),
                "stride": st.integers(1, 2),
                "padding": st.integers(0, 1),
                "dilation": st.integers(1, 2),
                "padding_mode": st.sampled_from(["zeros", "circular"]),
            }
        ),
    ),
)


@settings(deadline=None)
@given(LAYERS, st.booleans(), st.integers(0, 1000))
def test_at_full_rank_a_layer_computes_what_it_did(
    chosen: tuple[Any, int, int, dict[str, Any]], bias: bool, seed: int
) -> None:
    kind, inputs, outputs, options = chosen
    torch.manual_seed(seed)
    layer = kind(inputs, outputs, bias=bias, **options)
    axes = {nn.Linear: (), nn.Conv1d: (7,), nn.Conv2d: (7, 6)}[kind]
    x = torch.randn(2, *((4, inputs) if kind is nn.Linear else (inputs, *axes)))
    full = min(outputs, layer.weight[0].numel())
    torch.testing.assert_close(factored(layer, full)(x), layer(x), atol=1e-5, rtol=0)


def test_no_other_matrix_of_that_rank_is_nearer() -> None:
    """Eckart and Young: what is missing is the root of the squares of the values left out."""
    torch.manual_seed(0)
    layer = nn.Conv1d(4, 6, 3)
    values = torch.linalg.svdvals(layer.weight.flatten(1).detach())
    for rank in range(1, 7):
        first, second = factored(layer, rank)
        near = second.weight.flatten(1) @ first.weight.flatten(1)
        missing = torch.linalg.norm(near.detach() - layer.weight.detach().flatten(1))
        assert missing.item() == pytest.approx(values[rank:].norm().item(), abs=1e-5)
    for rank in (0, 7):
        with pytest.raises(ValueError, match=f"rank {rank} of a layer whose full rank is 6"):
            factored(layer, rank)


def layer(whole: int, per_rank: int, *values: float) -> Factorable:
    return Factorable(whole, per_rank, torch.tensor(values, dtype=torch.float64))


def test_ranks_are_one_share_of_every_full_rank() -> None:
    """Full ranks 4 and 2: the steps lie at shares 3/8 (a), 5/8 (a), 3/4 (b), 7/8 (a)."""
    layers = {"a": layer(100, 10, 4, 3, 2, 1), "b": layer(100, 1, 9, 8)}
    found = [choose_ranks(layers, room) for room in (11, 20, 21, 31, 32, 41, 42, 1000)]
    assert [list(f.values()) for f in found] == [
        [1, 1], [1, 1], [2, 1], [3, 1], [3, 2], [3, 2], [4, 2], [4, 2]
    ]  # fmt: skip
    with pytest.raises(RatioError, match=r"cannot get below 11 \(target: 10\)"):
        choose_ranks(layers, 10)


def test_one_ranking_goes_by_the_share_of_the_energy_of_a_layer() -> None:
    """Energies: a 100, 36 and 25 of 161, b 1, 0.81 and 0.04 of 1.85: 0.22, 0.16; 0.44, 0.02.

    By singular values alone, all of a would come before any of b.
    """
    layers = {"a": layer(99, 1, 10, 6, 5), "b": layer(99, 1, 1, 0.9, 0.2)}
    found = [choose_ranks(layers, room, "global") for room in (2, 3, 4, 5, 6)]
    assert [list(f.values()) for f in found] == [[1, 1], [1, 2], [2, 2], [3, 2], [3, 3]]


def test_a_layer_counts_no_more_than_it_did() -> None:
    """From rank 3 on two layers would count 30 instead of 25: it stays one, at no cost."""
    one = layer(25, 10, 3, 2, 1)
    assert [one.size(rank) for rank in (1, 2, 3)] == [10, 20, 25]
    assert [one.saves(rank) for rank in (1, 2, 3)] == [True, True, False]
    assert choose_ranks({"a": one}, 25) == {"a": 3}
    assert not layer(10, 10, 1).saves(1)  # as many is no saving


class Small(nn.Module):
    """Two convolutions, one over groups, a weight in two places, two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 6, 3, padding=1)
        self.grouped = nn.Conv1d(6, 6, 3, groups=3)
        self.tied = nn.Linear(4, 4)
        self.again = nn.Linear(4, 4)
        self.again.weight = self.tied.weight
        self.hidden = nn.Linear(24, 10)
        self.output = nn.Linear(10, 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.grouped(self.conv(x).relu()).relu()
        x = self.hidden(self.again(self.tied(x)).flatten(1))
        return self.output(x.relu())  # type: ignore[no-any-return]


def test_what_is_grouped_or_tied_stays_and_counts_are_those_of_the_layers() -> None:
    """conv: 36 weights at 6 positions, of rank 1 12 each; hidden: 240, of rank 1 34."""
    network = Small().eval()
    found, rest = factorable(network, torch.zeros(1, 2, 6), "parameters")
    sizes = {name: (one.whole, one.per_rank, one.full_rank) for name, one in found.items()}
    assert sizes == {"conv": (36, 12, 6), "hidden": (240, 34, 10)}
    # biases 6 + 6 + 4 + 4 + 10, grouped 6 · 2 · 3, tied 16
    assert rest == 30 + 36 + 16 + 20  # and the output, which stays whole
    found, rest = factorable(network, torch.zeros(3, 2, 6), "macs")
    sizes = {name: (one.whole, one.per_rank, one.full_rank) for name, one in found.items()}
    assert sizes == {"conv": (216, 72, 6), "hidden": (240, 34, 10)}
    # four positions; two layers at six channels; the output
    assert rest == 4 * 36 + 2 * 6 * 16 + 20


NETWORKS = {
    "chord": (lambda: ChordConvNet(widths=(6, 6, 8), hidden=40), torch.zeros(1, 1, 105, 15)),
    "onset": (
        lambda: SpectralCNN(frames=10, mel_bins=8, channels=8, hidden=32),
        torch.zeros(1, 1, 8, 10),
    ),
}


@pytest.mark.parametrize(
    ("name", "budget", "scope"),
    list(itertools.product(NETWORKS, ("parameters", "macs"), ("local", "global"))),
)
def test_a_network_meets_its_budget_with_its_counted_size(
    name: str, budget: str, scope: str
) -> None:
    make, example = NETWORKS[name]
    method = get_method("low_rank")
    chosen = settings_of({"method": "low_rank", "budget": budget, "scope": scope})

    def trained() -> nn.Module:
        network = make()
        initialise(network, torch.Generator().manual_seed(0))
        return network

    dense = trained()
    sizes = {"parameters": sum(p.numel() for p in dense.parameters()), "macs": macs(dense, example)}
    highest = method.highest_ratio(dense, example, chosen)
    assert not any(isinstance(module, LayerPair) for module in dense.modules())
    assert dense.training

    def size(ratio: float) -> float:
        current = Round(ratio, sizes, example, {"generator": torch.Generator()})
        found = method.prepare(Ticket(trained(), {}), chosen, current).network
        left = {"parameters": sum(p.numel() for p in found.parameters())}
        left["macs"] = macs(found, example)
        return left[budget] / sizes[budget]

    for ratio in (2.0, 3.0):
        assert 0.7 / ratio < size(ratio) <= 1 / ratio
    assert size(highest * 0.9999) == pytest.approx(1 / highest)
    with pytest.raises(RatioError, match="rank of 1 per layer"):
        size(highest * 1.01)


def test_the_weights_are_those_of_the_trained_network() -> None:
    """At ratio 1 nothing is factored; and the network without a pair is the trained one."""
    make, example = NETWORKS["onset"]
    network = make().eval()
    sizes = {"parameters": sum(p.numel() for p in network.parameters()), "macs": 1}
    x = torch.randn(2, *example.shape[1:])
    expected = network(x)
    chosen = settings_of({"method": "low_rank"})
    current = Round(1.0, sizes, example, {"generator": torch.Generator()})
    same = get_method("low_rank").prepare(Ticket(network, {}), chosen, current).network
    assert torch.equal(same(x), expected)
    assert get_method("low_rank").start == "dense"
    assert chosen.name == "low_rank_local"
