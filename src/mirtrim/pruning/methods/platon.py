"""PLATON: pruning by an upper confidence bound of importance (Zhang et al., ICML 2022).

    I[t] = |w ⊙ ∂L/∂w|
    Ī[t] = β₁ Ī[t−1] + (1 − β₁) I[t]
    Ū[t] = β₂ Ū[t−1] + (1 − β₂) |I[t] − Ī[t]|
    w[t+1] = w̃[t+1] where Ī[t] ⊙ Ū[t] is among the largest k[t], else 0

w̃[t+1] is what the optimiser made of w[t]. A weight whose importance is uncertain is spared. k
follows the cubic ramp. As in the published code, the choice is made every `period` steps, and what
was zeroed learns on until the next one: at zero it would have no sensitivity, and could not come
back. The choice at the end of the ramp is final and holds after every step. As published, the
method prunes while a trained network is fine-tuned.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import Masks, apply_masks, full_masks
from mirtrim.pruning.methods.interface import Round, Start, Ticket, method
from mirtrim.pruning.methods.mask import weights_target
from mirtrim.pruning.methods.within_training import (
    MaskKeeper,
    PrunedWithinTraining,
    maskable_parameters,
    weights_left,
)
from mirtrim.pruning.schedule import Ramp, RampHyperparameters
from mirtrim.pruning.settings import PruningSettings, choice
from mirtrim.pruning.weight_selection import choose_weights
from mirtrim.training import Closure, Hook

MasksFor = Callable[[Mapping[str, Tensor], float], Masks]


@dataclass(frozen=True)
class PlatonHyperparameters(RampHyperparameters):
    """The averages are those of the published runs."""

    beta_importance: float = choice(
        0.85, help="β₁, weight of the past in the mean importance.", minimum=0, maximum=1
    )
    beta_uncertainty: float = choice(
        0.95, help="β₂, weight of the past in the mean uncertainty.", minimum=0, maximum=1
    )


class PlatonHook(MaskKeeper):
    """Smoothed sensitivity times smoothed uncertainty, masks along a ramp."""

    def __init__(
        self,
        network: nn.Module,
        schedule: Ramp,
        masks_for: MasksFor,
        own: PlatonHyperparameters | None = None,
    ) -> None:
        """`masks_for` draws masks from scores at a sparsity."""
        self.schedule = schedule
        self._own = own or PlatonHyperparameters()
        self.masks = full_masks(network)
        self._network, self._masks_for = network, masks_for
        self._parameters = maskable_parameters(network)
        self.importance = {n: torch.zeros_like(p) for n, p in self._parameters.items()}
        self.uncertainty = {n: torch.zeros_like(p) for n, p in self._parameters.items()}
        self._came_back = 0

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """The gradient; what it says about every weight is added to the scores."""
        loss = closure()
        for name, parameter in self._parameters.items():
            if parameter.grad is None:  # the loss does not see it
                continue
            sensitivity = (parameter.detach() * parameter.grad).abs()
            mean = self.importance[name].lerp_(sensitivity, 1 - self._own.beta_importance)
            self.uncertainty[name].lerp_((sensitivity - mean).abs(), 1 - self._own.beta_uncertainty)
        if self.schedule.refreshes(step):
            scores = {name: i * self.uncertainty[name] for name, i in self.importance.items()}
            new = self._masks_for(scores, self.schedule.sparsity(step))
            self._came_back += sum(int((m & ~self.masks[n]).sum()) for n, m in new.items())
            self.masks = new
        return loss

    def after_step(self, step: int) -> None:
        """Zero what is not chosen, where a choice was made, and always when it is final."""
        if step >= self.schedule.end or self.schedule.refreshes(step):
            apply_masks(self._network, self.masks)

    def eligible(self, step: int) -> bool:
        """A network may be kept once the mask is final."""
        return step > self.schedule.end

    def state(self) -> dict[str, Tensor]:
        """Masks, scores and counter."""
        parts = {"mask": self.masks, "mean": self.importance, "unsure": self.uncertainty}
        tensors = {f"{part}.{n}": t for part, named in parts.items() for n, t in named.items()}
        return tensors | {"came_back": torch.tensor(self._came_back)}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over masks, scores and counter."""
        self.masks = {name: state[f"mask.{name}"] for name in self.masks}
        self.importance = {name: state[f"mean.{name}"] for name in self.masks}
        self.uncertainty = {name: state[f"unsure.{name}"] for name in self.masks}
        self._came_back = int(state["came_back"])

    def diagnostics(self) -> dict[str, float]:
        """`came_back`: how often a weight was chosen again after it had been zeroed."""
        return {"came_back": float(self._came_back)}


@method("platon")
class Platon(PrunedWithinTraining):
    """One training per ratio, from the trained dense network."""

    Hyperparameters: ClassVar[type[Any]] = PlatonHyperparameters
    start: ClassVar[Start] = "dense"

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """Masks along the ramp to the round's ratio."""
        own: PlatonHyperparameters = self.own(settings)
        network = ticket.network
        everything = full_masks(network)
        left = weights_left(network, weights_target(network, current))

        def masks_for(scores: Mapping[str, Tensor], sparsity: float) -> Masks:
            return choose_weights(scores, everything, left(sparsity), scope=settings.scope)

        return PlatonHook(network, own.ramp(current.ratio, current.steps), masks_for, own)
