"""Criteria that only look at weights: literal scores, planted gains; and the registry."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring, UnitScores, score_units, score_weights
from mirtrim.pruning.criteria.weights import NEVER_CUT, without_gain
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError


def small_net() -> nn.Sequential:
    """Linear without a norm, linear with one, output."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)
    ).eval()


def scoring(network: nn.Module, seed: int = 0) -> Scoring:
    graph = discover(network, torch.zeros(1, 2))
    return Scoring(network, graph, torch.Generator().manual_seed(seed))


def set_rows(weight: Tensor, rows: list[list[float]]) -> None:
    with torch.no_grad():
        weight.copy_(torch.tensor(rows))


def ranked(scores: UnitScores, layer: str) -> list[int]:
    """Units from the first to go to the last."""
    return scores[layer].argsort().tolist()


def test_magnitude_is_the_sum_of_incoming_sizes() -> None:
    network = small_net()
    set_rows(network[0].weight, [[1, -2], [0, 0], [-3, 0.5]])
    scores = score_units("magnitude", scoring(network))
    assert scores["0"].tolist() == [3, 0, 3.5]
    assert score_weights("magnitude", scoring(network), "0.weight").tolist() == [
        [1, 2],
        [0, 0],
        [3, 0.5],
    ]


def test_batchnorm_is_the_gain_that_follows() -> None:
    network = small_net()
    with torch.no_grad():
        network[3].weight.copy_(torch.tensor([0.5, 0.0, -2.0, 1.0]))
    scores = score_units("batchnorm", scoring(network))
    assert scores["2"].tolist() == [0.5, 0, 2, 1]
    assert ranked(scores, "2") == [1, 0, 3, 2]


def test_batchnorm_scores_layers_without_a_gain_by_relative_length() -> None:
    network = small_net()
    set_rows(network[0].weight, [[3, 4], [0, 0], [0, 1]])
    scores = score_units("batchnorm", scoring(network))
    assert scores["0"].tolist() == [1, 0, 0.2]


def test_the_replicated_batchnorm_never_cuts_layers_without_a_gain() -> None:
    network = small_net()
    with torch.no_grad():
        network[3].weight[2] = -0.5
    context = scoring(network)
    scores = score_units("batchnorm_replicated", context)
    assert scores["0"].tolist() == [NEVER_CUT] * 3
    assert torch.isfinite(scores["0"]).all()
    assert scores["2"].tolist() == [1, 1, 0.5, 1]
    assert without_gain(context) == ("0", "5")


def test_a_norm_without_gain_counts_as_none() -> None:
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, affine=False), nn.Linear(3, 2))
    set_rows(network[0].weight, [[0, 2], [0, 0], [0, 1]])
    assert score_units("batchnorm", scoring(network.eval()))["0"].tolist() == [1, 0, 0.5]


def test_random_is_repeatable_and_differs_between_seeds() -> None:
    network = small_net()
    first = score_units("random", scoring(network, seed=1))
    again = score_units("random", scoring(network, seed=1))
    other = score_units("random", scoring(network, seed=2))
    assert torch.equal(first["2"], again["2"])
    assert not torch.equal(first["2"], other["2"])
    weights = score_weights("random", scoring(network, seed=1), "2.weight")
    assert weights.shape == (4, 3)


def test_unknown_names_list_the_known_ones() -> None:
    context = scoring(small_net())
    with pytest.raises(ConfigError, match="unknown criterion 'size'; known: activation, "):
        score_units("size", context)
    with pytest.raises(ConfigError, match="'information' does not score weights; known: gradient"):
        score_weights("information", context, "0.weight")


@pytest.mark.parametrize("name", ["activation", "information", "target_information", "gradient"])
def test_criteria_that_need_data_say_so(name: str) -> None:
    with pytest.raises(ConfigError, match="^batches: the criterion looks at data"):
        score_units(name, scoring(small_net()))
