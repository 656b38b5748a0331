"""Estimates of mutual information in bits, for all units of a layer at once.

Two estimators, because no single one is right for every question:

* `binned_information`: a continuous unit against discrete labels. Sees any dependence.
* `noisy_information`: a unit against the network's input, of which it is a function.

None of them draws random numbers. None returns NaN: a constant unit has 0 bits.

Reference:
    Miller, Note on the bias of information estimates, in Information Theory in Psychology, 1955.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

MOST_BINS = 10
SAMPLES_PER_CELL = 4
RARE_PER_BIN = 10  # the correction fails for columns that are nearly always the same
GRID_STEPS = 4  # grid points per standard deviation of the noise
KERNEL_DEVIATIONS = 6  # where the noise density is cut off: 1e-9 of it lies beyond
BLOCK_VALUES = 1 << 21  # values handled at once, to stay within a processor's cache


def binned_information(values: Tensor, labels: Tensor, bins: int | None = None) -> Tensor:
    """I(unit; label) of every unit, from equally full bins, with the Miller-Madow correction.

    Î = Ĥ(bin) + Ĥ(label) − Ĥ(bin, label), each Ĥ + (occupied cells − 1) / 2n nats, not below 0.
    Binning by rank makes the result independent of the scale and the shape of a unit's
    distribution. Equal values share a bin, so half-silent units are measured as they are and
    dead ones have 0 bits. No unit gets more than log₂(bins), which with ten bins ranks units
    by up to 3.3 bits even where labels hold more.

    Args:
        values: (n, units).
        labels: integers (n,).
        bins: per unit; by default as many, up to 10, as leave four samples for every pair of
            bin and label, at least 2.

    Returns:
        Bits (units,), float64.
    """
    _, labels = labels.unique(return_inverse=True)
    classes = int(labels.max()) + 1
    bins = bins or default_bins(len(labels), classes)
    binned = rank_bins(values, bins)  # (units, n)
    units, n = binned.shape
    offsets = torch.arange(units, device=binned.device)[:, None] * bins
    cells = ((offsets + binned) * classes + labels).flatten()
    joint = torch.bincount(cells, minlength=units * bins * classes)
    return _information_of_counts(joint.reshape(units, bins, classes), n).clamp(min=0)


def column_information(values: Tensor, columns: Tensor, bins: int | None = None) -> Tensor:
    """Mean over the target columns of I(unit; column), for targets of several 0/1 columns.

    A mean of marginal informations and not a joint one: c columns have up to 2^c joint values,
    far more than there are examples, and every estimate of their joint information would be
    its own bias. Redundant columns therefore count each on its own. Columns that never change
    carry nothing and are left out of the mean. Only the mean is cut off at 0: cutting every
    column would leave a floor made of noise.

    Args:
        values: (n, units).
        columns: zeros and ones, (n, columns).
        bins: per unit; by default as many, from 3 to 10, as leave ten samples of a column's
            rarer value for every bin (in the median column).

    Returns:
        Bits (units,), float64, at most 1.
    """
    columns = columns != 0
    columns = columns[:, columns.any(dim=0) & ~columns.all(dim=0)]
    n, units = values.shape
    total = torch.zeros(units, dtype=torch.float64, device=values.device)
    if columns.shape[1] == 0:
        return total
    ones = columns.float()
    rarer = torch.minimum(ones.sum(dim=0), n - ones.sum(dim=0)).median()
    bins = bins or max(3, min(MOST_BINS, int(rarer) // RARE_PER_BIN))
    binned = rank_bins(values, bins)  # (units, n)
    block = max(1, BLOCK_VALUES // (n * bins))
    for first in range(0, units, block):
        part = binned[first : first + block]
        members = functional.one_hot(part, bins).float()  # (block, n, bins)
        full = members.sum(dim=1).double()  # (block, bins)
        # Products of 0 and 1 summed below 2^24 are exact in single precision.
        active = torch.einsum("unb,nc->ucb", members, ones).double()
        joint = torch.stack([active, full[:, None] - active], dim=-1)  # (block, columns, bins, 2)
        bits = _information_of_counts(joint.flatten(0, 1), n)
        total[first : first + block] = bits.reshape(len(part), -1).mean(dim=1)
    return total.clamp(min=0)


def default_bins(n: int, classes: int) -> int:
    """Bins for n samples: at most 10, about four samples per cell, at least 2."""
    return max(2, min(MOST_BINS, n // (SAMPLES_PER_CELL * classes)))


def rank_bins(values: Tensor, bins: int) -> Tensor:
    """Bin numbers by mid-rank, so that bins are equally full and equal values share one.

    Args:
        values: (n, units).

    Returns:
        int64 (units, n), from 0 to bins − 1.
    """
    doubled = _doubled_ranks(values)
    return doubled * bins // (2 * doubled.shape[1])


def _doubled_ranks(values: Tensor) -> Tensor:
    """Twice the mid-rank of every value in its column, odd for untied ones: (units, n)."""
    ordered, order = values.t().contiguous().sort(dim=1)
    n = ordered.shape[1]
    ranks = torch.arange(n, device=values.device).expand_as(ordered)
    changes = ordered[:, 1:] != ordered[:, :-1]
    edge = torch.ones_like(ordered[:, :1], dtype=torch.bool)
    first = torch.where(torch.cat([edge, changes], 1), ranks, 0).cummax(1).values
    last = torch.where(torch.cat([changes, edge], 1), ranks, n).flip(1).cummin(1).values.flip(1)
    return torch.empty_like(order).scatter_(1, order, first + last + 1)


def _information_of_counts(joint: Tensor, n: int) -> Tensor:
    """Bits (rows,), not cut off at 0, of tables (rows, bins, classes) of n samples each."""
    rows, columns = joint.sum(dim=2), joint.sum(dim=1)
    nats = _entropy(rows, n) + _entropy(columns, n) - _entropy(joint.flatten(1), n)
    return nats / math.log(2)


def _entropy(counts: Tensor, n: int) -> Tensor:
    """Miller-Madow entropy in nats of each row of counts."""
    counts = counts.double()
    plain = math.log(n) - torch.xlogy(counts, counts).sum(dim=1) / n
    return plain + ((counts > 0).sum(dim=1) - 1) / (2 * n)


def noisy_information(values: Tensor, noise: float) -> Tensor:
    """I(input; unit + noise) of units that are functions of the input.

    Without noise it is infinite for continuous units and log₂ n for every estimator that can
    tell n values apart, whatever the unit does. With independent Gaussian noise E it is
    h(unit + E) − h(E): the bits about the input that survive at the resolution of the noise.
    The density of unit + E is the mean of one Gaussian per sample: here the noise is the
    kernel, and no bandwidth has to be guessed. The expected shortfall of the entropy,
    ∫ Var p̂ / 2p, is added.

    Args:
        values: (n, units).
        noise: standard deviation of E, in the units of `values`.

    Returns:
        Bits (units,), float64; 0 for a constant unit.

    Raises:
        ValueError: the noise is not positive.
    """
    if not noise > 0:
        raise ValueError(f"the noise must have a positive deviation, got {noise}")
    units = values.t()
    block = max(1, BLOCK_VALUES // units.shape[1])
    return torch.cat([_noisy_block(part.contiguous(), noise) for part in units.split(block)])


def _noisy_block(units: Tensor, noise: float) -> Tensor:
    """`noisy_information` for values (units, n)."""
    n = units.shape[1]
    step = noise / GRID_STEPS
    reach = KERNEL_DEVIATIONS * GRID_STEPS
    low, high = units.amin(dim=1, keepdim=True), units.amax(dim=1, keepdim=True)
    # One long grid holds a stretch for each unit, with margins that the kernel cannot cross.
    lengths = ((high - low) / step).long().flatten() + 2 + 2 * reach
    starts = lengths.cumsum(0) - lengths
    cells = ((units - low) / step).add_(0.5).long().add_((starts + reach)[:, None])
    counts = torch.bincount(cells.flatten(), minlength=int(lengths.sum())).double() / n
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64, device=units.device)
    kernel = torch.exp(-0.5 * (offsets / GRID_STEPS) ** 2)
    density, overlap = (
        functional.conv1d(counts[None], shape[None, None], padding=reach)[0]
        for shape in (kernel, kernel.square())
    )
    owner = torch.repeat_interleave(torch.arange(len(units), device=units.device), lengths)
    zeros = torch.zeros(len(units), dtype=torch.float64, device=units.device)
    mass = kernel.sum()
    entropy = zeros.index_add(0, owner, -torch.xlogy(density, density / mass)) / mass
    # ∫ p * φ² / p, as the number of samples that lie apart from each other.
    apart = zeros.index_add(0, owner, overlap / density.clamp(min=1e-300)) / mass
    noise_entropy = -(kernel / mass * (kernel / mass).log()).sum()
    nats = entropy - noise_entropy + (apart - 1) / (2 * n)
    return torch.where((high > low).flatten(), nats.clamp(min=0), 0.0) / math.log(2)
