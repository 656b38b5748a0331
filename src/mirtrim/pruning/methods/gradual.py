"""Gradual magnitude pruning (Zhu & Gupta 2017, "To prune, or not to prune").

    s[t] = s_f · (1 − (1 − (t − t_0) / (t_end − t_0))³)

The smallest weights that are left are set to zero whenever the mask is drawn anew, until s[t] of
the network is gone, and get no update from then on: a mask only ever loses entries.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from mirtrim.pruning.masking import Masks, apply_masks, full_masks
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import weights_target
from mirtrim.pruning.methods.within_training import (
    MaskKeeper,
    PrunedWithinTraining,
    RampHook,
    maskable_parameters,
    weights_left,
)
from mirtrim.pruning.schedule import Ramp, RampHyperparameters
from mirtrim.pruning.settings import PruningSettings
from mirtrim.pruning.weight_selection import choose_weights
from mirtrim.training import Hook

Narrow = Callable[[Masks, float], Masks]


class GradualHook(MaskKeeper, RampHook):
    """Weights are masked along a ramp and stay zero."""

    def __init__(self, network: nn.Module, schedule: Ramp, narrow: Narrow) -> None:
        """`narrow` draws masks within the present ones at a sparsity."""
        self.schedule = schedule
        self.masks = full_masks(network)
        self._network, self._narrow = network, narrow

    def refresh(self, sparsity: float) -> None:
        """A cut."""
        self.masks = self._narrow(self.masks, sparsity)
        apply_masks(self._network, self.masks)

    def after_step(self, step: int) -> None:
        """Undo what the optimiser did to masked weights; its momentum may outlive a cut."""
        apply_masks(self._network, self.masks)


@method("gradual")
class Gradual(PrunedWithinTraining):
    """The incremental rival of feedback: the same ramp, but what is masked is lost."""

    Hyperparameters: ClassVar[type[Any]] = RampHyperparameters

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """Masks along the ramp to the round's ratio."""
        own: RampHyperparameters = self.own(settings)
        network = ticket.network
        weights = maskable_parameters(network)
        left = weights_left(network, weights_target(network, current))

        def narrow(alive: Masks, sparsity: float) -> Masks:
            scores = {name: torch.abs(weight.detach()) for name, weight in weights.items()}
            return choose_weights(scores, alive, left(sparsity), scope=settings.scope)

        return GradualHook(network, own.ramp(current.ratio, current.steps), narrow)
