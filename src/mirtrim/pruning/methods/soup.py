"""Sparse model soups (Zimmer, Spiegel, Pokutta, ICLR 2024).

    w = (1/n) Σ_i w_i,   w_i the pruned network retrained on its own order of batches

Networks retrained from one pruned network share its mask, so their mean is as sparse as each of
them. The mean has activations that none of them had: its batch-norm statistics are computed anew
on training data, without which averaged networks collapse (Izmailov et al., UAI 2018, §3.2;
Jordan et al., ICLR 2023). The soup is uniform; every ingredient has the same hyper-parameters.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from mirtrim.pruning.methods.batch_statistics import (
    NO_BATCHES,
    has_statistics,
    recompute_statistics,
)
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.one_shot import OneShot
from mirtrim.pruning.settings import PruningSettings, choice
from mirtrim.training import Hook, State, state_of
from mirtrim.utils.errors import ConfigError


@dataclass(frozen=True)
class SoupHyperparameters:
    """See `Soup`."""

    ingredients: int = choice(3, help="Trainings whose weights are averaged.", minimum=1)


@method("soup")
class Soup(OneShot):
    """One cut and some trainings per ratio, whose weights are averaged."""

    Hyperparameters: ClassVar[type[Any]] = SoupHyperparameters

    def __init__(self) -> None:
        self._pruned: State = {}
        self._ingredients: list[State] = []

    def check_given(self, network: nn.Module, settings: PruningSettings, given: Round) -> None:
        """Batch norms need batches in the end."""
        super().check_given(network, settings, given)
        if given.scoring.get("batches") is None and has_statistics(network):
            raise ConfigError(NO_BATCHES)

    def trainings(self, settings: PruningSettings) -> int:
        """One per ingredient."""
        own: SoupHyperparameters = self.own(settings)
        return own.ingredients

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """The pruned network that all trainings start from."""
        pruned = super().prepare(ticket, settings, current)
        self._pruned, self._ingredients = state_of(pruned.network), []
        return pruned

    def trained(self, ticket: Ticket, part: int) -> None:
        """Put the ingredient aside and go back to the pruned network."""
        self._ingredients.append(state_of(ticket.network))
        ticket.network.load_state_dict(self._pruned)

    def finish(
        self, ticket: Ticket, settings: PruningSettings, current: Round, hook: Hook
    ) -> Ticket:
        """The mean of the ingredients, with statistics of its own."""
        ticket.network.load_state_dict(mean_state(self._ingredients))
        recompute_statistics(ticket.network, current.scoring["batches"])
        return ticket


def mean_state(states: list[State]) -> State:
    """Entrywise mean of floating-point tensors; counters are the first state's."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0)
        if value.is_floating_point()
        else value.clone()
        for name, value in states[0].items()
    }
