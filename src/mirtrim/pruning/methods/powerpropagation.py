"""Powerpropagation (Schwarz, Jayakumar, Pascanu, Latham, Teh, NeurIPS 2021).

    θ = φ · |φ|^(α−1),   ∂L/∂φ = ∂L/∂θ · α |φ|^(α−1)

Large weights learn faster than small ones, so that more of them end near zero and can be pruned.
φ starts where θ is the usual initialisation. Adam would divide the factor α |φ|^(α−1) out of the
gradient again, so the optimiser makes its step for θ, and the step is multiplied instead; for
plain gradient descent that is the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import Masks, apply_masks, full_masks
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import weights_target
from mirtrim.pruning.methods.within_training import (
    MaskKeeper,
    PrunedWithinTraining,
    largest_weights,
    maskable_parameters,
)
from mirtrim.pruning.schedule import RampHyperparameters
from mirtrim.pruning.settings import PruningSettings, choice
from mirtrim.training import Closure, Hook


@dataclass(frozen=True)
class PowerpropagationHyperparameters:
    """See the equation above."""

    exponent: float = choice(2.0, help="α, exponent of the parameters.", minimum=1)
    prune_at: float = choice(
        0.75, help="Share of the training after which it is pruned.", minimum=0, maximum=1
    )


def power(phi: Tensor, alpha: float) -> Tensor:
    """φ · |φ|^(α−1): the sign of φ, the α-th power of its size."""
    return phi.sign() * phi.abs() ** alpha


class PowerpropagationHook(MaskKeeper):
    """The network's parameters are φ between steps, and θ while it runs and the optimiser acts."""

    def __init__(
        self,
        network: nn.Module,
        prune_at: int,
        masks_for: Callable[[], Masks],
        alpha: float,
    ) -> None:
        """`masks_for` draws the final masks, once, from φ before step `prune_at`."""
        self.masks = full_masks(network)
        self._network, self._prune_at, self._masks_for = network, prune_at, masks_for
        self._alpha = alpha
        self._weights = [p.detach() for p in maskable_parameters(network).values()]
        self._phi: list[Tensor] = []

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """The gradient at θ, which stays in place for the optimiser."""
        if step == self._prune_at:
            self.masks = self._masks_for()
            apply_masks(self._network, self.masks)
        self._to_theta()
        return closure()

    def after_step(self, step: int) -> None:
        """Bring the step that the optimiser made for θ back to φ."""
        for weight, phi in zip(self._weights, self._phi, strict=True):
            moved = weight - power(phi, self._alpha)
            slope = self._alpha * phi.abs() ** (self._alpha - 1)
            weight.copy_(phi + slope * moved)
        apply_masks(self._network, self.masks)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """θ within, φ, to the bit, after."""
        self._to_theta()
        try:
            yield
        finally:
            for weight, phi in zip(self._weights, self._phi, strict=True):
                weight.copy_(phi)

    def _to_theta(self) -> None:
        self._phi = [weight.clone() for weight in self._weights]
        for weight in self._weights:
            weight.copy_(power(weight, self._alpha))

    def eligible(self, step: int) -> bool:
        """A network may be kept once it is pruned."""
        return step > self._prune_at


@method("powerpropagation")
class Powerpropagation(PrunedWithinTraining):
    """Pruned once, by magnitude, where the ramps of the other methods end; one training."""

    Hyperparameters: ClassVar[type[Any]] = PowerpropagationHyperparameters

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Replace the initial θ by its φ."""
        exponent = self.own(settings).exponent
        with torch.no_grad():
            for weight in maskable_parameters(ticket.network).values():
                weight.copy_(power(weight, 1 / exponent))
        return ticket

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """Training of φ; |φ| and |θ| have the same order."""
        own: PowerpropagationHyperparameters = self.own(settings)
        network = ticket.network
        draw = largest_weights(network, settings.scope, weights_target(network, current))
        prune_at = RampHyperparameters(ramp_end=own.prune_at).ramp(current.ratio, current.steps).end
        return PowerpropagationHook(network, prune_at, draw, own.exponent)
