"""Dynamic pruning with feedback (Lin et al., ICLR 2020) in anybody's training loop.

The hooks are those of the replication (`pruning.methods.feedback`, `feedback_units`); here the
steps of the caller's optimiser drive them.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from mirtrim.pruning.api import check_arguments, make_report
from mirtrim.pruning.distilling import Distance, distillation, frozen
from mirtrim.pruning.masking import Masks, apply_masks
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.feedback import FeedbackHook
from mirtrim.pruning.methods.feedback_units import UnitFeedbackHook
from mirtrim.pruning.report import TrimReport
from mirtrim.pruning.stepping import Stepper, assert_numbers
from mirtrim.training.records import State, parted
from mirtrim.units.cutting import assert_cuttable, cut_optimizer
from mirtrim.units.finding import discover
from mirtrim.units.kinds import check_module
from mirtrim.units.preserving import modes_kept
from mirtrim.utils.errors import ConfigError, TrainingError
from mirtrim.utils.seeds import torch_generator

METHODS = {"weights": "feedback", "units": "feedback_units"}


def feedback(
    model: nn.Module,
    optimizer: Optimizer,
    ratio: float,
    steps: int,
    *,
    of: Literal["weights", "units"] = "weights",
    example_inputs: Any = None,
    protect: Sequence[str] = (),
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    teacher: nn.Module | None = None,
    distance: Distance = F.mse_loss,
    seed: int = 0,
    **choices: Any,
) -> "Feedback":
    """Prune `model` while it is trained; what was pruned can come back until the ramp ends.

    A context manager. Within it gradients are taken at the pruned network, and steps are made by
    all weights: call `step()` after every `optimizer.step()`. Behind it `pruning.model` is the
    small network: `model` itself with zeros in it, or for units a new, smaller one.

    Args:
        optimizer: of `model`, on its device; any optimiser of torch, closures included (for
            units not LBFGS). It may hold parameters from elsewhere, which stay as they are.
        ratio: compression ratio at the end.
        steps: optimiser steps to come; the ramp ends after `ramp_end` (0.75) of them.
        of: "weights" are masked, "units" are gated and in the end removed.
        example_inputs: what `model` is called with; for units.
        protect, batches, loss, seed: as for `mirtrim.trim`; for units only.
        teacher: a network, for `pruning.distillation(outputs, *inputs)`.
        distance: of outputs from those of the teacher; by default their mean square.
        choices: scope, period, ramp_end; for units also criterion, scale, budget, minimum_units.

    Raises:
        ConfigError: an argument does not fit; names it.
        RatioError: the ratio is out of reach.
    """
    check_module(model)
    if of not in METHODS:
        raise ConfigError(f"of: {of!r} is none of {', '.join(METHODS)}")
    if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not ratio > 1:
        raise ConfigError(f"ratio: {ratio!r} is not a number above 1")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise ConfigError(f"steps: {steps!r} is not a number of optimizer steps from 2 on")
    if not isinstance(optimizer, Optimizer):
        raise ConfigError(f"optimizer: {type(optimizer).__name__} is no torch.optim.Optimizer")
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ConfigError("optimizer: it holds no parameter of the model; make it of this one")
    if of == "units" and example_inputs is None:
        raise ConfigError("example_inputs: units are found by running the model; give an example")
    check_arguments(protect, batches, loss)
    generator = torch_generator(seed, "feedback", of)
    current = Round(
        float(ratio),
        {},
        example_inputs,
        {"batches": batches, "loss": loss, "generator": generator},
        steps=steps,
        protect=tuple(protect),
    )
    return Feedback(
        model, optimizer, current, {"method": METHODS[of], **choices}, teacher, distance
    )


class Feedback:
    """The context manager of `feedback`.

    Attributes:
        model: the network; behind the context, the small one.
        optimizer: its optimiser; for units, behind the context, one with the state cut along.
        trim_report: units, parameters and MACs, behind a context that removed units.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Optimizer,
        current: Round,
        run: Mapping[str, Any],
        teacher: nn.Module | None,
        distance: Distance,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.trim_report: TrimReport | None = None
        self._settings = settings_of(run)
        self._method = get_method(self._settings.method)
        self._method.check_given(model, self._settings, current)
        self._teacher = None if teacher is None else frozen(teacher)
        self._distance = distance
        sizes = {"parameters": sum(p.numel() for p in model.parameters())}
        if not self._method.masks:
            assert_cuttable(optimizer)
            with modes_kept(model):
                graph = discover(model.eval(), current.example_inputs, current.protect)
            everything = graph.all_kept()
            sizes = {"parameters": graph.parameters(everything), "macs": graph.macs(everything)}
        self._coming = replace(current, dense=sizes)
        with modes_kept(model):
            hook = self._method.hook(Ticket(model, {}), self._settings, self._coming)
        assert isinstance(hook, FeedbackHook | UnitFeedbackHook)
        self._hook = hook
        with modes_kept(model):
            self._assert_reachable()
        self._stepper = Stepper(model, hook)

    @property
    def steps(self) -> int:
        """Steps made so far."""
        return self._stepper.step

    @property
    def masks(self) -> Masks:
        """Name of a weight → its present Boolean mask; empty for units."""
        return dict(self._hook.masks) if isinstance(self._hook, FeedbackHook) else {}

    @property
    def diagnostics(self) -> dict[str, float]:
        """What the feedback did; see the method's hook."""
        return self._hook.diagnostics()

    def __enter__(self) -> "Feedback":
        self._stepper.__enter__()
        return self

    def step(self) -> None:
        """Call once after every `optimizer.step()`."""
        self._stepper.after_step()
        if self.steps == 1 and not self._method.masks:
            assert_cuttable(self.optimizer)

    def distillation(self, outputs: Any, *inputs: Any, **named: Any) -> Tensor:
        """How far `outputs` are from the teacher's for the same inputs; 0 without a teacher."""
        return distillation(self._teacher, self._distance, outputs, *inputs, **named)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._stepper.__exit__()
        if error is not None:
            return
        self._stepper.assert_told()
        assert_numbers(self.model)
        if not self.steps:
            raise TrainingError(
                "feedback made no step, so nothing is pruned; call pruning.step() once after every "
                "optimizer.step()"
            )
        end = self._hook.schedule.end
        if not self._hook.eligible(self.steps):
            warnings.warn(
                f"feedback ended after {self.steps} steps, before step {end + 1}, from which the "
                f"ratio {self._coming.ratio:g} is reached; make more steps, or say fewer",
                stacklevel=2,
            )
        self._finish()

    def _finish(self) -> None:
        if isinstance(self._hook, FeedbackHook):
            apply_masks(self.model, self._hook.masks)
            return
        big, optimizer = self.model, self.optimizer
        with modes_kept(big):
            ticket = self._method.finish(Ticket(big, {}), self._settings, self._coming, self._hook)
        cut = ticket.cut
        assert cut is not None
        self.model = ticket.network.train(big.training)
        self.optimizer = cut_optimizer(optimizer, big, self.model, cut.graph, cut.keep)
        self.trim_report = make_report(cut.graph, cut.keep, cut.difference)
        object.__setattr__(self.model, "trim_report", self.trim_report)

    def state_dict(self) -> dict[str, Tensor]:
        """What a stopped training needs besides the states of the model and of the optimiser.

        The dense weights among it: those of the model are pruned between two steps.
        """
        self._stepper.close()
        try:
            result = {"step": torch.tensor(self.steps)}
            result |= {f"hook/{n}": t.clone() for n, t in self._hook.state().items()}
            weights = dict(self.model.named_parameters())
            result |= {f"dense/{n}": weights[n].detach().clone() for n in self.masks}
            result["generator"] = self._coming.generator.get_state()
        finally:
            self._stepper.open()
        return result

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state_dict` was taken; called within the context.

        Raises:
            ConfigError: the state is of another network.
        """
        parts: dict[str, State] = {"hook": {}, "dense": {}} | parted(state)
        weights = dict(self.model.named_parameters())
        mine = {n: t.shape for n, t in self._hook.state().items()}
        if mine != {n: t.shape for n, t in parts["hook"].items()}:
            raise ConfigError("state: is of another network, or of other units")
        self._stepper.close()
        device = next(iter(weights.values())).device
        self._hook.load_state({n: t.clone().to(device) for n, t in parts["hook"].items()})
        with torch.no_grad():
            for name, value in parts["dense"].items():
                weights[name].copy_(value)
        self._coming.generator.set_state(state["generator"].cpu())
        self._stepper.step = int(state["step"])
        self._stepper.open()

    def _assert_reachable(self) -> None:
        """Draw the final mask once: an error now is better than one at the end of the ramp."""
        state = {name: t.clone() for name, t in self._hook.state().items()}
        generator = self._coming.generator.get_state()
        self._hook.begin(self._hook.schedule.end)
        self._hook.load_state(state)
        self._coming.generator.set_state(generator)
