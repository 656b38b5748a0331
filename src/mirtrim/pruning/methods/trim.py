"""Structured trimming: low-scoring units are physically removed."""

from collections.abc import Collection
from typing import Any, ClassVar

from torch import Tensor, nn

from mirtrim.pruning.criteria import UNIT_CRITERIA
from mirtrim.pruning.methods.interface import Method, Round, Ticket, method
from mirtrim.pruning.pipeline import prune_units, size_of
from mirtrim.pruning.reset import reset_weights
from mirtrim.pruning.selection import smallest_cut
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.cutting import cut_tensors
from mirtrim.units.finding import discover

CHECKED_EXAMPLES = 4


@method("trim")
class Trim(Method):
    """Rank, remove, reset, train; each round starts from the last one's network."""

    protects: ClassVar[bool] = True

    @staticmethod
    def criteria() -> Collection[str]:
        """All criteria that score units."""
        return UNIT_CRITERIA

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Cut to the target and reset."""
        return self.cut(ticket, settings, current)

    def cut(
        self,
        ticket: Ticket,
        settings: PruningSettings,
        current: Round,
        multiple_of: int | None = None,
    ) -> Ticket:
        """The ticket without the units that score lowest, reset; `multiple_of` go at a time."""
        network = ticket.network.eval()
        found = prune_units(
            network,
            current.example_inputs,
            settings,
            ratio=current.ratio,
            dense_size=current.dense[settings.budget],
            scoring=lambda graph: current.context(network, graph),
            check_inputs=lambda: training_examples(current),
            multiple_of=multiple_of,
            protect=current.protect,
        )
        rewind = cut_tensors(ticket.rewind, found.graph, found.keep)
        reset_weights(found.network, settings.reset, rewind, current.generator, current.initialise)
        return Ticket(found.network, rewind, equivalence_difference=found.difference, cut=found)

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """Every layer cut to its minimum_units."""
        graph = discover(network, example_inputs)
        size = size_of(graph, settings)
        return size(graph.all_kept()) / size(smallest_cut(graph, settings.minimum_units))


def training_examples(current: Round) -> Any:
    """Some training inputs, on which a cut is checked; the example where there are none."""
    if current.scoring.get("batches") is None:
        return current.example_inputs
    inputs, _ = next(iter(current.scoring["batches"]()))
    return inputs[:CHECKED_EXAMPLES]
