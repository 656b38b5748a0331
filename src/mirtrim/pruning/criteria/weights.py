"""Criteria that look at nothing but the network's own tensors."""

import torch
from torch import Tensor

from mirtrim.pruning.criteria.collecting import norm_following
from mirtrim.pruning.criteria.scoring import Scoring, UnitScores, unit_criterion, weight_criterion
from mirtrim.units.graph import UnitLayer

# Finite, so that scores stay sortable, and above every gain that a trained network can have.
NEVER_CUT = 1e30


@unit_criterion("magnitude")
def unit_magnitude(context: Scoring) -> UnitScores:
    """Σ|w| over all incoming weights of a unit, biases left out (the replicated formula)."""
    return context.of_incoming(context.tensors(), lambda weights: weights.abs().sum(dim=1))


@unit_criterion("random")
def unit_random(context: Scoring) -> UnitScores:
    """Uniform random numbers: the control for every other criterion."""
    return {
        layer.name: torch.rand(len(layer.groups), generator=context.generator)
        for layer in context.graph.layers
    }


@unit_criterion("batchnorm")
def unit_batchnorm(context: Scoring) -> UnitScores:
    """|γ| of the normalisation that follows a layer (Liu et al., Network slimming, ICCV 2017).

    A layer that no gain follows would have no score, and a network without normalisation
    would never shrink. Such a layer is scored by ‖w_u‖₂ / max_v ‖w_v‖₂ over its units'
    incoming weights instead: between 0 and 1, as gains are that started at 1.
    """
    return context.complete(
        {layer.name: _gain_or_norm(context, layer) for layer in context.graph.layers}
    )


@unit_criterion("batchnorm_replicated")
def unit_batchnorm_replicated(context: Scoring) -> UnitScores:
    """|γ| where a gain follows; every other layer gets 10³⁰, because it is never cut.

    This is what the replicated code does. A score protects a layer only where layers are
    compared: under local scope, or after a scale that evens out layers, `without_gain` names
    the layers to protect.
    """
    scores = {}
    for layer in context.graph.layers:
        gain = gain_after(context, layer)
        never = torch.full((len(layer.groups),), NEVER_CUT, dtype=torch.float64)
        scores[layer.name] = never if gain is None else gain.abs()
    return context.complete(scores)


def without_gain(context: Scoring) -> tuple[str, ...]:
    """Names of the layers that `batchnorm_replicated` never cuts."""
    return tuple(layer.name for layer in context.graph.layers if gain_after(context, layer) is None)


def gain_after(context: Scoring, layer: UnitLayer) -> Tensor | None:
    """Gain γ (units,) of the normalisation that directly follows a layer, None without one."""
    norm = norm_following(context.graph, layer)
    gain = None if norm is None else context.tensors().get(f"{norm}.weight")
    return gain if gain is not None and gain.shape == layer.groups.shape else None


def _gain_or_norm(context: Scoring, layer: UnitLayer) -> Tensor:
    gain = gain_after(context, layer)
    if gain is not None:
        return gain.abs()
    lengths = context.graph.unit_weights(layer, context.tensors()).double().norm(dim=1)
    return lengths / lengths.max().clamp(min=torch.finfo(torch.float64).tiny)


@weight_criterion("magnitude")
def weight_magnitude(context: Scoring, tensor: str) -> Tensor:
    """|w| (Han et al. 2015; Frankle & Carbin 2019)."""
    return context.tensors()[tensor].abs()


@weight_criterion("random")
def weight_random(context: Scoring, tensor: str) -> Tensor:
    """Uniform random numbers."""
    weights = context.tensors()[tensor]
    return torch.rand(weights.shape, generator=context.generator).to(weights.device)
