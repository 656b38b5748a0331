"""What a method is: how a network is prepared for a training, watched in it, and finished.

A new method is one class with one decorator, in a file of this folder. It receives a `Ticket`,
the network as the last round (or the dense training) left it, and returns the ticket of its own
round.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring
from mirtrim.pruning.masking import Masks
from mirtrim.pruning.pipeline import UnitCut
from mirtrim.pruning.settings import (
    CHOICES,
    DEFAULTS,
    OPTIONAL,
    UNUSED,
    PruningSettings,
    checked_value,
    value_in_name,
)
from mirtrim.training import Hook, State
from mirtrim.training.initialise import initialise
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError


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
            a run's identity where they differ from their defaults, and are documented by
            themselves (docs/methods.md).
        start: where a round starts: "last" continues the last round (the first one the dense
            training); "dense" and "initial" start every ratio anew, from the trained dense
            network or from its initial weights.
        masks: whether the ratio counts non-zero weights rather than all.
        training_cost: forward passes' worth of work per example, relative to plain training.
        uses: the settings that make a difference, besides `budget` and `minimum_units`.

    A method without a use for `reset` may still know values of it beside what it does otherwise
    (`resets`); its runs are only then called by them. A method whose trainings have more epochs
    than the task's says how many: `epochs(settings, epochs, rewind_epoch)`. One that learns from
    the trained dense network as well says how much of its targets are that one's word:
    `teacher(settings)`.
    """

    Hyperparameters: ClassVar[type[Any]] = NoHyperparameters
    start: ClassVar[Literal["last", "dense", "initial"]] = "last"
    masks: ClassVar[bool] = False
    training_cost: ClassVar[float] = 1.0
    uses: ClassVar[frozenset[str]] = frozenset({"criterion", "scope", "scale", "order", "reset"})

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


def settings_of_name(name: str) -> PruningSettings:
    """The settings of the run of that name: the inverse of `PruningSettings.name`.

    Raises:
        ConfigError: no run of any method is called so.
    """
    for method_name in sorted(METHODS, key=len, reverse=True):
        if name == method_name or name.startswith(f"{method_name}_"):
            run = _read_name(METHODS[method_name], name[len(method_name) :])
            # What was read is checked like any run, and has to be called so again.
            with suppress(ConfigError):
                settings = settings_of({"method": method_name, **run})
                if settings.name == name:
                    return settings
    raise ConfigError(f"no run is called {name!r}")


def _read_name(kind: type[Method], rest: str) -> dict[str, Any]:
    """Settings in what follows the method in a name, as far as it can be read."""
    run: dict[str, Any] = {}
    words: dict[str, Collection[str]] = {
        "criterion": kind.criteria() if "criterion" in kind.uses else (),
        "scope": CHOICES["scope"] if "scope" in kind.uses else (),
        "reset": CHOICES["reset"] if "reset" in kind.uses else _resets(kind),
    }
    for key, values in words.items():
        found = next((v for v in values if f"{rest}_".startswith(f"_{v}_")), None)
        if found is not None:
            run[key], rest = found, rest[len(found) + 1 :]
        elif key in kind.uses:
            return run
    own = {entry.name: type(entry.default) for entry in fields(kind.Hyperparameters)}
    keys = {**dict.fromkeys(("scale", "order", "budget"), str), "minimum_units": int, **own}
    while rest and not rest.startswith("_reference_"):
        setting = next((k for k in keys if rest.startswith(f"_{k}_")), None)
        if setting is None:
            return run
        rest = rest[len(setting) + 2 :]
        values = CHOICES.get(setting, [rest.partition("_")[0]])
        value = next((v for v in values if f"{rest}_".startswith(f"{v}_")), "")
        run[setting], rest = value_in_name(value, keys[setting]), rest[len(value) :]
    if rest:
        reference = rest.removeprefix("_reference_")
        # Hyper-parameters stand behind the reference, in the order of their names.
        for key in sorted(own, reverse=True):
            before, found_key, value = reference.rpartition(f"_{key}_")
            if found_key:
                reference, run[key] = before, value_in_name(value, own[key])
        run["reference"] = reference
    return run


def _resets(kind: type[Method]) -> Collection[str]:
    """Values of `reset` that a method knows which is not asked for one."""
    resets: Collection[str] = getattr(kind, "resets", ())
    return resets


def settings_of(run: Mapping[str, Any]) -> PruningSettings:
    """The settings of a run as it stands in a configuration; those without use become `UNUSED`.

    Raises:
        ConfigError: names the key: the method is unknown, has no criterion or hyper-parameter of
            that name, or does not allow its value.
    """
    name = run["method"]
    if name not in METHODS:
        raise ConfigError(f"method: unknown method {name!r}; known: {', '.join(sorted(METHODS))}")
    kind = METHODS[name]
    own = {entry.name: entry for entry in fields(kind.Hyperparameters)}
    common = {entry.name: entry for entry in fields(PruningSettings) if entry.name in DEFAULTS}
    given: dict[str, Any] = {
        key: checked_value(common[key], run[key]) for key in run if key in common
    }
    particular = {key: value for key, value in run.items() if key in own}
    unknown = sorted(run.keys() - given.keys() - particular.keys() - {"method", "ratios"})
    if unknown:
        allowed = ", ".join(sorted([*DEFAULTS, "method", "ratios", *own]))
        raise ConfigError(f"{unknown[0]}: unknown key for method {name}; allowed: {allowed}")
    checked = {key: checked_value(own[key], value) for key, value in particular.items()}
    settings = PruningSettings(
        name,
        **given,
        hyperparameters=tuple(
            sorted((key, value) for key, value in checked.items() if value != own[key].default)
        ),
    )
    useless = set(OPTIONAL) - kind.uses
    settings = settings.without(useless - {"reset"} if settings.reset in _resets(kind) else useless)
    if settings.criterion not in kind.criteria() and "criterion" in kind.uses:
        raise ConfigError(
            f"criterion: {name} has no criterion {settings.criterion!r}; "
            f"known: {', '.join(sorted(kind.criteria()))}"
        )
    if "reference" in kind.uses and settings.reference == UNUSED:
        raise ConfigError(f"reference: {name} copies another run; name one")
    if kind.masks and settings.reference != UNUSED:
        copied = settings_of_name(settings.reference)
        if not METHODS[copied.method].masks:
            raise ConfigError(
                f"reference: {name} copies masks, and {settings.reference} masks nothing; name a "
                "run that does"
            )
    return settings
