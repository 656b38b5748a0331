"""The percent-per-round rule on networks small enough to count on fingers."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError, TraceError
from tests.pruning.replicated import keep_percentage


def chain(*widths: int) -> nn.Sequential:
    layers = [nn.Linear(a, b) for a, b in pairwise(widths)]
    return nn.Sequential(*layers).eval()


def rising(graph: UnitGraph) -> dict[str, Tensor]:
    """Later units score higher."""
    return {layer.name: torch.arange(float(len(layer.groups))) for layer in graph.layers}


@pytest.mark.parametrize(
    ("units", "percent", "kept"),
    [
        (10, 25, 7),  # 7.5 is rounded down
        (4, 25, 3),
        (3, 25, 3),  # 2.25 would leave two: all stay
        (5, 50, 5),  # 2.5 likewise
        (6, 50, 3),
        (7, 0, 7),
        (9, 11, 8),
    ],
)
def test_share_and_fall_back(units: int, percent: int, kept: int) -> None:
    network = chain(2, units, 2)
    example = torch.zeros(1, 2)
    graph = discover(network, example)
    smaller = cut(network, graph, keep_percentage(graph, rising(graph), percent))
    assert torch.equal(smaller[0].weight, network[0].weight[units - kept :])
    assert smaller[1].weight.shape == (2, kept)


def test_each_layer_is_ranked_apart_and_protected_layers_stay() -> None:
    network = chain(2, 8, 8, 8, 2)
    graph = discover(network, torch.zeros(1, 2))
    scores = rising(graph)
    scores["0"] = scores["0"] - 1000
    smaller = cut(network, graph, keep_percentage(graph, scores, 50, protected=["1"]))
    assert [layer.out_features for layer in smaller] == [4, 8, 4, 2]
    assert torch.equal(smaller[1].weight, network[1].weight[:, 4:])


def test_unknown_protection() -> None:
    graph = discover(chain(2, 8, 2), torch.zeros(1, 2))
    with pytest.raises(ConfigError, match="conv9"):
        keep_percentage(graph, rising(graph), 25, protected=["conv9"])


def test_shared_units_are_refused() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.a(x)
            return self.c(x + self.b(x))

    graph = discover(Residual().eval(), torch.zeros(1, 2))
    with pytest.raises(TraceError, match="layers a and b share units"):
        keep_percentage(graph, rising(graph), 25)
