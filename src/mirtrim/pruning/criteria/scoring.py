"""What a criterion is and gets to see, and the table of all of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria.collecting import Batches, Loss
from mirtrim.pruning.criteria.gradients import Gradients, accumulated_gradients
from mirtrim.units.graph import UnitGraph, UnitLayer
from mirtrim.units.widths import tensor_attributes
from mirtrim.utils.errors import ConfigError

UnitScores = dict[str, Tensor]


@dataclass(frozen=True)
class Scoring:
    """What a criterion may look at.

    Attributes:
        network: trained. Criteria put it into eval mode while they look and leave parameters,
            buffers, gradients and modes as they were.
        graph: the unit graph of `network`.
        batches: makes an iterator over (inputs, targets) of training data.
        loss: mean loss of (outputs, targets), a scalar.
        generator: the only source of randomness.
    """

    network: nn.Module
    graph: UnitGraph
    generator: torch.Generator
    batches: Batches | None = None
    loss: Loss | None = None

    def tensors(self) -> Mapping[str, Tensor]:
        """Parameters, buffers and tensors kept as attributes by name, detached.

        Not the network's state, which may lack buffers and hold other things.
        """
        named = (
            *self.network.named_parameters(remove_duplicate=False),
            *self.network.named_buffers(remove_duplicate=False),
            *tensor_attributes(self.network).items(),
        )
        return {name: value.detach() for name, value in named}

    def data(self) -> Batches:
        """`batches`, or a ConfigError where there are none."""
        if self.batches is None:
            raise ConfigError("batches: the criterion looks at data; give some")
        return self.batches

    def mean_loss(self) -> Loss:
        """`loss`, or a ConfigError where there is none."""
        if self.loss is None:
            raise ConfigError("loss: the criterion follows gradients; give one")
        return self.loss

    @cached_property
    def gradients(self) -> Gradients:
        """Gradients of the loss over all batches.

        Computed once, because a criterion for weights is asked tensor by tensor.
        """
        return accumulated_gradients(self.network, self.data(), self.mean_loss())

    def removable(self) -> list[UnitLayer]:
        """The layers that can lose units at all; the scores of the others are never read."""
        return [layer for layer in self.graph.layers if layer.groups.any()]

    def of_incoming(
        self, tensors: Mapping[str, Tensor], score: Callable[[Tensor], Tensor]
    ) -> UnitScores:
        """By layer, what `score` makes of the incoming weights of its units, (units, weights).

        Args:
            tensors: weights, or something in their shapes, by name.
        """
        layers = self.graph.layers
        return {one.name: score(self.graph.unit_weights(one, tensors)) for one in layers}

    def complete(self, scores: Mapping[str, Tensor]) -> UnitScores:
        """`scores` on the CPU, with zeros for every layer that can lose no units."""
        return {
            layer.name: scores[layer.name].detach().double().cpu()
            if layer.name in scores
            else torch.zeros(len(layer.groups), dtype=torch.float64)
            for layer in self.graph.layers
        }


UnitCriterion = Callable[[Scoring], UnitScores]
WeightCriterion = Callable[[Scoring, str], Tensor]
UNIT_CRITERIA: dict[str, UnitCriterion] = {}
WEIGHT_CRITERIA: dict[str, WeightCriterion] = {}


def unit_criterion(name: str) -> Callable[[UnitCriterion], UnitCriterion]:
    """Register a function that scores the units of every layer."""

    def register(function: UnitCriterion) -> UnitCriterion:
        UNIT_CRITERIA[name] = function
        return function

    return register


def weight_criterion(name: str) -> Callable[[WeightCriterion], WeightCriterion]:
    """Register a function that scores every entry of one weight tensor, same shape."""

    def register(function: WeightCriterion) -> WeightCriterion:
        WEIGHT_CRITERIA[name] = function
        return function

    return register


def score_units(name: str, context: Scoring) -> UnitScores:
    """Scores of all units under the criterion called `name`."""
    if name not in UNIT_CRITERIA:
        raise ConfigError(f"unknown criterion {name!r}; known: {', '.join(sorted(UNIT_CRITERIA))}")
    return UNIT_CRITERIA[name](context)


def score_weights(name: str, context: Scoring, tensor: str) -> Tensor:
    """Scores of all entries of the weight called `tensor` under the criterion `name`."""
    if name not in WEIGHT_CRITERIA:
        known = ", ".join(sorted(WEIGHT_CRITERIA))
        raise ConfigError(f"criterion {name!r} does not score weights; known: {known}")
    return WEIGHT_CRITERIA[name](context, tensor)


class _Looked(Exception):
    """A criterion has everything and begins to look at data."""


def assert_can_score(name: str, context: Scoring, weight: str | None = None) -> None:
    """Raise now if a criterion lacks what it will look at, before anything is trained for it.

    Args:
        context: the network may be untrained; its batches are not looked at, its generator is
            not moved.
        weight: a tensor that a criterion for weights scores; None for units.

    Raises:
        ConfigError: names what is missing.
    """

    def looked() -> Iterator[tuple[Tensor, Tensor]]:
        raise _Looked

    batches = None if context.batches is None else looked
    trial = replace(context, batches=batches, generator=torch.Generator())
    with suppress(_Looked):
        if weight is None:
            score_units(name, trial)
        else:
            score_weights(name, trial, weight)
