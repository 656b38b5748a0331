"""Criteria that measure how strongly units are active."""

import torch
from torch import Tensor

from mirtrim.pruning.criteria.collecting import find_taps, reduced_outputs
from mirtrim.pruning.criteria.scoring import Scoring, UnitScores, unit_criterion


@unit_criterion("activation")
def unit_activation(context: Scoring) -> UnitScores:
    """Mean of |a_u| over examples and positions, a the layer's own output.

    The replicated formula: a is what the layer puts out before any norm or nonlinearity. It
    sums over at most 100 random positions where this takes the mean of all, which is the same
    up to a factor per layer. A constant unit with a large bias scores high, and a norm behind
    the layer undoes the very scale that is measured; see `activation_after`.
    """
    return _mean_size(context, after_norm=False)


@unit_criterion("activation_after")
def unit_activation_after(context: Scoring) -> UnitScores:
    """Mean of |a_u| over examples and positions, a read behind the norm that follows.

    Layers without a norm are read as in `activation`.
    """
    return _mean_size(context, after_norm=True)


def _mean_size(context: Scoring, after_norm: bool) -> UnitScores:
    taps = find_taps(context.network, context.graph, context.removable(), after_norm=after_norm)
    totals = {tap.layer: torch.zeros(tap.units, dtype=torch.float64) for tap in taps}
    counts = dict.fromkeys(totals, 0)

    def reduce(values: Tensor, targets: Tensor) -> Tensor:
        sizes = values.abs().transpose(0, 1).flatten(1).double()
        return torch.stack([sizes.sum(dim=1), torch.full_like(sizes[:, 0], sizes.shape[1])])

    for found, _ in reduced_outputs(context.network, taps, context.data(), reduce):
        for layer, calls in found.items():
            for total, count in calls:
                totals[layer] += total.cpu()
                counts[layer] += int(count[0])
    return context.complete({name: totals[name] / max(1, counts[name]) for name in totals})
