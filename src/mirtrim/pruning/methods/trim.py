"""Structured trimming: low-scoring units are physically removed."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import UNIT_CRITERIA
from mirtrim.pruning.methods.interface import Method, Round, Ticket, method
from mirtrim.pruning.pipeline import prune_units, remove_units, select_units, size_of
from mirtrim.pruning.reset import reset_weights
from mirtrim.pruning.selection import smallest_cut
from mirtrim.pruning.settings import UNUSED, PruningSettings, choice
from mirtrim.units.cutting import cut_tensors
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph

CHECKED_EXAMPLES = 4


class UnitMethod(Method):
    """What all methods that remove units share."""

    @staticmethod
    def criteria() -> Collection[str]:
        """All criteria that score units."""
        return UNIT_CRITERIA

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """Every layer cut to its minimum_units."""
        graph = discover(network, example_inputs)
        size = size_of(graph, settings)
        return size(graph.all_kept()) / size(smallest_cut(graph, settings.minimum_units))


@method("trim")
class Trim(UnitMethod):
    """Rank, remove, reset, train; each round starts from the last one's network."""

    protects: ClassVar[bool] = True

    def pack(self, settings: PruningSettings) -> int | None:
        """Units that go and stay together; None for any number."""
        return None

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Cut to the target and reset."""
        network = ticket.network.eval()
        found = prune_units(
            network,
            current.example_inputs,
            settings,
            ratio=current.ratio,
            dense_size=current.dense[settings.budget],
            scoring=lambda graph: current.context(network, graph),
            check_inputs=lambda: training_examples(current),
            multiple_of=self.pack(settings),
            protect=current.protect,
        )
        rewind = cut_tensors(ticket.rewind, found.graph, found.keep)
        reset_weights(found.network, settings.reset, rewind, current.generator, current.initialise)
        return Ticket(found.network, rewind, equivalence_difference=found.difference, cut=found)


@dataclass(frozen=True)
class TrimFastHyperparameters:
    """See `TrimFast`."""

    pack: int = choice(8, help="Units that go and stay together.", minimum=1)


@method("trim_fast")
class TrimFast(Trim):
    """Trimming to widths that kernels like: counts of units are multiples of a pack.

    Which units go is decided as in plain trimming; how many, in whole packs. No clock is read, so
    a run gives the same network everywhere.
    """

    Hyperparameters: ClassVar[type[Any]] = TrimFastHyperparameters

    def pack(self, settings: PruningSettings) -> int:
        """That of the run."""
        own: TrimFastHyperparameters = self.own(settings)
        return own.pack


@dataclass(frozen=True)
class TrimBrieflyHyperparameters:
    """See `TrimBriefly`."""

    length: float = choice(
        0.4, help="Epochs of a training, as share of the task's.", minimum=0.01, maximum=1
    )


@method("trim_briefly")
class TrimBriefly(Trim):
    """Trimming whose trainings are shorter than the dense one.

    Weights that are kept have been trained: what a cut costs is made good in a part of the epochs.
    The learning rate rises and falls within these.
    """

    Hyperparameters: ClassVar[type[Any]] = TrimBrieflyHyperparameters

    def epochs(self, settings: PruningSettings, epochs: int, rewind_epoch: int) -> int:
        """Epochs of one training, at least one.

        Args:
            epochs: those of the task.
        """
        own: TrimBrieflyHyperparameters = self.own(settings)
        return max(1, round(own.length * epochs))


def training_examples(current: Round) -> Any:
    """Some training inputs, on which a cut is checked; the example where there are none."""
    if current.scoring.get("batches") is None:
        return current.example_inputs
    inputs, _ = next(iter(current.scoring["batches"]()))
    return inputs[:CHECKED_EXAMPLES]


def uniformly_cut(
    network: nn.Module, graph: UnitGraph, settings: PruningSettings, current: Round
) -> nn.Module:
    """The network with the same share of units in every layer, drawn at random, at its target.

    Which units are cut does not matter where no weight survives.
    """
    draws = torch.rand(graph.group_count, generator=current.generator, dtype=torch.float64)
    scores = draws.numpy()
    scores[0] = float("inf")
    local = replace(settings, scope="local", order=UNUSED)
    target = current.dense[settings.budget] / current.ratio
    keep = select_units(current.context(network, graph), scores, local, target)
    return remove_units(network, graph, keep, training_examples(current)).network
