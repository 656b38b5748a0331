"""What methods share: defaults that names and rows rest on, limits, what a ticket says."""

from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import nn

from mirtrim.pruning.methods import METHODS, Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.interface import Method
from mirtrim.training import Hook
from mirtrim.training.initialise import initialise
from mirtrim.utils.errors import ConfigError

# A name without a hyper-parameter stands for its default: with another one, the rows of committed
# runs would be of other trainings than they say. (default, minimum, maximum)
RAMP = {"period": (16, 1, None), "ramp_end": (0.75, 0, 1)}
HYPERPARAMETERS: dict[str, dict[str, tuple[Any, Any, Any]]] = {
    "cram": {"radius": (0.05, 0, None)},
    "feedback": RAMP,
    "feedback_units": RAMP,
    "gradual": RAMP,
    "hard_gate": RAMP,
    "platon": RAMP | {"beta_importance": (0.85, 0, 1), "beta_uncertainty": (0.95, 0, 1)},
    "powerpropagation": {"exponent": (2.0, 1, None), "prune_at": (0.75, 0, 1)},
    "same_mask": {"rewind_epochs": ("left_out", None, None)},
    "semi_structured": {"decay": (2e-4, 0, None), "rise": (0.5, 0, 1)},
    "semi_structured_adaptive": {
        "decay": (1e-4, 0, None), "rise": (0.25, 0, 1), "taught": (0.67, 0.01, 1),
    },
    "semi_structured_relearned": {"decay": (1e-4, 0, None), "rise": (0.25, 0, 1)},
    "soup": {"ingredients": (3, 1, None)},
    "top_kast": {"explored": (2.0, 1, None), "penalty": (1e-4, 0, None), "period": (16, 1, None)},
    "trim_briefly": {"length": (0.4, 0.01, 1)},
    "trim_fast": {"pack": (8, 1, None)},
}  # fmt: skip
# Forward passes' worth of work beside those of plain training, of which a batch has three.
COSTS = {"feedback_units": 4 / 3, "semi_structured_adaptive": 4 / 3}


def test_defaults_and_limits_are_those_of_committed_rows() -> None:
    found = {
        name: {
            entry.name: (entry.default, entry.metadata["minimum"], entry.metadata["maximum"])
            for entry in fields(kind.Hyperparameters)
        }
        for name, kind in METHODS.items()
    }
    assert {name: own for name, own in found.items() if own} == HYPERPARAMETERS
    costs = {name: kind.training_cost for name, kind in METHODS.items() if kind.training_cost != 1}
    assert costs == pytest.approx(COSTS)


@pytest.mark.parametrize(
    ("method", "key"),
    [(name, key) for name, own in HYPERPARAMETERS.items() for key in own if name != "same_mask"],
)
def test_the_limits_themselves_are_allowed_and_nothing_beyond(method: str, key: str) -> None:
    default, minimum, maximum = HYPERPARAMETERS[method][key]
    least = 1 if isinstance(default, int) else 0.001
    for limit, beyond, word in ((minimum, -least, "below"), (maximum, least, "above")):
        if limit is None:
            continue
        settings = settings_of({"method": method, key: limit})
        assert getattr(METHODS[method]().own(settings), key) == limit
        with pytest.raises(ConfigError, match=f"^{key}: .* is {word} {limit:g}$"):
            settings_of({"method": method, key: limit + beyond})


def test_one_unit_is_the_least_that_a_layer_keeps() -> None:
    assert settings_of({"method": "trim", "minimum_units": 1}).minimum_units == 1
    with pytest.raises(ConfigError, match="minimum_units: 0 is below 1"):
        settings_of({"method": "trim", "minimum_units": 0})


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        ({"method": "same_shape"}, "^reference: same_shape copies another run; name one$"),
        ({"method": "same_mask"}, "^reference: same_mask copies another run; name one$"),
        (
            {"method": "same_mask", "reference": "trim_magnitude_local_rewind"},
            "^reference: same_mask copies masks, and trim_magnitude_local_rewind masks nothing",
        ),
        ({"method": "melt"}, "^method: unknown method 'melt'; known: "),
        ({"method": "trim", "criterion": "beauty"}, "^criterion: trim has no criterion 'beauty'"),
        ({"method": "trim", "scope": "wide"}, "^scope: 'wide' is none of local, global$"),
        (
            {"method": "mask", "scope": "global", "scale": "fan_in"},
            "^scale: mask ranks weights, and fan_in is of units; use max or none$",
        ),
        ({"method": "trim", "scope": 3}, "^scope: 3 is not text$"),
        ({"method": "feedback", "period": 2.5}, "^period: 2.5 is not an integer$"),
        ({"method": "feedback", "period": True}, "^period: True is not an integer$"),
        ({"method": "feedback", "ramp_end": "1"}, "^ramp_end: '1' is not a number$"),
        ({"method": "feedback", "ramp_end": True}, "^ramp_end: True is not a number$"),
        ({"method": "cram", "radius": float("inf")}, "^radius: inf is not a finite number$"),
        ({"method": "cram", "radius": float("nan")}, "^radius: nan is not a finite number$"),
    ],
)
def test_what_does_not_fit_is_named_with_what_does(run: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        settings_of(run)


def test_a_number_may_be_whole_where_any_is_allowed() -> None:
    """A file of settings says 1 and means 1.0: one run, under one name."""
    given, meant = (settings_of({"method": "cram", "radius": value}) for value in (1, 1.0))
    assert given == meant
    assert type(dict(given.hyperparameters)["radius"]) is float


def test_a_ticket_that_was_not_cut_says_so() -> None:
    ticket = Ticket(nn.Linear(2, 1), {})
    assert (ticket.cut, ticket.equivalence_difference) == (None, -1)
    assert ticket.masks == ticket.initial == {}
    mask = torch.tensor([[True, False]])
    moved = Ticket(nn.Linear(2, 1), {}, masks={"weight": mask}).to(torch.device("meta"))
    assert moved.masks["weight"].device.type == "meta"
    assert next(moved.network.parameters()).device.type == "meta"
    assert moved.equivalence_difference == -1


def test_a_method_trains_once_as_long_as_the_task_unless_it_says_more() -> None:
    current = Round(2.0, {"parameters": 3}, torch.zeros(1, 2), {})
    assert (current.number, current.steps, current.protect) == (1, 0, ())
    with pytest.raises(ConfigError, match="give it a `reference`"):
        current.reference()
    # Weights are drawn by the scheme "sound" unless a task says otherwise.
    drawn, expected = nn.Linear(2, 3), nn.Linear(2, 3)
    current.initialise(drawn, torch.Generator().manual_seed(1))
    initialise(expected, torch.Generator().manual_seed(1), "sound")
    assert torch.equal(drawn.weight, expected.weight)
    assert not drawn.bias.any()
    plain, settings = Method(), settings_of({"method": "trim"})
    ticket = Ticket(nn.Linear(2, 1), {})
    assert plain.trainings(settings) == plain.epochs_factor(current) == 1
    assert plain.highest_ratio(ticket.network, current.example_inputs, settings) == float("inf")
    hook = plain.hook(ticket, settings, current)
    assert type(hook) is Hook
    assert plain.prepare(ticket, settings, current) is ticket
    assert plain.finish(ticket, settings, current, hook) is ticket
    longer = get_method("dense_longer")
    assert [longer.epochs_factor(Round(2.0, {}, None, {}, number=n)) for n in (1, 3)] == [2, 4]
