"""Trimming whose trainings are shorter than the dense one.

Weights that are kept have been trained: what a cut costs is made good in a part of the epochs. The
learning rate rises and falls within these.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from mirtrim.pruning.methods.interface import method
from mirtrim.pruning.methods.trim import Trim
from mirtrim.pruning.settings import PruningSettings, choice


@dataclass(frozen=True)
class TrimBrieflyHyperparameters:
    """See `TrimBriefly`."""

    length: float = choice(
        0.4, help="Epochs of a training, as share of the task's.", minimum=0.01, maximum=1
    )


@method("trim_briefly")
class TrimBriefly(Trim):
    """Rank, remove, reset, train for a while; each round starts from the last one's network."""

    Hyperparameters: ClassVar[type[Any]] = TrimBrieflyHyperparameters

    def epochs(self, settings: PruningSettings, epochs: int, rewind_epoch: int) -> int:
        """Epochs of one training, at least one.

        Args:
            epochs: those of the task.
        """
        own: TrimBrieflyHyperparameters = self.own(settings)
        return max(1, round(own.length * epochs))
