"""Trimming to widths that kernels like: counts of units are multiples of a pack.

Which units go is decided as in plain trimming; how many, in whole packs. No clock is read, so a
run gives the same network everywhere.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.trim import Trim
from mirtrim.pruning.settings import PruningSettings, choice


@dataclass(frozen=True)
class TrimFastHyperparameters:
    """See `TrimFast`."""

    pack: int = choice(8, help="Units that go and stay together.", minimum=1)


@method("trim_fast")
class TrimFast(Trim):
    """Rank, remove in packs, reset, train; each round starts from the last one's network."""

    Hyperparameters: ClassVar[type[Any]] = TrimFastHyperparameters

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Cut to the target in whole packs and reset."""
        own: TrimFastHyperparameters = self.own(settings)
        return self.cut(ticket, settings, current, multiple_of=own.pack)
