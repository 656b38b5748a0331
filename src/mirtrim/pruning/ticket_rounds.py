"""The rounds of `mirtrim.tickets`: each starts, cuts, trains and finishes one ticket."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from mirtrim.pruning.after_step import AfterStep, Slots, Train
from mirtrim.pruning.api import make_report
from mirtrim.pruning.distilling import Distance, frozen
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.within_training import PrunedWithinTraining
from mirtrim.pruning.pipeline import size_of
from mirtrim.pruning.progress import Progress
from mirtrim.pruning.report import TrimReport
from mirtrim.pruning.selection import smallest_cut
from mirtrim.pruning.stepping import Stepper, assert_numbers, warn_if_unchanged
from mirtrim.training import Hook, State, state_of
from mirtrim.units.copying import copied
from mirtrim.units.cutting import cut_slots
from mirtrim.units.finding import discover
from mirtrim.units.kinds import check_module
from mirtrim.utils.errors import ConfigError, MirtrimError, RatioError
from mirtrim.utils.seeds import torch_generator


@dataclass(frozen=True)
class LotteryTicket:
    """A trained network of one ratio.

    Attributes:
        target_ratio: the ratio that was asked for.
        ratio: parameters of the dense network / parameters left; for masks, those not masked.
        model: the network; of methods that mask, of full size with zeros in it.
        masks: name of a weight → Boolean mask, the same shape; empty where nothing is masked.
        trim_report: units, parameters and MACs beside the dense network, if units were removed.
        diagnostics: what the method has to say about the training, by name.
    """

    target_ratio: float
    ratio: float
    model: nn.Module
    masks: dict[str, Tensor] = field(default_factory=dict)
    trim_report: TrimReport | None = None
    diagnostics: dict[str, float] = field(default_factory=dict)


class Tickets(Iterator[LotteryTicket]):
    """The iterator of `tickets`."""

    def __init__(
        self,
        model: nn.Module,
        example_inputs: Any,
        train: Train,
        ratios: Sequence[float],
        run: Mapping[str, Any],
        current: Round,
        *,
        trained: bool,
        rewind: State | None,
        teacher: nn.Module | str | None,
        distance: Distance,
        seed: int,
    ) -> None:
        self._settings = settings_of(run)
        self._method = get_method(self._settings.method)
        self._train, self._ratios, self._seed = train, checked_ratios(ratios), seed
        self._teacher_given, self._distance = teacher, distance
        if isinstance(teacher, str) and teacher != "dense":
            raise ConfigError(f'teacher: {teacher!r} is neither a network nor "dense"')
        if rewind is not None and not trained:
            raise ConfigError("rewind: is for a model that is trained; give trained=True as well")
        rewinds = self._settings.reset == "rewind" and self._method.start == "last"
        if trained and rewind is None and rewinds:
            raise ConfigError(
                "rewind: a trained model does not say what it was before; give rewind=, or reset="
                '"finetune" or "reinit"'
            )
        if trained and self._method.start == "initial":
            raise ConfigError(
                f"trained: {self._settings.method} starts from initial weights; leave it out"
            )
        check_module(model)
        self._method.check_given(model, self._settings, current)
        self._model = copied(model)
        self._dense_report: TrimReport | None = None
        if self._method.masks:
            sizes = {"parameters": sum(p.numel() for p in self._model.parameters())}
        else:
            graph = discover(copied(self._model).eval(), example_inputs, current.protect)
            everything = graph.all_kept()
            sizes = {"parameters": graph.parameters(everything), "macs": graph.macs(everything)}
            self._dense_report = make_report(graph, everything, 0.0)
        self._round = replace(current, dense=sizes)
        self._assert_reachable()
        initial = state_of(self._model)
        self._at = Progress(
            initial,
            dict(rewind if rewind is not None else initial),
            initial if trained else None,
            steps=current.steps,
        )

    def __iter__(self) -> "Tickets":
        return self

    def __next__(self) -> LotteryTicket:
        if self._at.done == len(self._ratios):
            raise StopIteration
        ratio = self._ratios[self._at.done]
        try:
            result = self._dense_ticket() if ratio == 1 else self._ticket(ratio)
        except MirtrimError as error:
            raise type(error)(f"ratio {ratio:g}: {error}") from error
        self._at.done += 1
        return result

    def _dense_ticket(self) -> LotteryTicket:
        network = copied(self._model)
        network.load_state_dict(self._dense_state())
        return LotteryTicket(1.0, 1.0, network.eval())

    def _dense_state(self) -> State:
        """The trained dense network; it is trained now if it has not been."""
        if self._at.dense is None:
            network = copied(self._model)
            after = self._train_once(network, Hook(), 1.0, {}, None)
            if after.rewind is not None:
                self._at.rewind, self._at.rewind_slots = after.rewind
            self._at.dense, self._at.dense_slots = state_of(network), after.slots()
            self._at.steps = self._at.steps or after.steps
        return self._at.dense

    def _ticket(self, ratio: float) -> LotteryTicket:
        method, settings = self._method, self._settings
        ticket, slots = self._start()
        teacher = self._teacher()
        number = self._at.done + 1 - (self._ratios[0] == 1)
        within = method.start == "initial" or isinstance(method, PrunedWithinTraining)
        if within and not self._at.steps:
            raise ConfigError(
                f"steps: {settings.method} prunes within the training; say how many optimizer "
                "steps train makes"
            )
        generator = torch_generator(self._seed, "ticket", settings.seed_words, number)
        scoring = self._round.scoring | {"generator": generator}
        current = replace(
            self._round, ratio=ratio, scoring=scoring, number=number, steps=self._at.steps
        )
        ticket = method.prepare(ticket, settings, current)
        slots = self._after_cut(ticket, slots)
        hook, after = Hook(), None
        for part in range(method.trainings(settings) * method.epochs_factor(current)):
            hook = method.hook(ticket, settings, current)
            after = self._train_once(ticket.network, hook, ratio, slots, teacher)
            hook.ended()
            with hook.evaluating():
                kept = state_of(ticket.network)
            ticket.network.load_state_dict(kept)
            method.trained(ticket, part)
        finished = method.finish(ticket, settings, current, hook)
        method.check(finished)
        result = self._told(ratio, finished, hook)
        self._at.last = replace(finished, cut=None)
        self._at.last_slots = after.slots() if after else {}
        if settings.reset == "rewind":
            self._at.rewind_slots = slots
        return result

    def _start(self) -> tuple[Ticket, Slots]:
        """Where the round starts, and the optimiser's state there."""
        start, rewinds = self._method.start, self._settings.reset == "rewind"
        if start == "last" and self._at.last is not None:
            ticket = replace(self._at.last, network=copied(self._at.last.network))
            return ticket, self._at.rewind_slots if rewinds else self._at.last_slots
        network = copied(self._model)
        if start == "initial":
            network.load_state_dict(self._at.initial)
            return Ticket(network, dict(self._at.rewind), dict(self._at.initial)), {}
        network.load_state_dict(self._dense_state())
        slots = self._at.rewind_slots if start == "last" and rewinds else self._at.dense_slots
        return Ticket(network, dict(self._at.rewind), dict(self._at.initial)), slots

    def _after_cut(self, ticket: Ticket, slots: Slots) -> Slots:
        """The optimiser's state cut like the network; that of layers that are gone is left out."""
        if self._settings.reset == "reinit":
            return {}
        if ticket.cut is not None:
            return cut_slots(slots, ticket.cut.graph, ticket.cut.keep)
        left = dict(ticket.network.named_parameters())
        return {name: state for name, state in slots.items() if name in left}

    def _train_once(
        self, network: nn.Module, hook: Hook, ratio: float, slots: Slots, teacher: nn.Module | None
    ) -> AfterStep:
        network.train()
        learned = {name: p.requires_grad for name, p in network.named_parameters()}
        before = state_of(network)
        stepper = Stepper(network, hook)
        after = AfterStep(network, stepper, ratio, slots, teacher, self._distance)
        with stepper:
            self._train(network, after)
            stepper.assert_told()
        assert_numbers(network)
        if type(hook) is not Hook and not after.steps:
            raise ConfigError(
                f"train: made no step; {self._settings.method} prunes as it goes, so call "
                "after_step() after every optimizer.step()"
            )
        end = getattr(getattr(hook, "schedule", None), "end", -1)
        if after.steps <= end:
            raise ConfigError(
                f"steps: train made {after.steps}, and pruning ends after step {end} of "
                f"{self._at.steps}; give the number that it makes"
            )
        if not after.steps:
            warn_if_unchanged(network, before)
        network.eval()
        for name, parameter in network.named_parameters():
            # What a loop freezes or has not cleared is over with it: frozen weights are not pruned.
            parameter.requires_grad_(learned.get(name, parameter.requires_grad)).grad = None
        return after

    def _teacher(self) -> nn.Module | None:
        if isinstance(self._teacher_given, nn.Module):
            return frozen(self._teacher_given)
        if self._teacher_given is None:
            return None
        teacher = copied(self._model)
        teacher.load_state_dict(self._dense_state())
        return frozen(teacher)

    def _told(self, ratio: float, ticket: Ticket, hook: Hook) -> LotteryTicket:
        network = copied(ticket.network).eval()
        masks = {name: mask.clone() for name, mask in ticket.masks.items()}
        dense = sum(p.numel() for p in self._model.parameters())
        report, reached = None, dense / sum(p.numel() for p in network.parameters())
        if self._method.masks:
            total = self._round.dense["parameters"]
            reached = total / (total - sum(int((~mask).sum()) for mask in masks.values()))
        elif ticket.cut is not None and self._dense_report is not None:
            report = make_report(ticket.cut.graph, ticket.cut.keep, ticket.cut.difference)
            report = report.since(self._dense_report)
            reached = report.ratio
            object.__setattr__(network, "trim_report", report)
        return LotteryTicket(ratio, reached, network, masks, report, hook.diagnostics())

    def _assert_reachable(self) -> None:
        """Fail before hours of training if the last ratio cannot be reached."""
        network, given = copied(self._model).eval(), self._round
        highest = self._method.highest_ratio(network, given.example_inputs, self._settings)
        if given.protect and not self._method.masks and highest < float("inf"):
            graph = discover(network, given.example_inputs, given.protect)
            size = size_of(graph, self._settings)
            highest = size(graph.all_kept()) / size(
                smallest_cut(graph, self._settings.minimum_units)
            )
        if self._ratios[-1] > highest:
            raise RatioError(
                f"ratios: {self._settings.method} cannot reach {self._ratios[-1]:g} on this "
                f"network, {highest:.2f} is the most"
            )

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the current tickets depend on, between two of them; all tensors."""
        return self._at.tensors()

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on where `state_dict` was taken; the arguments of `tickets` have to be the same.

        Raises:
            ConfigError: the state is of another network or of other ratios.
        """
        found = Progress.of(state, self._model)
        if found.done > len(self._ratios):
            raise ConfigError(
                f"state: {found.done} tickets are done, of {len(self._ratios)} ratios"
            )
        self._at = found


def checked_ratios(ratios: Sequence[float]) -> tuple[float, ...]:
    """The ratios, if they are numbers from 1 on that rise.

    Raises:
        ConfigError: they are not.
    """
    found = tuple(ratios) if isinstance(ratios, Iterable) else (ratios,)
    if not found:
        raise ConfigError("ratios: there is none; give for instance [2, 4, 8]")
    for before, ratio in zip((0, *found), found, strict=False):
        if isinstance(ratio, bool) or not isinstance(ratio, int | float) or not ratio >= 1:
            raise ConfigError(f"ratios: {ratio!r} is not a number from 1 on")
        if not ratio > before:
            raise ConfigError(f"ratios: {ratio:g} comes after {before:g}; let them rise")
    return found
