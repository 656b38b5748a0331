"""Which weights are masked: scope, minimum_weights, and exactly the number that was asked for."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mirtrim.pruning.settings import assert_known
from mirtrim.utils.errors import RatioError


def choose_weights(
    scores: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    target: int,
    *,
    scope: str = "local",
    minimum_weights: int = 1,
) -> dict[str, Tensor]:
    """New masks that keep exactly `target` weights among those still kept by `masks`.

    Args:
        scores: per maskable tensor, a score for every entry.
        masks: per maskable tensor, the current Boolean mask, same shape.
        target: number of weights to keep in all tensors together.
        scope: "local" keeps the same share of what every tensor has left; "global" ranks all.
        minimum_weights: weights that every tensor keeps at least.

    Raises:
        RatioError: the target is below the minima or above what is left.
    """
    alive = {name: int(mask.sum()) for name, mask in masks.items()}
    least = {name: min(minimum_weights, count) for name, count in alive.items()}
    if not sum(least.values()) <= target <= sum(alive.values()):
        raise RatioError(
            f"cannot keep {target} weights: between {sum(least.values())} and "
            f"{sum(alive.values())} are possible"
        )
    assert_known("scope", scope)
    if scope == "local":
        counts = _shares(alive, least, target)
    else:
        counts = _global_counts(scores, masks, least, target)
    return {name: _top(scores[name], masks[name], counts[name]) for name in masks}


def _shares(alive: Mapping[str, int], least: Mapping[str, int], target: int) -> dict[str, int]:
    """Split `target` in proportion to `alive`, at least `least` each, exactly."""
    names = list(alive)
    low, high = 0.0, 1.0
    for _ in range(60):  # halves the interval below the resolution of a double
        share = (low + high) / 2
        total = sum(max(least[n], int(share * alive[n])) for n in names)
        low, high = (share, high) if total <= target else (low, share)
    counts = {n: max(least[n], int(low * alive[n])) for n in names}
    spare = target - sum(counts.values())
    # What rounding down left over goes to the tensors with the largest remainders.
    # They are enough: with the share at `high`, at most one more of each, the total is too large.
    for n in sorted(names, key=lambda n: int(low * alive[n]) - low * alive[n]):
        step = min(spare, 1, alive[n] - counts[n])
        counts[n] += step
        spare -= step
    return counts


def _global_counts(
    scores: Mapping[str, Tensor],
    masks: Mapping[str, Tensor],
    least: Mapping[str, int],
    target: int,
) -> dict[str, int]:
    """How many of the best weights over all tensors fall into each tensor."""
    names = list(masks)
    values, owners = [], []
    for index, name in enumerate(names):
        ordered = scores[name][masks[name]].double().sort(descending=True).values
        rest = ordered[least[name] :]
        values.append(rest)
        owners.append(torch.full(rest.shape, index, device=rest.device))
    order = torch.cat(values).argsort(descending=True, stable=True)
    best = torch.cat(owners)[order[: target - sum(least.values())]]
    extra = torch.bincount(best, minlength=len(names)).cpu().tolist()
    return {name: least[name] + extra[index] for index, name in enumerate(names)}


def _top(score: Tensor, mask: Tensor, count: int) -> Tensor:
    """Boolean mask of the `count` highest entries of `score` where `mask` holds."""
    flat = torch.where(mask, score.double(), -torch.inf).flatten()
    chosen = torch.zeros_like(flat, dtype=torch.bool)
    chosen[flat.argsort(descending=True, stable=True)[:count]] = True
    return chosen.reshape(mask.shape)
