"""What a method is: how a network is prepared for a training, watched in it, and finished.

A new method is one class with one decorator, in a file of this folder. It receives a `Ticket`,
the network as the last round (or the dense training) left it, and returns the ticket of its own
round.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring, assert_can_score
from mirtrim.pruning.masking import Masks, maskable
from mirtrim.pruning.pipeline import UnitCut
from mirtrim.pruning.settings import UNUSED, PruningSettings
from mirtrim.training import Hook, State
from mirtrim.training.initialise import initialise
from mirtrim.units.copying import copied
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError

Start = Literal["last", "dense", "initial"]


@dataclass
class Ticket:
    """A network between trainings.

    Attributes:
        network: after a training: its trained weights.
        rewind: state at the rewind step of the dense training, cut like the network.
        initial: state before the dense training, for methods that start from there.
        masks: what is masked (empty for methods that do not mask).
        equivalence_difference: |trimmed − gated| output when it was cut, −1 if nothing was.
        cut: how units were removed in this round, if they were.
    """

    network: nn.Module
    rewind: State
    initial: State = field(default_factory=dict)
    masks: Masks = field(default_factory=dict)
    equivalence_difference: float = -1.0
    cut: UnitCut | None = None

    def to(self, device: torch.device) -> "Ticket":
        """The same with network (moved in place) and masks on `device`; states stay."""
        masks = {name: mask.to(device) for name, mask in self.masks.items()}
        return replace(self, network=self.network.to(device), masks=masks)


def _initialise(network: nn.Module, generator: torch.Generator) -> None:
    initialise(network, generator)


def _no_reference() -> nn.Module:
    raise ConfigError("this method copies the shape of another run; give it a `reference`")


@dataclass(frozen=True)
class Round:
    """What a method needs to know about the round that it works for.

    Attributes:
        ratio: how many times less than `dense` may be left.
        dense: size of the dense network, "parameters" and "macs".
        example_inputs: a batch of one, for tracing.
        scoring: keyword arguments of `Scoring` besides network and graph.
        number: position of the ratio among those of its task, from 1.
        steps: optimiser steps of one training.
        initialise: draws fresh weights for a network, as the task's dense network drew them.
        reference: makes the network of `PruningSettings.reference` at this ratio.
        protect: names of modules that keep all their units.
    """

    ratio: float
    dense: Mapping[str, int]
    example_inputs: Any
    scoring: dict[str, Any]
    number: int = 1
    steps: int = 0
    initialise: Callable[[nn.Module, torch.Generator], None] = _initialise
    reference: Callable[[], nn.Module] = _no_reference
    protect: Sequence[str] = ()

    @property
    def generator(self) -> torch.Generator:
        """The round's source of randomness."""
        generator: torch.Generator = self.scoring["generator"]
        return generator

    def context(self, network: nn.Module, graph: UnitGraph) -> Scoring:
        """What a criterion gets to see of `network`."""
        return Scoring(network=network, graph=graph, **self.scoring)


@dataclass(frozen=True)
class NoHyperparameters:
    """Of a method that has none."""


class Method:
    """One way from a dense network to a small one.

    Class attributes:
        Hyperparameters: a dataclass of what is particular to the method, each field made by
            `pruning.settings.choice`. They are keys of its runs in the configuration, are part of
            a run's identity where they differ from their defaults, and are listed by
            themselves (docs/methods.md).
        start: where a round starts: "last" continues the last round (the first one the dense
            training); "dense" and "initial" start every ratio anew, from the trained dense
            network or from its initial weights.
        masks: whether the ratio counts non-zero weights rather than all.
        training_cost: forward passes' worth of work per example, relative to plain training.
        uses: the settings that make a difference, besides `budget` and `minimum_units`.
        protects: whether it keeps the units of modules that are protected.

    A method without a use for `reset` may still know values of it beside what it does otherwise
    (`resets`); its runs are only then called by them. A method whose trainings have more epochs
    than the task's says how many: `epochs(settings, epochs, rewind_epoch)`. One that learns from
    the trained dense network as well says how much of its targets are that one's word:
    `teacher(settings)`.
    """

    Hyperparameters: ClassVar[type[Any]] = NoHyperparameters
    start: ClassVar[Start] = "last"
    masks: ClassVar[bool] = False
    training_cost: ClassVar[float] = 1.0
    uses: ClassVar[frozenset[str]] = frozenset({"criterion", "scope", "scale", "order", "reset"})
    protects: ClassVar[bool] = False

    def own(self, settings: PruningSettings) -> Any:
        """The hyper-parameters of a run: an instance of `Hyperparameters`."""
        return self.Hyperparameters(**dict(settings.hyperparameters))

    @staticmethod
    def criteria() -> Collection[str]:
        """Names of the criteria that the method can use."""
        return ("-",)

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """The largest compression ratio that the method can reach on `network`."""
        return float("inf")

    def check_given(self, network: nn.Module, settings: PruningSettings, given: Round) -> None:
        """Refuse, before anything is trained, what the method cannot do.

        Raises:
            ConfigError: names the argument.
        """
        known = {name for name, _ in network.named_modules()}
        for name in given.protect:
            if name not in known:
                raise ConfigError(f"protect: there is no module {name!r}")
        # Masks are none of units, so nothing is protected from them.
        if given.protect and not (self.protects or self.masks):
            raise ConfigError(f"protect: {settings.method} does not spare modules; leave it out")
        criterion = self.ranked_by(settings)
        if criterion != UNUSED:
            trial = copied(network).eval()
            graph = discover(trial, given.example_inputs, given.protect)
            scoring = {**given.scoring, "generator": torch.Generator()}
            first = next(iter(maskable(trial)), None) if self.masks else None
            assert_can_score(criterion, Scoring(trial, graph, **scoring), first)

    def ranked_by(self, settings: PruningSettings) -> str:
        """The criterion that chooses what goes; "-" where none does."""
        return settings.criterion

    def trainings(self, settings: PruningSettings) -> int:
        """How many trainings a round has."""
        return 1

    def epochs_factor(self, current: Round) -> int:
        """How many times the usual epochs a training of this round has."""
        return 1

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """The ticket that the round trains. May change and keep the ticket that it is given."""
        return ticket

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """The hook of the next training of `ticket`."""
        return Hook()

    def trained(self, ticket: Ticket, part: int) -> None:
        """Called after training `part` (from 0) of a round with its best state in the network."""

    def finish(
        self, ticket: Ticket, settings: PruningSettings, current: Round, hook: Hook
    ) -> Ticket:
        """The round's outcome, at its target size."""
        return ticket

    def check(self, ticket: Ticket) -> None:
        """Assert that the finished ticket is what it claims to be."""


METHODS: dict[str, type[Method]] = {}


def method(name: str) -> Callable[[type[Method]], type[Method]]:
    """Register a method under `name`."""

    def register(kind: type[Method]) -> type[Method]:
        METHODS[name] = kind
        return kind

    return register
