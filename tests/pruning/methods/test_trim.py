"""Trimming as a method: what a cut is checked on, and how far it can go."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.trim import training_examples
from mirtrim.utils.errors import RatioError

ONE = torch.ones(1, 2)


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    yield torch.arange(12.0).view(6, 2), torch.zeros(6)
    raise AssertionError("one batch is enough")


def current(ratio: float = 2.0, **scoring: Any) -> Round:
    generator = torch.Generator().manual_seed(0)
    return Round(ratio, {"parameters": 25, "macs": 18}, ONE, {"generator": generator, **scoring})


def network() -> nn.Sequential:
    """2 → 6 → 1: 6 · 3 + 7 = 25 parameters, 4 n + 1 of them with n units, 3 n products."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 1))


def test_a_cut_is_checked_on_four_training_inputs_or_else_on_the_example() -> None:
    found = training_examples(current(batches=batches))
    assert found.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert training_examples(current(batches=None)) is ONE
    assert training_examples(current()) is ONE


@pytest.mark.parametrize(
    ("run", "highest"),
    [
        ({}, 25 / 9),
        ({"minimum_units": 1}, 25 / 5),
        ({"budget": "macs"}, 18 / 6),
        ({"minimum_units": 6}, 1),
        ({"minimum_units": 9}, 1),
    ],
)
def test_the_highest_ratio_leaves_every_layer_its_minimum(
    run: dict[str, Any], highest: float
) -> None:
    method, settings = get_method("trim"), settings_of({"method": "trim", **run})
    assert method.highest_ratio(network(), ONE, settings) == highest
    ticket = Ticket(network(), dict(network().state_dict()))
    small = method.prepare(ticket, settings, current(highest))
    assert small.cut is not None
    assert small.rewind["0.weight"].shape == small.network.get_parameter("0.weight").shape
    ticket = Ticket(network(), dict(network().state_dict()))
    with pytest.raises(RatioError):
        method.prepare(ticket, settings, current(highest * 1.01))
