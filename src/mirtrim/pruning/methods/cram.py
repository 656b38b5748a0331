"""CrAM: a compression-aware minimizer (Peste, Vladu, Kurtic, Lampert, Alistarh, ICLR 2023).

    θ[t+1] = θ[t] − γ ∇L(C(θ[t] + ρ ∇L(θ[t])))

C keeps the k largest weights. The dense weights are driven to where they stay good after a step
uphill and a compression; the network is C(θ). The Jacobian of C is taken for the identity. This
is the plain method; CrAM⁺ adds ∇L(θ) to the gradient, so that the dense network is good as well.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import Masks, apply_masks
from mirtrim.pruning.methods.batch_statistics import statistics_frozen
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import weights_target
from mirtrim.pruning.methods.within_training import (
    PrunedWithinTraining,
    largest_weights,
    maskable_parameters,
    masked,
)
from mirtrim.pruning.settings import PruningSettings, choice
from mirtrim.training import Closure, Hook


@dataclass(frozen=True)
class CramHyperparameters:
    """The radius is that of the published code."""

    radius: float = choice(0.05, help="ρ, length of the step uphill.", minimum=0)


class CramHook(Hook):
    """Two gradients per step; there is no state, because C depends on the weights alone."""

    def __init__(self, network: nn.Module, masks_for: Callable[[], Masks], radius: float) -> None:
        """`masks_for` draws the masks of C from the present weights."""
        self._network, self._masks_for, self._radius = network, masks_for, radius
        self._weights = {n: p.detach() for n, p in maskable_parameters(network).items()}

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """∇L(C(θ + ρ ∇L(θ))), with θ back in place."""
        parameters = list(self._network.parameters())
        # Running statistics are those of the compressed network, which is the one in use.
        with statistics_frozen(self._network):
            closure()
        dense = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            for p in parameters:
                if p.grad is not None:
                    p.add_(p.grad, alpha=self._radius)
        try:
            apply_masks(self._network, self._masks_for())
            return closure()
        finally:
            with torch.no_grad():
                for p, value in zip(parameters, dense, strict=True):
                    p.copy_(value)

    def evaluating(self) -> AbstractContextManager[None]:
        """C(θ) within, θ, to the bit, after."""
        return masked(self._weights, self._masks_for())


@method("cram")
class Cram(PrunedWithinTraining):
    """One training; its cost is twice the usual, because every batch is counted twice."""

    Hyperparameters: ClassVar[type[Any]] = CramHyperparameters

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """C keeps as many weights as the round's ratio leaves."""
        own: CramHyperparameters = self.own(settings)
        network = ticket.network
        draw = largest_weights(network, settings.scope, weights_target(network, current))
        return CramHook(network, draw, own.radius)
