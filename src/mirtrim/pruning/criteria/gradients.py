"""Gradients of the loss with respect to the weights, over training batches."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria.collecting import NO_BATCH, Batches, Loss, differentiable, watching
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
    names = {n: p for n, p in network.named_parameters() if p.is_floating_point()}
    frozen = [p for p in names.values() if not p.requires_grad]
    totals = {id(p): torch.zeros_like(p) for p in names.values()}
    seen = 0
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        with watching(network, {}), differentiable():
            for inputs, targets in pairs(batches):
                seen += 1
                value = loss(called(network, inputs), targets)
                parts = torch.autograd.grad(value, list(names.values()), materialize_grads=True)
                for parameter, part in zip(names.values(), parts, strict=True):
                    totals[id(parameter)] += part
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
    if not seen:
        raise ConfigError(NO_BATCH)
    for name, parameter in names.items():
        if not torch.isfinite(totals[id(parameter)]).all():
            raise TrainingError(f"the gradient of {name} is not finite; lower the learning rate")
    every = network.named_parameters(remove_duplicate=False)
    return Gradients({name: totals[id(p)] for name, p in every if id(p) in totals}, seen)
