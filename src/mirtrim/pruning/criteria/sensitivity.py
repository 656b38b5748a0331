"""Criteria that ask how the loss depends on a unit or a weight."""

import torch
from torch import Tensor

from mirtrim.pruning.criteria.collecting import find_taps, output_gradients
from mirtrim.pruning.criteria.scoring import Scoring, UnitScores, unit_criterion, weight_criterion

SMALL = 1e-7  # of the replicated code


@unit_criterion("gradient")
def unit_gradient(context: Scoring) -> UnitScores:
    """First-order change of the loss if a unit is set to zero, per example.

    Mean over examples of |Σ_positions a_u · ∂L/∂a_u|, with a read behind the norm that
    directly follows, because the norm goes with the unit (Molchanov et al., ICLR 2017, eq. 8,
    and CVPR 2019, who put their gates behind the batch norm). For ReLU, a · ∂L/∂a is the same
    before and after it.

    Recurrent layers use |Σ_w w · ∂L/∂w| over the incoming weights of a unit (Molchanov et al.
    2019, the form for sets of weights), because their units act inside the layer, at every
    step and in every stacked layer.
    """
    layers = context.removable()
    scores: UnitScores = {}
    tensors = context.tensors()
    for layer in layers:
        if layer.kind == "recurrent":
            weights = context.graph.unit_weights(layer, tensors).double()
            slopes = context.graph.unit_weights(layer, context.gradients.sums).double()
            scores[layer.name] = (weights * slopes).sum(dim=1).abs() / context.gradients.batches
    others = [layer for layer in layers if layer.kind != "recurrent"]
    if not others:
        return context.complete(scores)
    taps = find_taps(context.network, context.graph, others, after_norm=True)
    totals = {tap.layer: torch.zeros(tap.units, dtype=torch.float64) for tap in taps}
    examples = 0
    batches = output_gradients(context.network, taps, context.data(), context.mean_loss())
    for found, size in batches:
        examples += size
        for layer_name, calls in found.items():
            change = sum((_change(values, slope) for values, slope in calls), torch.zeros(()))
            totals[layer_name] += change.abs().sum(dim=0).cpu()
    return context.complete(scores | {name: total / examples for name, total in totals.items()})


def _change(values: Tensor, slope: Tensor) -> Tensor:
    """Σ_positions a · ∂L/∂a of each example, (examples, units)."""
    return (values * slope).double().reshape(*values.shape[:2], -1).sum(dim=2)


@unit_criterion("gradient_max")
def unit_gradient_max(context: Scoring) -> UnitScores:
    """Σ|G_w| over the incoming weights of a unit, G = Σ_batches ∂L/∂w (the replicated formula)."""
    return context.of_incoming(context.gradients.sums, lambda slopes: slopes.abs().sum(dim=1))


@unit_criterion("gradient_min")
def unit_gradient_min(context: Scoring) -> UnitScores:
    """Σ 1 / (|G_w| + 10⁻⁷) over the incoming weights of a unit (the replicated formula).

    Keeps what the loss depends on least: a unit with a single vanishing gradient outweighs
    every other. It is here for the comparison, not for use.
    """
    return context.of_incoming(
        context.gradients.sums, lambda slopes: (1 / (slopes.abs() + SMALL)).sum(dim=1)
    )


@weight_criterion("gradient")
def weight_gradient(context: Scoring, tensor: str) -> Tensor:
    """|w · ∂L/∂w|: first-order change of the loss if the weight is set to zero.

    As connection sensitivity in Lee et al., SNIP, ICLR 2019, but on the trained network.
    """
    return (context.tensors()[tensor] * context.gradients.sums[tensor]).abs()


@weight_criterion("gradient_max")
def weight_gradient_max(context: Scoring, tensor: str) -> Tensor:
    """|G_w|, G = Σ_batches ∂L/∂w (the replicated formula)."""
    return context.gradients.sums[tensor].abs()


@weight_criterion("gradient_min")
def weight_gradient_min(context: Scoring, tensor: str) -> Tensor:
    """1 / (|G_w| + 10⁻⁷) (the replicated formula)."""
    return 1 / (context.gradients.sums[tensor].abs() + SMALL)
