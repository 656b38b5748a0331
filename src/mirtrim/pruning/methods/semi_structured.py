"""2:4 sparsity, as a pattern that is learned or that is cut.

SR-STE (Zhou et al., ICLR 2021), decay as in AST (Huang et al., AAAI 2025):

    w[t+1] = w[t] − γ (g(m ⊙ w[t]) + λ[t] (1 − m) ⊙ w[t]),   λ[t] = λ · min(1, t / t_0)

m keeps the two largest of every four consecutive weights along the input axis, the pattern that
sparse tensor cores multiply. The gradient passes the mask unchanged, and the masked weights are
pulled to zero, gently at first, so that the mask settles. Tensors whose input axis is not a
multiple of four stay dense. The pattern leaves no choice of ratio: every run reaches the highest
one, below 2, and exceeds whatever lower one is asked for.

AST goes on from the trained dense network, which teaches, with α its share:

    g = ∇ [(1 − α) · L + α · KL(dense network ‖ sparse network)]

The pattern is learned along with the weights, and masked ones decay ever faster, so that it
settles. Of a loss that is linear in its targets, both terms together are the loss of targets of
which a share α is the teacher's word (`runs.jobs.altered`).

By magnitude, in one cut (Mishra et al., arXiv 2104.08378), is what a learned pattern has to beat:

    m = [the two largest |w| of every four],   w ← m ⊙ w,   then training with m fixed
"""

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import Masks, full_masks
from mirtrim.pruning.methods.interface import Round, Start, Ticket, method
from mirtrim.pruning.methods.mask import MaskingMethod
from mirtrim.pruning.methods.one_shot import OneShot
from mirtrim.pruning.methods.within_training import (
    PrunedWithinTraining,
    maskable_parameters,
    masked,
)
from mirtrim.pruning.settings import PruningSettings, choice
from mirtrim.training import Closure, Hook

KEPT, GROUP = 2, 4


@dataclass(frozen=True)
class SemiStructuredHyperparameters:
    """The decay is that of SR-STE, its rise that of the code of AST."""

    decay: float = choice(2e-4, help="λ, decay of masked weights at full strength.", minimum=0)
    rise: float = choice(
        0.5, help="Share of the training in which the decay rises.", minimum=0, maximum=1
    )


def grouped(weight: Tensor) -> bool:
    """Whether a tensor falls into groups of four along its input axis, which is the second."""
    return weight.shape[1] % GROUP == 0


def pattern(weight: Tensor) -> Tensor:
    """Mask of the two largest |w| of every four neighbours along the input axis."""
    groups = weight.abs().movedim(1, -1)
    order = groups.reshape(-1, GROUP).argsort(dim=1, descending=True, stable=True)
    mask = torch.zeros_like(order, dtype=torch.bool).scatter_(1, order[:, :KEPT], True)
    return mask.reshape(groups.shape).movedim(-1, 1)


class SemiStructuredHook(Hook):
    """The pattern of the present weights in every step, which depends on nothing else."""

    def __init__(self, network: nn.Module, rising_steps: int, decay: float) -> None:
        """`rising_steps` is t_0, after which the decay is at its full strength."""
        self._parameters = {
            name: p for name, p in maskable_parameters(network).items() if grouped(p)
        }
        self._weights = {name: p.detach() for name, p in self._parameters.items()}
        self._rising_steps, self._decay = rising_steps, decay
        self._pruning_error = 0.0

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """The gradient at the sparse weights, and the decay of the masked ones."""
        masks = self._masks()
        with masked(self._weights, masks):
            loss = closure()
        decay = self._decay * min(1.0, step / self._rising_steps)
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                parameter.grad.add_(self._weights[name] * ~masks[name], alpha=decay)
        return loss

    def evaluating(self) -> AbstractContextManager[None]:
        """The sparse network within, the dense weights, to the bit, after."""
        masks = self._masks()
        total = sum(float(w.square().sum()) for w in self._weights.values())
        kept = sum(float((w * masks[n]).square().sum()) for n, w in self._weights.items())
        self._pruning_error = 1 - kept / total if total else 0.0
        return masked(self._weights, masks)

    def _masks(self) -> Masks:
        return {name: pattern(weight) for name, weight in self._weights.items()}

    def state(self) -> dict[str, Tensor]:
        """What is written down about the dense weights, which are gone after the training."""
        return {"pruning_error": torch.tensor(self._pruning_error, dtype=torch.float64)}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take that over."""
        self._pruning_error = float(state["pruning_error"])

    def diagnostics(self) -> dict[str, float]:
        """`pruning_error`: ‖w − m ⊙ w‖² / ‖w‖² at the last evaluation."""
        return {"pruning_error": self._pruning_error}


class Halving(MaskingMethod):
    """What all methods whose masks are the pattern share."""

    uses: ClassVar[frozenset[str]] = frozenset()

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """Half of every tensor that falls into groups."""
        super().highest_ratio(network, example_inputs, settings)  # refuses what masks cannot count
        total = sum(p.numel() for p in network.parameters())
        halved = sum(p.numel() for p in maskable_parameters(network).values() if grouped(p))
        return total / (total - halved * (GROUP - KEPT) // GROUP)


@method("semi_structured")
class SemiStructured(Halving, PrunedWithinTraining):
    """One training from the initial weights."""

    Hyperparameters: ClassVar[type[Any]] = SemiStructuredHyperparameters

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """A decay that rises through a part of the training."""
        own: SemiStructuredHyperparameters = self.own(settings)
        rising_steps = max(1, math.floor(own.rise * current.steps))
        return SemiStructuredHook(ticket.network, rising_steps, own.decay)


@dataclass(frozen=True)
class RelearnedHyperparameters:
    """Values of the published code for GPT-2."""

    decay: float = choice(1e-4, help="λ, decay of masked weights at full strength.", minimum=0)
    rise: float = choice(
        0.25, help="Share of the training in which the decay rises.", minimum=0, maximum=1
    )


@dataclass(frozen=True)
class AdaptiveHyperparameters(RelearnedHyperparameters):
    """The same, and the teacher's share."""

    taught: float = choice(
        0.67,
        help="α, share of the trained dense network in what is learned.",
        minimum=0.01,
        maximum=1,
    )


@method("semi_structured_relearned")
class SemiStructuredRelearned(SemiStructured):
    """One training from the trained dense network, without a teacher: an ablation of AST."""

    Hyperparameters: ClassVar[type[Any]] = RelearnedHyperparameters
    start: ClassVar[Start] = "dense"


@method("semi_structured_adaptive")
class SemiStructuredAdaptive(SemiStructuredRelearned):
    """One training from the trained dense network, which teaches: one more forward pass."""

    Hyperparameters: ClassVar[type[Any]] = AdaptiveHyperparameters
    training_cost: ClassVar[float] = 4 / 3

    def teacher(self, settings: PruningSettings) -> float:
        """Share of the trained dense network in the targets."""
        own: AdaptiveHyperparameters = self.own(settings)
        return own.taught


@method("semi_structured_one_shot")
class SemiStructuredOneShot(Halving, OneShot):
    """One cut and one training, both from the trained dense network."""

    def chosen(self, network: nn.Module, settings: PruningSettings, current: Round) -> Masks:
        """The pattern of the trained weights; tensors without groups of four stay dense."""
        masks = full_masks(network)
        for name, parameter in maskable_parameters(network).items():
            if grouped(parameter):
                masks[name] = pattern(parameter.detach())
        return masks
