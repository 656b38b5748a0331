"""2:4 sparsity, learned from the trained network: AST (Huang et al., AAAI 2025).

    w[t+1] = w[t] − γ (g(m[t] ⊙ w[t]) + λ[t] (1 − m[t]) ⊙ w[t]),   λ[t] = λ · min(1, t / t_0)
    g = ∇ [(1 − α) · L + α · KL(dense network ‖ sparse network)]

Training goes on from the trained dense network. The pattern m[t] is that of the present weights,
so that it is learned along with them, and masked weights decay ever faster, so that it settles
(`semi_structured` has the step). The dense network teaches. Of a loss that is linear in its
targets, both terms together are the loss of targets of which a share α is the teacher's word
(`runs.jobs.taught`).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from mirtrim.pruning.methods.interface import method
from mirtrim.pruning.methods.semi_structured import SemiStructured
from mirtrim.pruning.settings import PruningSettings, choice


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
    start: ClassVar[Literal["last", "dense", "initial"]] = "dense"


@method("semi_structured_adaptive")
class SemiStructuredAdaptive(SemiStructuredRelearned):
    """One training from the trained dense network, which teaches: one more forward pass."""

    Hyperparameters: ClassVar[type[Any]] = AdaptiveHyperparameters
    training_cost: ClassVar[float] = 4 / 3

    def teacher(self, settings: PruningSettings) -> float:
        """Share of the trained dense network in the targets."""
        own: AdaptiveHyperparameters = self.own(settings)
        return own.taught
