"""Controls: trainings without which no statement about a method means anything."""

from typing import ClassVar

from mirtrim.pruning.methods.interface import Method, Round, Start, Ticket, method
from mirtrim.pruning.methods.trim import UnitMethod, uniformly_cut
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.finding import discover


@method("nothing_removed")
class NothingRemoved(Method):
    """As many trainings as the chain of a lottery ticket has, with nothing removed.

    If this helps as much as masking, the rounds helped and not the mask. Every training starts
    from the rewind point; with `reset: finetune`, from where the last one has ended, which is the
    control of chains that keep their weights.
    """

    uses: ClassVar[frozenset[str]] = frozenset()
    # Rewinding is what it does unless told otherwise, and no part of its name.
    resets: ClassVar[frozenset[str]] = frozenset({"finetune"})

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Rewind, or keep the weights."""
        if settings.reset not in self.resets:
            ticket.network.load_state_dict(ticket.rewind)
        return ticket


@method("dense_longer")
class DenseLonger(Method):
    """The dense network, trained once for as long as the whole chain up to this ratio."""

    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset()

    def epochs_factor(self, current: Round) -> int:
        """The dense training and one per round."""
        return current.number + 1


@method("same_shape")
class SameShape(Method):
    """The network that another run arrived at, trained from fresh weights (Liu et al. 2019)."""

    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset({"reference"})

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """That shape, new weights."""
        network = current.reference()
        current.initialise(network, current.generator)
        return Ticket(network, {})


@method("narrower")
class Narrower(UnitMethod):
    """The same share of units in every layer, as many parameters, trained from fresh weights."""

    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset()

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Cut at random, then new weights."""
        network = ticket.network.eval()
        graph = discover(network, current.example_inputs)
        small = uniformly_cut(network, graph, settings, current)
        current.initialise(small, current.generator)
        return Ticket(small, {})
