"""Selections with literal scores: who goes, and how exactly a target is met."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.utils import parametrizations

import mirtrim
from mirtrim.pruning.kernel_widths import choose_packs
from mirtrim.pruning.selection import (
    blocks,
    choose_units,
    filled,
    group_scores,
    largest_holders,
    macs_of_groups,
    ordered,
    smallest_cut,
)
from mirtrim.pruning.weight_selection import choose_weights
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError, RatioError


def chain() -> nn.Module:
    """3 → 4 → 6 → 2: parameters 16 + 30 + 14 = 60."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


GRAPH = discover(chain(), torch.zeros(1, 3))


def scores(first: list[float], second: list[float]) -> dict[str, torch.Tensor]:
    return {"0": torch.tensor(first), "2": torch.tensor(second), "4": torch.zeros(2)}


def kept(keep: np.ndarray, layer: int) -> list[int]:
    return np.flatnonzero(keep[GRAPH.layers[layer].groups]).tolist()


UNIT_SCORES = scores([1, 4, 3, 2], [60, 50, 10, 40, 30, 20])


def test_scale_max_divides_by_the_largest_score_of_the_layer() -> None:
    values = group_scores(GRAPH, UNIT_SCORES, "max")
    assert values[0] == np.inf
    np.testing.assert_allclose(values[GRAPH.layers[0].groups], [0.25, 1, 0.75, 0.5])
    np.testing.assert_allclose(values[GRAPH.layers[1].groups], np.array([6, 5, 1, 4, 3, 2]) / 6)


def test_scale_fan_in_divides_by_incoming_weights() -> None:
    values = group_scores(GRAPH, UNIT_SCORES, "fan_in", chain().state_dict())
    np.testing.assert_allclose(values[GRAPH.layers[0].groups], np.array([1, 4, 3, 2]) / 3)
    np.testing.assert_allclose(values[GRAPH.layers[1].groups], np.array([6, 5, 1, 4, 3, 2]) * 2.5)


def test_scale_macs_divides_by_what_a_unit_costs() -> None:
    """Scaled to the largest of their layer, then by 3 + 6 and 4 + 2 multiply-accumulates."""
    values = group_scores(GRAPH, UNIT_SCORES, "macs")
    np.testing.assert_allclose(values[GRAPH.layers[0].groups], np.array([0.25, 1, 0.75, 0.5]) / 9)
    np.testing.assert_allclose(values[GRAPH.layers[1].groups], np.array([6, 5, 1, 4, 3, 2]) / 6 / 6)


def test_local_scope_keeps_the_same_share_of_every_layer() -> None:
    # 2 and 3 units: 3·2+2 + 2·3+3 + 3·2+2 = 25 parameters; 2 and 4: 8 + 12 + 10 = 30.
    keep = choose_units(GRAPH, group_scores(GRAPH, UNIT_SCORES, "max"), 29, scope="local")
    assert (kept(keep, 0), kept(keep, 1)) == ([1, 2], [0, 1, 3])
    assert GRAPH.parameters(keep) == 25


def test_what_still_fits_comes_back() -> None:
    """From 2 and 3 units, 25 parameters: 2 and 4 have 30, 3 and 4 have 38, 3 and 5 have 44, 4 and 4
    have 46."""
    values = group_scores(GRAPH, UNIT_SCORES, "max")
    keep = choose_units(GRAPH, values, 29)
    more = filled(GRAPH, values, keep, 40)
    assert (kept(more, 0), kept(more, 1)) == ([1, 2, 3], [0, 1, 3, 4])
    assert GRAPH.parameters(keep) == 25
    # By score instead of share: 0.5 (either layer's), then the second's 0.33 and 0.17.
    ranked = filled(GRAPH, values, keep, 36, scope="global")
    assert (kept(ranked, 0), kept(ranked, 1)) == ([1, 2, 3], [0, 1, 3])
    # A tenth below the target is no miss.
    assert filled(GRAPH, values, keep, 27.5) is keep


def test_global_scope_ranks_all_layers_together() -> None:
    # Unscaled, the second layer's scores are all larger: the first falls to its minimum_units.
    keep = choose_units(GRAPH, group_scores(GRAPH, UNIT_SCORES, "none"), 38, scope="global")
    assert (kept(keep, 0), kept(keep, 1)) == ([1, 2], [0, 1, 3, 4, 5])
    assert GRAPH.parameters(keep) == 8 + 15 + 12


def test_target_above_the_network_keeps_everything() -> None:
    keep = choose_units(GRAPH, group_scores(GRAPH, UNIT_SCORES, "max"), 60)
    assert keep.all()


def test_target_below_the_minimum_units_is_an_error_that_names_the_limit() -> None:
    # 2 and 2 units: 8 + 6 + 6 = 20 parameters, ratio 3.
    assert GRAPH.parameters(smallest_cut(GRAPH, 2)) == 20
    with pytest.raises(RatioError, match=r"cannot get below 20 .*largest ratio from here: 3.00"):
        choose_units(GRAPH, group_scores(GRAPH, UNIT_SCORES, "max"), 19)


class Skip(nn.Module):
    """One layer makes a residual stream of four units and three that are normalised apart.

    Parameters: 3·7 + 7 = 28, 3·4 + 4 = 16, 3 + 3 = 6, 4·1 + 1 = 5 and 3·1 + 1 = 4, 59 in all.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.both, self.more = nn.Linear(3, 7), nn.Linear(3, 4)
        self.norm = nn.LayerNorm(3)
        self.stream, self.skip = nn.Linear(4, 1), nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both, more = self.both(x), self.more(x)
        stream, skip = both[:, : more.shape[-1]], both[:, more.shape[-1] :]
        return self.stream(more + stream) + self.skip(self.norm(skip))


@pytest.mark.parametrize("scope", ["local", "global"])
def test_no_tensor_is_left_empty(scope: str) -> None:
    """The two best of the seven are of the stream; the best of the other three stays as well."""
    graph = discover(Skip(), torch.zeros(1, 3))
    (both,) = (layer.groups for layer in graph.layers if layer.name == "both")
    values = np.zeros(graph.group_count)
    values[both] = [9, 8, 7, 6, 1, 3, 2]
    # 3·3 + 3 = 12, 3·2 + 2 = 8, 2, 3 and 2 parameters.
    assert graph.parameters(smallest_cut(graph, 2)) == 27
    keep = choose_units(graph, values, 27, scope=scope)
    assert np.flatnonzero(keep[both]).tolist() == [0, 1, 5]
    assert graph.parameters(keep) == 27
    with pytest.raises(RatioError, match="cannot get below 27"):
        choose_units(graph, values, 26, scope=scope)
    packs = choose_packs(graph, values, 27, multiple_of=2, scope=scope)
    assert np.flatnonzero(packs[both]).tolist() == [0, 1, 5]


class Mixed(nn.Module):
    """Parameters of layers: 16, 30, 35, 12; one layer and one bare parameter are not used."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 6)
        self.third, self.last = nn.Linear(6, 5), nn.Linear(5, 2)
        self.spare, self.gain = nn.Linear(1, 5), nn.Parameter(torch.ones(9))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.third(self.second(self.first(x).relu()).relu()).relu())


def test_the_three_that_hold_most_are_named_with_reasons() -> None:
    """After a cut to two units: 8, 6, 6 and 6, and what is not used stays as it is."""
    graph = discover(Mixed(), torch.zeros(1, 3))
    assert largest_holders(graph, graph.all_kept()) == "third (35), second (30), first (16)"
    assert largest_holders(graph, smallest_cut(graph, 2)) == (
        "spare (10: not reached by the example), gain (9: not reached by the example), first (8)"
    )
    pinned = discover(nn.Sequential(nn.Linear(3, 900), nn.Linear(900, 2)), torch.zeros(1, 3))
    assert largest_holders(pinned, smallest_cut(pinned, 900)) == (
        "0 (3,600), 1 (1,802: it is an output of the network)"
    )


@pytest.mark.parametrize("norm", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_a_layer_that_cannot_be_followed_has_the_reason_of_the_note(norm) -> None:
    net = nn.Sequential(nn.Linear(3, 8), norm(nn.Linear(8, 40)), nn.Linear(40, 2))
    with pytest.raises(RatioError) as caught:
        mirtrim.trim(net, torch.zeros(1, 3), 50)
    (note,) = discover(net, torch.zeros(1, 3)).notes
    why = "its weight (40, 8) is computed in a way that cannot be followed"
    assert note.endswith(f"not listed: {why}")
    assert re.search(rf"1\S* \(3[26]0: {re.escape(why)}\)", str(caught.value))


def test_units_of_a_wide_layer_count_by_their_incoming_weights_only_if_these_are_known() -> None:
    with pytest.raises(ValueError, match="needs the weights"):
        group_scores(GRAPH, UNIT_SCORES, "fan_in")


def test_silent_layers_are_scaled_to_nothing() -> None:
    """0 of 0 is 0: a layer whose units all score 0 ranks behind every other."""
    values = group_scores(GRAPH, scores([0.0] * 4, [-2.0] * 6), "max")
    assert values[GRAPH.layers[0].groups].tolist() == [0] * 4
    assert values[GRAPH.layers[1].groups].tolist() == [-1] * 6


def test_orders() -> None:
    values = np.array([1.0, -2.0])
    assert ordered(values, "lowest_first").tolist() == [1, -2]
    assert ordered(values, "shuffled").tolist() == [1, -2]
    assert ordered(values, "highest_first").tolist() == [-1, 2]
    with pytest.raises(ConfigError, match="unknown order 'last'"):
        ordered(values, "last")


def test_two_units_of_every_layer_stay_unless_more_are_asked_for() -> None:
    values = group_scores(GRAPH, UNIT_SCORES, "max")
    for scope in ("local", "global"):
        assert GRAPH.parameters(choose_units(GRAPH, values, 20, scope=scope)) == 20
        with pytest.raises(RatioError, match="a minimum of 2 units per layer"):
            choose_units(GRAPH, values, 19, scope=scope)
        # One and one: 4 + 2 + 4.
        keep = choose_units(GRAPH, values, 10, scope=scope, minimum_units=1)
        assert (kept(keep, 0), kept(keep, 1)) == ([1], [0])


def test_size_may_be_macs() -> None:
    keep = choose_units(
        GRAPH, group_scores(GRAPH, UNIT_SCORES, "max"), 20, size=GRAPH.macs, scope="local"
    )
    assert GRAPH.macs(keep) == 3 * 2 + 2 * 3 + 3 * 2


def test_layers_tied_by_a_residual_sum_are_one_block() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 4)
            self.apart, self.last = nn.Linear(4, 5), nn.Linear(5, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x)
            return self.last(self.apart(y + self.second(y)))

    graph = discover(Residual(), torch.zeros(1, 3))
    assert sorted(len(block) for block in blocks(graph)) == [4, 5]
    # A group of two units is scored by their mean.
    tied = {"first": [1.0, 2, 3, 4], "second": [3.0, 2, 1, 0], "apart": [5.0] * 5, "last": [0.0]}
    values = group_scores(graph, {n: torch.tensor(v) for n, v in tied.items()}, "none")
    assert values[graph.layers[0].groups].tolist() == [2, 2, 2, 2]
    assert {float(value) for value in values[1:]} == {2, 5}


def test_layers_that_are_tied_through_a_third_are_one_block() -> None:
    """A wide layer is multiplied by two narrow ones side by side: none of them is free."""

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.left, self.right = nn.Linear(3, 8), nn.Linear(3, 5), nn.Linear(3, 3)
            self.last = nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.wide(x) * torch.cat([self.left(x), self.right(x)], dim=1))

    graph = discover(Gated(), torch.zeros(1, 3))
    (block,) = blocks(graph)
    assert sorted(block.tolist()) == list(range(1, graph.group_count))
    assert len(block) == 8


@pytest.mark.parametrize("bad", [[1.0, 2.0], [1, 2, 3, float("nan")]])
def test_scores_of_wrong_length_or_not_finite_are_errors(bad: list[float]) -> None:
    with pytest.raises(ConfigError, match="layer 0: a criterion must give 4 finite scores"):
        group_scores(GRAPH, scores(bad, [1.0] * 6), "none")


def test_unknown_names_are_errors() -> None:
    values = group_scores(GRAPH, UNIT_SCORES, "none")
    with pytest.raises(ConfigError, match="unknown scope 'both'"):
        choose_units(GRAPH, values, 30, scope="both")
    with pytest.raises(ConfigError, match="unknown scale 'loud'"):
        group_scores(GRAPH, UNIT_SCORES, "loud")


SCORES = {"a": torch.tensor([[1.0, 9.0], [8.0, 2.0]]), "b": torch.arange(8.0) / 10}
MASKS = {"a": torch.ones(2, 2, dtype=torch.bool), "b": torch.ones(8, dtype=torch.bool)}


def test_local_weights_keep_the_same_share() -> None:
    masks = choose_weights(SCORES, MASKS, 6)
    assert masks["a"].tolist() == [[False, True], [True, False]]
    assert masks["b"].tolist() == [False] * 4 + [True] * 4


def test_global_weights_keep_the_best() -> None:
    masks = choose_weights(SCORES, MASKS, 5, scope="global")
    assert masks["a"].all()
    assert masks["b"].tolist() == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("sizes", "target", "counts"),
    [
        pytest.param((4, 2), 3, (2, 1), id="half of each"),
        # Just below a share of 0.4 there is one of each; at 0.4 both fives have a second one.
        pytest.param((2, 5, 5), 4, (1, 2, 1), id="one is left, for the first that is due"),
        pytest.param((7, 5, 5), 5, (2, 2, 1), id="and not for a larger tensor"),
        pytest.param((5, 5, 5), 5, (2, 2, 1), id="two are left, for one tensor each"),
        pytest.param((1, 5, 5), 10, (1, 5, 4), id="not for a tensor that is whole"),
        pytest.param((0, 3, 2, 1, 3), 8, (0, 3, 2, 1, 2), id="nor for one of a single weight"),
        pytest.param((0, 3, 1), 2, (0, 1, 1), id="nothing of nothing"),
        pytest.param((3, 9), 12, (3, 9), id="all"),
        pytest.param((3, 9), 2, (1, 1), id="one of each"),
    ],
)
def test_shares_of_weights(sizes: tuple[int, ...], target: int, counts: tuple[int, ...]) -> None:
    values = {str(place): torch.rand(size) for place, size in enumerate(sizes)}
    masks = {name: torch.ones_like(value, dtype=torch.bool) for name, value in values.items()}
    chosen = choose_weights(values, masks, target)
    assert tuple(int(mask.sum()) for mask in chosen.values()) == counts


def test_what_a_tensor_keeps_anyway_is_its_best() -> None:
    """9 and 5 are kept for sure; of 1 and 4 the larger one comes next."""
    values = {"a": torch.tensor([9.0, 1.0]), "b": torch.tensor([4.0, 5.0])}
    masks = {name: torch.ones(2, dtype=torch.bool) for name in values}
    chosen = choose_weights(values, masks, 3, scope="global")
    assert chosen["a"].tolist() == [True, False]
    assert chosen["b"].tolist() == [True, True]
    twice = choose_weights(values, masks, 4, scope="global", minimum_weights=2)
    assert all(mask.all() for mask in twice.values())
    with pytest.raises(RatioError, match="cannot keep 3 weights: between 4 and 4 are possible"):
        choose_weights(values, masks, 3, scope="global", minimum_weights=2)
    with pytest.raises(ConfigError, match="unknown scope 'both'"):
        choose_weights(values, masks, 3, scope="both")


@pytest.mark.parametrize("scope", ["local", "global"])
def test_of_equal_weights_the_first_stay(scope: str) -> None:
    """A choice that depends on nothing but the scores, whatever a fast sort does with equals."""
    values = {"a": torch.zeros(10, 50), "b": torch.zeros(500)}
    masks = {name: torch.ones_like(value, dtype=torch.bool) for name, value in values.items()}
    chosen = choose_weights(values, masks, 300, scope=scope)
    # Every tensor keeps one at least.
    counts = (150, 150) if scope == "local" else (299, 1)
    for mask, count in zip(chosen.values(), counts, strict=True):
        assert mask.flatten().nonzero()[:, 0].tolist() == list(range(count))


def test_masked_weights_never_come_back() -> None:
    masks = choose_weights(SCORES, MASKS, 6)
    inverted = {name: -value for name, value in SCORES.items()}
    smaller = choose_weights(inverted, masks, 3)
    assert all(not (smaller[name] & ~masks[name]).any() for name in masks)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    share=st.floats(0, 1),
    scope=st.sampled_from(["local", "global"]),
    seed=st.integers(0, 1000),
)
def test_exactly_as_many_weights_as_asked(
    sizes: list[int], share: float, scope: str, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = {str(i): torch.rand(n, generator=generator) for i, n in enumerate(sizes)}
    masks = {name: torch.ones_like(v, dtype=torch.bool) for name, v in values.items()}
    target = max(len(sizes), round(share * sum(sizes)))
    chosen = choose_weights(values, masks, target, scope=scope)
    assert sum(int(mask.sum()) for mask in chosen.values()) == target
    assert all(mask.any() for mask in chosen.values())
    for name, mask in chosen.items():  # within a tensor, the best are kept
        if not mask.all():
            assert values[name][mask].min() >= values[name][~mask].max()


def test_impossible_weight_targets_are_errors() -> None:
    with pytest.raises(RatioError, match="between 2 and 12 are possible"):
        choose_weights(SCORES, MASKS, 1)
    with pytest.raises(RatioError, match="cannot keep 13 weights"):
        choose_weights(SCORES, MASKS, 13)


def test_macs_of_a_group_are_those_that_go_with_it_alone() -> None:
    """Each of three units takes two weights in and one out; nothing is left out twice."""
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    graph = discover(network, torch.zeros(1, 2))
    assert macs_of_groups(graph).tolist() == [0, 3, 3, 3]
