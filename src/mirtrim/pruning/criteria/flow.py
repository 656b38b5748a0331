"""Criteria from gradient flow (Lubana & Dick, ICLR 2021): what pruning does to loss and gradient.

Their measure of loss preservation is |θ ∂L/∂θ|, which is the criterion `gradient` here. They find
that it is better weighted by the magnitude, and that is `loss_preservation`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from mirtrim.pruning.criteria.collecting import learning
from mirtrim.pruning.criteria.feeding import called, pairs
from mirtrim.pruning.criteria.gradients import by_name
from mirtrim.pruning.criteria.scoring import Scoring, UnitScores, unit_criterion, weight_criterion

_KEPT = "gradient_changes"


@weight_criterion("loss_preservation")
def weight_loss_preservation(context: Scoring, tensor: str) -> Tensor:
    """|θ| · |θ ∂L/∂θ|: keeps weights that are large and that the loss depends on."""
    weight = context.tensors()[tensor]
    return weight.abs() * (weight * context.gradients.sums[tensor]).abs()


@unit_criterion("loss_preservation")
def unit_loss_preservation(context: Scoring) -> UnitScores:
    """Σ |θ| · |θ ∂L/∂θ| over the incoming weights of a unit."""
    return _sum_over_units(
        context,
        {
            name: weight.abs() * (weight * context.gradients.sums[name]).abs()
            for name, weight in context.tensors().items()
            if name in context.gradients.sums
        },
    )


@weight_criterion("gradient_norm")
def weight_gradient_norm(context: Scoring, tensor: str) -> Tensor:
    """|θ · H g|: first-order change of ‖g‖² / 2 if the weight is set to zero.

    GraSP (Wang, Zhang, Grosse, ICLR 2020) ranks by the signed −θ · H g and so prefers cuts
    that raise the gradient norm; its size, which preserves the norm, is what Lubana & Dick
    recommend.
    """
    return (context.tensors()[tensor] * gradient_changes(context)[tensor]).abs()


@unit_criterion("gradient_norm")
def unit_gradient_norm(context: Scoring) -> UnitScores:
    """|Σ θ · H g| over the incoming weights of a unit, which are set to zero together."""
    changes = gradient_changes(context)
    tensors = context.tensors()
    products = {name: tensors[name] * change for name, change in changes.items()}
    return {name: score.abs() for name, score in _sum_over_units(context, products).items()}


def _sum_over_units(context: Scoring, products: Mapping[str, Tensor]) -> UnitScores:
    return context.of_incoming(products, lambda values: values.double().sum(dim=1).cpu())


def gradient_changes(context: Scoring) -> Mapping[str, Tensor]:
    """H g by parameter name: g the mean gradient over all batches, H the Hessian of that loss.

    Exact, by differentiating gᵀ ∇L of each batch once more. Kept with the context, as its
    gradients are, because a criterion for weights is asked tensor by tensor.

    Raises:
        TrainingError: an entry is not finite.
    """
    if _KEPT not in vars(context):
        vars(context)[_KEPT] = _gradient_changes(context)
    changes: Mapping[str, Tensor] = vars(context)[_KEPT]
    return changes


def _gradient_changes(context: Scoring) -> Mapping[str, Tensor]:
    network, gradients = context.network, context.gradients
    named = {n: p for n, p in network.named_parameters() if n in gradients.sums}
    parameters = list(named.values())
    totals = {id(p): torch.zeros_like(p) for p in parameters}
    with learning(network, parameters):
        for inputs, targets in pairs(context.data()):
            loss = context.mean_loss()(called(network, inputs), targets)
            slopes = torch.autograd.grad(
                loss, parameters, create_graph=True, materialize_grads=True
            )
            along = torch.zeros((), device=loss.device)
            for name, slope in zip(named, slopes, strict=True):
                along = along + (slope * gradients.sums[name]).sum()
            if not along.requires_grad:  # a loss that is linear in all weights
                continue
            parts = torch.autograd.grad(along, parameters, materialize_grads=True)
            for parameter, part in zip(parameters, parts, strict=True):
                totals[id(parameter)] += part / gradients.batches**2
    return by_name(network, totals, "Hessian")
