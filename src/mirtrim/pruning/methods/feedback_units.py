"""Dynamic pruning with feedback for units, which are physically removed at the end.

A closed unit is gated where its consumers read it, after normalisation and activation, so that
the gated network is exactly the trimmed one. Its own gradient would then be zero and it could
never come back: zero is what the consumers multiply it with. The gate is therefore
straight-through, closed forward and open backward. `hard_gate` is the same without that: the
ablation that shows what the feedback does.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods.interface import Round, Start, Ticket, method
from mirtrim.pruning.methods.trim import UnitMethod, training_examples
from mirtrim.pruning.methods.within_training import RampHook
from mirtrim.pruning.pipeline import rank_units, remove_units, select_units, size_of
from mirtrim.pruning.schedule import Ramp, RampHyperparameters
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import Hook
from mirtrim.units.finding import discover
from mirtrim.units.gating import gates
from mirtrim.units.graph import UnitGraph
from mirtrim.units.preserving import modes_kept
from mirtrim.utils.errors import TrainingError

KeepFor = Callable[[float], np.ndarray]


class UnitFeedbackHook(RampHook):
    """Gated forward, straight-through gradient, gates drawn anew along a ramp."""

    def __init__(
        self,
        network: nn.Module,
        graph: UnitGraph,
        schedule: Ramp,
        keep_for: KeepFor,
        straight_through: bool,
        generator: torch.Generator,
    ) -> None:
        """`keep_for` chooses the groups that stay, from the present weights, at a sparsity.

        Args:
            generator: what it draws from, if it draws; its state is part of that of the hook.
        """
        self._generator = generator
        self.schedule = schedule
        self.keep = graph.all_kept()
        self._network, self.graph = network, graph
        self._keep_for, self._straight_through = keep_for, straight_through
        self._was_closed = ~self.keep
        self._came_back = np.zeros_like(self.keep)
        self._refreshes = self._flips = 0
        self._error = 0.0
        self._passes = 0

    def altered(self) -> AbstractContextManager[None]:
        """The gradient is taken at the gated network."""
        return self._gated(self._straight_through)

    def evaluating(self) -> AbstractContextManager[None]:
        """The gated network; no weight is touched."""
        return self._gated(False)

    @contextmanager
    def _gated(self, straight_through: bool) -> Iterator[None]:
        network, graph, keep = self._network, self.graph, self.keep
        with gates(network, graph, keep, straight_through=straight_through) as gating:
            try:
                yield
            finally:
                self._passes += gating.passes if not keep.all() else 0

    def after_step(self, step: int) -> None:
        """Units that are closed have to be closed where the gradient is taken.

        Raises:
            TrainingError: since the first was closed, the network has not been called.
        """
        if not self._passes and not self.keep.all():
            raise TrainingError(
                f"step {step + 1} was made without a call of the network, and only in calls are "
                f"pruned units gated; call {type(self._network).__name__} itself, whose forward() "
                "does all of it"
            )

    def refresh(self, sparsity: float) -> None:
        """The gates of the present weights."""
        with modes_kept(self._network):
            new = self._keep_for(sparsity)
        self._refreshes += 1
        self._flips += int((new != self.keep).sum())
        self._came_back |= new & ~self.keep
        self._was_closed |= ~new
        self.keep = new
        self._error = self._pruning_error()

    def _pruning_error(self) -> float:
        """‖w − w̃‖² / ‖w‖², where w̃ is what the trimmed network would keep of the parameters."""
        total = left = 0.0
        for name, parameter in self._network.named_parameters():
            values = parameter.detach().square()
            total += values.sum().item()
            for axis, groups in enumerate(self.graph.slices[name]):
                if groups is not None:
                    kept = torch.as_tensor(np.flatnonzero(self.keep[groups]), device=values.device)
                    values = values.index_select(axis, kept)
            left += values.sum().item()
        return 1 - left / total if total else 0.0

    def state(self) -> dict[str, Tensor]:
        """Gates, counters and the generator."""
        arrays = (self.keep, self._was_closed, self._came_back)
        return {
            "gates": torch.tensor(np.stack(arrays)),
            "counts": torch.tensor([self._refreshes, self._flips]),
            "error": torch.tensor(self._error, dtype=torch.float64),
            "generator": self._generator.get_state(),
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over gates and counters."""
        self.keep, self._was_closed, self._came_back = (
            row.copy() for row in state["gates"].cpu().numpy()
        )
        self._refreshes, self._flips = state["counts"].tolist()
        self._error = state["error"].item()
        self._generator.set_state(state["generator"].cpu())

    def diagnostics(self) -> dict[str, float]:
        """What the feedback did.

        `flips_per_refresh`: groups whose gate changed, per refresh; `share_came_back`: groups
        that were opened again, of those ever closed; `pruning_error`: ‖w − w̃‖² / ‖w‖² at the
        last refresh.
        """
        return {
            "flips_per_refresh": self._flips / max(self._refreshes, 1),
            "share_came_back": float(self._came_back.sum()) / max(int(self._was_closed.sum()), 1),
            "pruning_error": self._error,
        }


@method("feedback_units")
class FeedbackUnits(UnitMethod):
    """One training from the initial weights per ratio; closed units are removed at its end."""

    Hyperparameters: ClassVar[type[Any]] = RampHyperparameters
    start: ClassVar[Start] = "initial"
    # Every layer runs twice forward and once backward, which costs two.
    training_cost: ClassVar[float] = 4 / 3
    uses: ClassVar[frozenset[str]] = frozenset({"criterion", "scope", "scale"})
    straight_through: ClassVar[bool] = True
    protects: ClassVar[bool] = True

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """Gates along the ramp to the round's ratio."""
        network = ticket.network
        graph = discover(network.eval(), current.example_inputs, current.protect)
        size = size_of(graph, settings)
        total = size(graph.all_kept())
        target = current.dense[settings.budget] / current.ratio

        def keep_for(sparsity: float) -> np.ndarray:
            context = current.context(network, graph)
            limit = max(target, total * (1 - sparsity))
            return select_units(context, rank_units(context, settings), settings, limit)

        own: RampHyperparameters = self.own(settings)
        schedule = own.ramp(current.ratio, current.steps)
        return UnitFeedbackHook(
            network, graph, schedule, keep_for, self.straight_through, current.generator
        )

    def finish(
        self, ticket: Ticket, settings: PruningSettings, current: Round, hook: Hook
    ) -> Ticket:
        """Remove what is closed."""
        assert isinstance(hook, UnitFeedbackHook)
        network = ticket.network.eval()
        # Not found anew: what a loop has frozen since then would count as constant.
        found = remove_units(network, hook.graph, hook.keep, training_examples(current))
        return Ticket(found.network, {}, equivalence_difference=found.difference, cut=found)


@method("hard_gate")
class HardGate(FeedbackUnits):
    """The ablation: closed units get no gradient; a few come back where open ones fall below."""

    training_cost: ClassVar[float] = 1.0
    straight_through: ClassVar[bool] = False
