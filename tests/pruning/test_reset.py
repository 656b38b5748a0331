"""What the weights become after a cut, and how anybody's modules draw new ones."""

from typing import Any

import pytest
import torch
from torch import nn

from mirtrim.pruning.reset import drawn_anew, reset_weights
from mirtrim.utils.errors import ConfigError


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def seven(network: nn.Module, source: torch.Generator) -> None:
    for parameter in network.parameters():
        nn.init.constant_(parameter, 7.0)


@pytest.mark.parametrize(("how", "left"), [("rewind", 3), ("reinit", 7), ("finetune", 1)])
def test_resets(how: str, left: float) -> None:
    network = nn.Linear(2, 1)
    for parameter in network.parameters():
        nn.init.ones_(parameter)
    rewind = {name: torch.full_like(p, 3.0) for name, p in network.state_dict().items()}
    reset_weights(network, how, rewind, generator(), seven)
    assert all((p == left).all() for p in network.parameters())
    with pytest.raises(ConfigError, match="unknown reset 'hope'; known: rewind, reinit, finetune"):
        reset_weights(network, "hope", rewind, generator(), seven)


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(4, 2))


def test_modules_draw_as_they_did_when_they_were_made() -> None:
    """From the generator that is given, and from nothing else; norms begin anew."""
    first, again, other, before = network(), network(), network(), network()
    with torch.no_grad():
        first[1].running_mean.fill_(9.0)
        first[1].weight.fill_(5.0)
    state = torch.get_rng_state()
    for model, seed in ((first, 1), (again, 1), (other, 2)):
        drawn_anew(model, generator(seed))
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    for layer in (0, 3):
        assert not torch.equal(first[layer].weight, before[layer].weight)
        assert not torch.equal(first[layer].weight, other[layer].weight)
        bound = first[layer].weight[0].numel() ** -0.5  # torch's own choice
        assert 0.5 * bound < first[layer].weight.abs().max() <= bound
    assert first[1].running_mean.tolist() == [0, 0]
    assert first[1].weight.tolist() == [1, 1]


class Own(nn.Module):
    """Holds a weight of its own, which it draws only if told to."""

    def __init__(self, shape: tuple[int, ...], draws: Any = None) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(shape))
        self.last = nn.Linear(2, 1)
        if draws is not None:
            setattr(self, draws, lambda: nn.init.constant_(self.table, 7.0))


@pytest.mark.parametrize("shape", [(3, 2), (3, 2, 1)])
def test_a_weight_that_no_module_draws_is_named(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="reset reinit: table is not drawn by its module; give"):
        drawn_anew(Own(shape), generator())
    frozen = Own(shape)
    frozen.table.requires_grad_(False)
    drawn_anew(frozen, generator())  # a front end, say, which is not trained


def test_gains_and_biases_may_stay_what_they_are() -> None:
    """Of a norm they are 1 and 0 before and after."""
    drawn_anew(Own((3,)), generator())


@pytest.mark.parametrize("name", ["reset_parameters", "_reset_parameters"])
def test_a_module_draws_for_itself_after_those_within_it(name: str) -> None:
    own = Own((3, 2), name)
    drawn_anew(own, generator())
    assert (own.table == 7).all()
    outer = nn.Sequential(nn.Linear(2, 1))
    outer.reset_parameters = lambda: nn.init.constant_(outer[0].weight, 5.0)  # type: ignore
    drawn_anew(outer, generator())
    assert (outer[0].weight == 5).all()
