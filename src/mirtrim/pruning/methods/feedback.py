"""Dynamic model pruning with feedback: weights (Lin, Stich, Barba, Dmitriev, Jaggi, ICLR 2020).

    w[t+1] = w[t] − γ[t] g(m[t] ⊙ w[t])

The gradient is taken at the masked weights, the step is made by all of them. What masking takes
away is not lost: it stays in the dense weights and can bring a weight back when the mask is drawn
anew.
"""

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import full_masks
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import weights_target
from mirtrim.pruning.methods.within_training import (
    MasksFor,
    PrunedWithinTraining,
    RampHook,
    magnitude_masks,
    maskable_parameters,
    masked,
)
from mirtrim.pruning.schedule import Ramp, RampHyperparameters
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import Hook


class FeedbackHook(RampHook):
    """Masked forward and gradient, dense update, mask refreshed along a ramp.

    Works with any optimiser, because the optimiser sees ordinary parameters with ordinary
    gradients; momentum and second moments stay dense.
    """

    def __init__(self, network: nn.Module, schedule: Ramp, masks_for: MasksFor) -> None:
        """`masks_for` draws masks from the present dense weights for a given sparsity."""
        self.schedule = schedule
        self.masks = full_masks(network)
        self._masks_for = masks_for
        self._weights = {n: p.detach() for n, p in maskable_parameters(network).items()}
        self._counts = dict.fromkeys(("refreshes", "flips", "came_back", "closed", "error"), 0.0)
        self._was_closed = {n: torch.zeros_like(m) for n, m in self.masks.items()}

    def altered(self) -> AbstractContextManager[None]:
        """The gradient is taken at the masked weights, m ⊙ w."""
        return self.evaluating()

    def evaluating(self) -> AbstractContextManager[None]:
        """Masked weights within, the dense ones, to the bit, after."""
        return masked(self._weights, self.masks)

    def refresh(self, sparsity: float) -> None:
        """The masks of the present weights."""
        new = self._masks_for(sparsity)
        for name, mask in new.items():
            old = self.masks[name]
            self._counts["flips"] += int((mask != old).sum())
            self._counts["came_back"] += int((mask & self._was_closed[name] & ~old).sum())
            self._was_closed[name] |= ~mask
        self._counts["closed"] = sum(int(m.sum()) for m in self._was_closed.values())
        self._counts["refreshes"] += 1
        self.masks = new
        self._counts["error"] = self._pruning_error()

    def _pruning_error(self) -> float:
        """‖w − m ⊙ w‖² / ‖w‖², the δ of the paper's theorems."""
        total = sum(w.square().sum().item() for w in self._weights.values())
        lost = sum((w * ~self.masks[n]).square().sum().item() for n, w in self._weights.items())
        return lost / total if total else 0.0

    def state(self) -> dict[str, Tensor]:
        """Masks and counters."""
        return {
            **{f"mask.{n}": m for n, m in self.masks.items()},
            **{f"was_closed.{n}": m for n, m in self._was_closed.items()},
            **{f"count.{n}": torch.tensor(c, dtype=torch.float64) for n, c in self._counts.items()},
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over masks and counters."""
        self.masks = {n: state[f"mask.{n}"] for n in self.masks}
        self._was_closed = {n: state[f"was_closed.{n}"] for n in self.masks}
        self._counts = {n: float(state[f"count.{n}"]) for n in self._counts}

    def diagnostics(self) -> dict[str, float]:
        """What the feedback did.

        `flips_per_refresh`: mask entries that changed, per refresh; `share_came_back`: openings
        of a weight that had been closed, per weight that was ever closed; `pruning_error`:
        ‖w − m ⊙ w‖² / ‖w‖² at the last refresh.
        """
        return {
            "flips_per_refresh": self._counts["flips"] / max(self._counts["refreshes"], 1),
            "share_came_back": self._counts["came_back"] / max(self._counts["closed"], 1),
            "pruning_error": self._counts["error"],
        }


@method("feedback")
class Feedback(PrunedWithinTraining):
    """One training from the initial weights per ratio."""

    Hyperparameters: ClassVar[type[Any]] = RampHyperparameters

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """Masks along the ramp to the round's ratio."""
        own: RampHyperparameters = self.own(settings)
        target = weights_target(ticket.network, current)
        masks_for = magnitude_masks(ticket.network, settings.scope, target)
        return FeedbackHook(ticket.network, own.ramp(current.ratio, current.steps), masks_for)

    def finish(
        self, ticket: Ticket, settings: PruningSettings, current: Round, hook: Hook
    ) -> Ticket:
        """The masked network: what `fit` kept was evaluated, and copied, within the mask."""
        assert isinstance(hook, FeedbackHook)
        return Ticket(ticket.network, ticket.rewind, masks=hook.masks)
