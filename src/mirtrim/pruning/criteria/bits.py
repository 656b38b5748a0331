"""Criteria that measure in bits what units know: about the input, about the targets.

Both read behind the norm that directly follows a layer, if there is one: scaling a unit up in
front of a norm changes nothing in the network and must not change its score.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from mirtrim.pruning.criteria.collecting import Batches, Reduce, find_taps, reduced_outputs
from mirtrim.pruning.criteria.feeding import examples_in, pairs
from mirtrim.pruning.criteria.information import (
    binned_information,
    column_information,
    noisy_information,
    rank_bins,
)
from mirtrim.pruning.criteria.scoring import Scoring, UnitScores, unit_criterion

EXAMPLES = 1000  # as many as the replicated code looks at
POSITIONS = 100  # per example, drawn anew for each batch
PAIRS = 10_000  # of frame and target frame
RESOLUTION = 1 / 16  # of the deviation of a layer's outputs
TARGET_BINS = 10  # for real-valued targets


@unit_criterion("information")
def unit_information(context: Scoring) -> UnitScores:
    """Bits about the input that survive in a unit at the resolution of its layer.

    I(X; Y_u + E) = h(Y_u + E) − h(E), see `noisy_information`. The deviation of E is one
    number per layer: 1/16 of the root mean square deviation of the outputs of its units from
    their means. The replicated code estimates I(X; Y_u) by hashing, which for a function of a
    continuous input is log₂ of the number of samples for nearly every unit.

    Uses up to 1000 examples and 100 random positions in each.
    """

    def reduce(values: Tensor, targets: Tensor) -> Tensor:
        positions = values.flatten(2) if values.dim() > 2 else values[:, :, None]
        count = positions.shape[2]
        if count > POSITIONS:
            chosen = torch.randperm(count, generator=context.generator)[:POSITIONS]
            positions = positions[:, :, chosen.to(values.device)]
        return positions.transpose(0, 1).flatten(1)  # (units, samples)

    parts: dict[str, list[Tensor]] = {}
    for found, _ in _seen_behind_norms(context, reduce):
        for layer, calls in found.items():
            parts.setdefault(layer, []).extend(calls)
    # Popping frees each layer's samples as soon as they are measured.
    return context.complete(
        {name: at_own_resolution(torch.cat(parts.pop(name), dim=1)) for name in list(parts)}
    )


def at_own_resolution(units: Tensor) -> Tensor:
    """`noisy_information` of (units, samples), with noise in proportion to the layer."""
    deviation = float(units.var(dim=1, correction=0).double().mean().sqrt())
    # Of equal values, rounding can leave a deviation that is not exactly zero.
    if deviation <= 1e-6 * float(units.abs().max()):
        return torch.zeros(len(units), dtype=torch.float64)
    return noisy_information(units.t(), RESOLUTION * deviation)


@unit_criterion("target_information")
def unit_target_information(context: Scoring) -> UnitScores:
    """Bits that a unit shares with the targets, after pooling over its positions.

    Targets may be
    * labels, integers (n,): I(max over positions of a_u; label);
    * zeros and ones, or shares of them, (n, columns) or (n, detectors, frames): the mean over
      columns of I(a_u; column), marginal and not joint, see `column_information`; a share
      counts as one from ½ on. Where a unit has as many positions along some axis as there are
      target frames, its frames are paired with the target's (up to 10 000 random pairs, other
      axes pooled by their maximum) and the mean is over detectors;
    * real numbers, (n,) or (n, columns): the mean over columns of I(a_u; decile of the column).

    The maximum is what a ReLU and a pooling layer behind the unit would let through. Uses up to
    1000 examples.
    """

    def reduce(values: Tensor, targets: Tensor) -> Tensor:
        frames = _paired_axis(values, targets)
        others = [d for d in range(2, values.dim()) if d != frames]
        return values.amax(dim=others) if others else values  # (examples, units[, frames])

    parts: dict[str, list[Tensor]] = {}
    every: list[Tensor] = []
    for found, targets in _seen_behind_norms(context, reduce):
        every.append(targets)
        for layer, calls in found.items():
            parts.setdefault(layer, []).append(torch.stack(calls).amax(dim=0))
    targets = torch.cat(every)
    chosen = _pairs(targets, context.generator)
    return context.complete(
        {name: _shared_bits(torch.cat(values), targets, chosen) for name, values in parts.items()}
    )


def _seen_behind_norms(
    context: Scoring, reduce: Reduce
) -> Iterator[tuple[dict[str, list[Tensor]], Tensor]]:
    """`reduced_outputs` of all units that can go, for as many examples as are looked at."""
    taps = find_taps(context.network, context.graph, context.removable(), after_norm=True)
    batches = first_examples(context.data(), EXAMPLES)
    return reduced_outputs(context.network, taps, batches, reduce)


def _paired_axis(values: Tensor, targets: Tensor) -> int | None:
    """The last axis of (examples, units, *positions) with one position per target frame."""
    if targets.dim() != 3:
        return None
    axes = [d for d in range(2, values.dim()) if values.shape[d] == targets.shape[2]]
    return axes[-1] if axes else None


def _pairs(targets: Tensor, generator: torch.Generator) -> Tensor:
    """Which of the examples × frames to pair."""
    count = len(targets) * (targets.shape[2] if targets.dim() == 3 else 1)
    return torch.randperm(count, generator=generator)[:PAIRS].to(targets.device)


def _shared_bits(values: Tensor, targets: Tensor, chosen: Tensor) -> Tensor:
    """Bits (units,) between (examples, units[, frames]) and the targets."""
    if values.dim() == 3:  # pair frame with frame
        values = values.transpose(1, 2).flatten(0, 1)[chosen]
        targets = targets.transpose(1, 2).flatten(0, 1)[chosen]
    if targets.dim() == 1 and not targets.is_floating_point():
        return binned_information(values, targets)
    columns = targets.flatten(1) if targets.dim() > 1 else targets[:, None]
    if bool(((columns >= 0) & (columns <= 1)).all()):
        return column_information(values, columns >= 0.5)
    deciles = rank_bins(columns, TARGET_BINS)
    return torch.stack([binned_information(values, column) for column in deciles]).mean(dim=0)


def first_examples(batches: Batches, limit: int) -> Batches:
    """The batches up to the one that completes `limit` examples."""

    def limited() -> Iterator[tuple[Tensor, Tensor]]:
        seen = 0
        for inputs, targets in pairs(batches):
            yield inputs, targets
            seen += examples_in(inputs)
            if seen >= limit:
                return

    return limited
