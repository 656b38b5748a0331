"""Gradients of the loss with respect to the weights, over training batches."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria.collecting import NO_BATCH, Batches, Loss, learning
from mirtrim.pruning.criteria.feeding import called, pairs
from mirtrim.utils.errors import ConfigError, TrainingError


@dataclass(frozen=True)
class Gradients:
    """Signed gradient of the mean loss by parameter name, summed over `batches` batches."""

    sums: Mapping[str, Tensor]
    batches: int


def accumulated_gradients(network: nn.Module, batches: Batches, loss: Loss) -> Gradients:
    """Gradients of every floating-point parameter, tied ones under each of their names.

    Raises:
        ConfigError: there is no batch.
        TrainingError: a gradient is not finite.
    """
    parameters = [p for p in network.parameters() if p.is_floating_point()]
    totals = {id(p): torch.zeros_like(p) for p in parameters}
    seen = 0
    with learning(network, parameters):
        for inputs, targets in pairs(batches):
            seen += 1
            value = loss(called(network, inputs), targets)
            parts = torch.autograd.grad(value, parameters, materialize_grads=True)
            for parameter, part in zip(parameters, parts, strict=True):
                totals[id(parameter)] += part
    if not seen:
        raise ConfigError(NO_BATCH)
    return Gradients(by_name(network, totals, "gradient"), seen)


def by_name(network: nn.Module, totals: Mapping[int, Tensor], what: str) -> dict[str, Tensor]:
    """Tensors by name of the parameters that have one, by all of their names.

    Args:
        totals: by `id` of the parameter.
        what: what they are, for the message.

    Raises:
        TrainingError: one is not finite.
    """
    every = network.named_parameters(remove_duplicate=False)
    found = {name: totals[id(p)] for name, p in every if id(p) in totals}
    for name, value in found.items():
        if not torch.isfinite(value).all():
            raise TrainingError(f"the {what} of {name} is not finite; lower the learning rate")
    return found
