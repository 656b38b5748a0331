"""How sparse a network is at each step of a training that prunes as it goes."""

import math
from dataclasses import dataclass

from mirtrim.pruning.settings import choice


@dataclass(frozen=True)
class Ramp:
    """Sparsity that rises with a cubic law and then stays (Zhu & Gupta 2017, eq. 1).

    Attributes:
        final: share of the counted size that is gone at the end.
        begin, end: steps between which it rises; before, nothing is pruned, after, the mask is
            frozen.
        period: steps between two refreshes of the mask, counted from `begin`.
    """

    final: float
    begin: int
    end: int
    period: int = 16

    def sparsity(self, step: int) -> float:
        """Share that is gone at `step`: final · (1 − (1 − (step − begin) / (end − begin))³)."""
        if step >= self.end:
            return self.final
        done = max(step - self.begin, 0) / (self.end - self.begin)
        return self.final * (1 - (1 - done) ** 3)

    def refreshes(self, step: int) -> bool:
        """Whether the mask is drawn anew at `step`: every `period`-th step, and at `end`."""
        if step == self.end:
            return True
        return self.begin <= step < self.end and (step - self.begin) % self.period == 0


@dataclass(frozen=True)
class RampHyperparameters:
    """What a method that prunes along a ramp is made of.

    By default the ramp rises from the start to three quarters of the training, as in the published
    settings of dynamic pruning (300 epochs, frozen at the second decay of the rate, epoch 225); the
    rest is training with the final mask. The period of 16 steps is theirs as well.
    """

    period: int = choice(16, help="Steps between two refreshes of the mask.", minimum=1)
    ramp_end: float = choice(
        0.75, help="Share of the training after which the mask is final.", minimum=0, maximum=1
    )

    def ramp(self, ratio: float, steps: int) -> Ramp:
        """The ramp of a training of `steps` steps to compression ratio `ratio`.

        Steps count from 0; the last mask is drawn before the last step at the latest.
        """
        end = min(math.floor(self.ramp_end * steps), steps - 1)
        return Ramp(1 - 1 / ratio, 0, max(1, end), self.period)
