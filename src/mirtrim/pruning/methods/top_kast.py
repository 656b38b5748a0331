"""Top-KAST: top-k always sparse training (Jayakumar, Pascanu, Rae, Osindero, Elsen, NeurIPS 2020).

    forward    θ ⊙ A,  A the share D of the largest |θ|
    backward   θ ← θ − γ B ⊙ (∂L/∂(θ ⊙ A) + λ r),  B ⊃ A a larger share of the largest |θ|
    r_i = θ_i in A,  θ_i / D in B \\ A

The network is at its final size in every step. Weights outside B do not move. The penalty pulls
the explored weights B \\ A harder, so that only those come into A that the loss asks for.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import Masks, full_masks
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

Sets = Callable[[], tuple[Masks, Masks]]


@dataclass(frozen=True)
class TopKastHyperparameters:
    """The published pairs of forward and backward density are 0.2 and 0.5, 0.1 and 0.2, 0.05 and
    0.1."""

    explored: float = choice(2.0, help="Size of B, in sizes of A.", minimum=1)
    penalty: float = choice(1e-4, help="λ, strength of the penalty.", minimum=0)
    period: int = choice(16, help="Steps between two choices of A and B.", minimum=1)


class TopKastHook(Hook):
    """Forward within A, update within B, both drawn anew every `period` steps."""

    def __init__(
        self,
        network: nn.Module,
        sets: Sets,
        density: float,
        period: int,
        penalty: float,
    ) -> None:
        """`sets` draws A and B from the present weights; `density` is D."""
        self.forward_masks, self.backward_masks = full_masks(network), full_masks(network)
        self._sets, self._density, self._period, self._penalty = sets, density, period, penalty
        self._parameters = maskable_parameters(network)
        self._weights = {name: p.detach() for name, p in self._parameters.items()}
        self._before: dict[str, Tensor] = {}
        self._flips = self._refreshes = 0

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """The gradient at θ ⊙ A and the penalty, both within B."""
        if step % self._period == 0:
            self._refresh()
        with self.evaluating():
            loss = closure()
        for name, parameter in self._parameters.items():
            weight, forward = self._weights[name], self.forward_masks[name]
            self._before[name] = weight.clone()
            if parameter.grad is not None:
                penalty = torch.where(forward, weight, weight / self._density)
                parameter.grad.add_(penalty, alpha=self._penalty).mul_(self.backward_masks[name])
        return loss

    def after_step(self, step: int) -> None:
        """Undo what decay and momentum of the optimiser did outside B."""
        for name, mask in self.backward_masks.items():
            weight = self._weights[name]
            weight.copy_(torch.where(mask, weight, self._before[name]))

    def evaluating(self) -> AbstractContextManager[None]:
        """θ ⊙ A within, θ, to the bit, after."""
        return masked(self._weights, self.forward_masks)

    def _refresh(self) -> None:
        old = self.forward_masks
        self.forward_masks, self.backward_masks = self._sets()
        if self._refreshes:
            self._flips += sum(int((m != old[n]).sum()) for n, m in self.forward_masks.items())
        self._refreshes += 1

    def state(self) -> dict[str, Tensor]:
        """A, B and counters."""
        return {
            **{f"forward.{name}": mask for name, mask in self.forward_masks.items()},
            **{f"backward.{name}": mask for name, mask in self.backward_masks.items()},
            "counts": torch.tensor([self._flips, self._refreshes]),
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over A, B and counters."""
        self.forward_masks = {name: state[f"forward.{name}"] for name in self._weights}
        self.backward_masks = {name: state[f"backward.{name}"] for name in self._weights}
        self._flips, self._refreshes = state["counts"].tolist()

    def diagnostics(self) -> dict[str, float]:
        """`flips_per_refresh`: entries of A that changed, per refresh after the first."""
        return {"flips_per_refresh": self._flips / max(self._refreshes - 1, 1)}


@method("top_kast")
class TopKast(PrunedWithinTraining):
    """Sparse from the first step to the last; one training."""

    Hyperparameters: ClassVar[type[Any]] = TopKastHyperparameters

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """A of the target size, B of `explored` times that."""
        own: TopKastHyperparameters = self.own(settings)
        network = ticket.network
        total = sum(p.numel() for p in maskable_parameters(network).values())
        target = weights_target(network, current)
        draw = largest_weights(network, settings.scope, target)
        explored = min(total, round(own.explored * target))
        draw_more = largest_weights(network, settings.scope, explored)

        def sets() -> tuple[Masks, Masks]:
            forward, backward = draw(), draw_more()
            return forward, {name: mask | forward[name] for name, mask in backward.items()}

        return TopKastHook(network, sets, target / total, own.period, own.penalty)
