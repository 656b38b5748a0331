"""The steps of the pipeline by themselves: ranks, prices, sizes, with literal numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring
from mirtrim.pruning.pipeline import (
    groups_of_layers,
    prices_of_groups,
    prune_units,
    rank_units,
    remove_units,
    select_units,
    size_of,
)
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError, RatioError, TraceError

ONE = torch.ones(1, 2)
SETTINGS = PruningSettings("trim", scale="none", minimum_units=1)


def network() -> nn.Sequential:
    """2 → 3 → 2 → 1; Σ|w| of the units: 3, 1, 2 and then 6, 9."""
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, -2.0], [1.0, 0.0], [0.0, 2.0]]))
        model[2].weight.copy_(torch.tensor([[2.0, 2.0, 2.0], [-3.0, 3.0, 3.0]]))
    return model


def context(model: nn.Module, inputs: Tensor = ONE) -> Scoring:
    return Scoring(model, discover(model, inputs), torch.Generator().manual_seed(0))


def ranks(settings: PruningSettings = SETTINGS, **words: dict[str, float]) -> list[list[float]]:
    """Of the units of both layers that can lose some."""
    scoring = context(network())
    found = rank_units(scoring, settings, **words)
    assert found[0] == np.inf  # what cannot go never does, whatever the order
    return [found[layer.groups].tolist() for layer in scoring.graph.layers[:2]]


def test_the_lowest_go_first_unless_another_order_is_asked_for() -> None:
    assert ranks() == [[3, 1, 2], [6, 9]]
    assert ranks(replace(SETTINGS, order="highest_first")) == [[-3, -1, -2], [-6, -9]]
    assert ranks(replace(SETTINGS, order="shuffled")) == [[3, 1, 2], [6, 9]]
    with pytest.raises(ConfigError, match="unknown order 'random'"):
        ranks(replace(SETTINGS, order="random"))


def test_scores_are_divided_by_what_a_unit_costs() -> None:
    assert ranks(microseconds={"0": 0.5, "2": 3.0}) == [[6, 2, 4], [2, 3]]


def test_fan_in_divides_by_incoming_weights() -> None:
    assert ranks(replace(SETTINGS, scale="fan_in")) == [[1.5, 0.5, 1], [2, 3]]


def test_groups_and_prices_of_layers() -> None:
    """The output cannot lose a unit, so it has no groups and needs no price."""
    graph = discover(network(), ONE)
    groups = groups_of_layers(graph)
    assert {name: len(found) for name, found in groups.items()} == {"0": 3, "2": 2}
    prices = prices_of_groups(graph, {"0": 0.5, "2": 3.0, "4": 7.0})
    assert prices[groups["0"]].tolist() == [0.5] * 3
    assert prices[groups["2"]].tolist() == [3.0] * 2
    assert prices[0] == 1


@pytest.mark.parametrize(
    ("prices", "problem"),
    [
        ({"0": 1.0, "2": 1.0, "9": 1.0}, "9: the network has no such layer"),
        ({"0": 1.0}, "2: the layer has no price"),
        ({"0": 1.0, "2": 0.0}, "2: a price must be above 0 and finite"),
        ({"0": float("inf"), "2": 1.0}, "0: a price must be above 0 and finite"),
        ({"0": float("nan"), "2": 1.0}, "0: a price must be above 0 and finite"),
        ({"0": -1.0, "2": -1.0}, "0, 2: a price must be above 0 and finite"),
    ],
)
def test_wrong_prices_are_named(prices: dict[str, float], problem: str) -> None:
    with pytest.raises(ConfigError, match=f"^microseconds: {problem}$"):
        prices_of_groups(discover(network(), ONE), prices)


def test_a_layer_of_one_unit_needs_no_price() -> None:
    """It cannot lose any."""
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 1))
    graph = discover(model, ONE)
    prices = prices_of_groups(graph, {"2": 2.0})
    groups = groups_of_layers(graph)
    assert list(groups) == ["2"]
    assert prices[groups["2"]].tolist() == [2.0] * 3


def test_what_a_ratio_counts() -> None:
    """(2 + 1) · 3 + (3 + 1) · 2 + (2 + 1) parameters, and as many products without the biases."""
    graph = discover(network(), ONE)
    everything = graph.all_kept()
    assert size_of(graph, SETTINGS)(everything) == 20
    assert size_of(graph, replace(SETTINGS, budget="macs"))(everything) == 14
    with pytest.raises(ConfigError, match="unknown budget 'seconds'; known: parameters, macs"):
        size_of(graph, replace(SETTINGS, budget="seconds"))


def test_as_many_stay_as_the_target_allows() -> None:
    """2 and 1 units: 6 + 3 + 2 = 11 parameters; 2 and 2 units: 6 + 6 + 3 = 15."""
    scoring = context(network())
    scores = rank_units(scoring, SETTINGS)
    first, second = (layer.groups for layer in scoring.graph.layers[:2])
    keep = select_units(scoring, scores, SETTINGS, 15)
    assert keep[first].tolist() == [True, False, True]
    assert keep[second].tolist() == [True, True]
    keep = select_units(scoring, scores, SETTINGS, 14)
    assert keep[first].tolist() == [True, False, True]
    assert keep[second].tolist() == [False, True]
    # In packs of two of each layer.
    keep = select_units(scoring, scores, SETTINGS, 20, 2)
    assert (keep[first].sum(), keep[second].sum()) == (3, 2)
    keep = select_units(scoring, scores, replace(SETTINGS, minimum_units=2), 15, 2)
    assert (keep[first].sum(), keep[second].sum()) == (2, 2)
    with pytest.raises(RatioError):
        select_units(scoring, scores, replace(SETTINGS, minimum_units=2), 14)


def test_shuffled_takes_as_many_of_each_layer() -> None:
    """Others than the best: of ten draws not all are the same."""
    scoring = context(network())
    scores = rank_units(scoring, SETTINGS)
    first, second = (layer.groups for layer in scoring.graph.layers[:2])
    shuffled = replace(SETTINGS, order="shuffled")
    drawn = [select_units(scoring, scores, shuffled, 11) for _ in range(10)]
    assert {(int(keep[first].sum()), int(keep[second].sum())) for keep in drawn} == {(2, 1)}
    assert len({tuple(keep.tolist()) for keep in drawn}) > 1


def test_a_ratio_refers_to_the_network_or_to_a_given_size() -> None:
    for dense, parameters in ((None, 10), (22.0, 11), (30.0, 15)):
        found = prune_units(
            network(), ONE, SETTINGS, ratio=2, scoring=lambda _: context(network()),
            dense_size=dense,
        )  # fmt: skip
        left = sum(p.numel() for p in found.network.parameters())
        assert left == found.graph.parameters(found.keep) <= parameters
    assert left == 15


def test_a_cut_that_is_not_what_was_promised_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with another number of parameters, though it may compute the same."""
    model = network()
    graph = discover(model, ONE)
    keep = graph.all_kept()
    found = remove_units(model, graph, keep, ONE)
    assert found.difference == 0

    def padded(*_: object) -> nn.Module:
        larger = nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            larger.weight.fill_(1.0)
        return nn.Sequential(*network(), larger)

    monkeypatch.setattr("mirtrim.pruning.pipeline.cut", padded)
    monkeypatch.setattr("mirtrim.pruning.pipeline.check_equivalence", lambda *_: 0.0)
    found = remove_units(model, graph, keep, ONE)  # what is no layer of the graph is not counted
    assert len(found.network) == 6
    monkeypatch.setattr("mirtrim.pruning.pipeline.cut", lambda *_: network()[:4])
    with pytest.raises(TraceError, match="the cut left 17 parameters, 20 were promised"):
        remove_units(model, graph, keep, ONE)
