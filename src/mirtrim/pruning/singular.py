"""Weights as matrices, and what has become of their singular vectors.

A layer is the matrix (outputs, inputs · kernel) that it multiplies its input by, W = U Σ Vᵀ. An
*intruder dimension* (Shuttleworth, Andreas, Torralba, Sharma, "LoRA vs full fine-tuning: an
illusion of equivalence", 2024) is a left singular vector of the changed weight that no left
singular vector of the weight before resembles:

    max_i |⟨u_i, u'_j⟩| < ε

There it tells low-rank adapters from full fine-tuning; here it asks the same of pruned networks.
The *effective rank* (Roy & Vetterli, EUSIPCO 2007) is exp(−Σ p ln p) with p = σ / Σ σ.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mirtrim.units.pairs import KINDS, LayerPair, product

INTRUDER = 0.5  # ε; two directions further apart than 60° do not resemble each other
LEADING = 10  # one direction in so many, at least one, counts as leading


@dataclass(frozen=True)
class Directions:
    """The singular directions of one layer, beside those that it had.

    Attributes:
        directions: singular values above rounding.
        intruders: how many of their left vectors resemble none of the weight before.
        leading: how many of them are leading: a tenth of the shorter side, rounded up.
        leading_intruders: intruders among those.
        effective_rank: of the changed weight, between 1 and its shorter side.
        leading_energy: share of Σ σ² that the leading directions have.
    """

    directions: int
    intruders: int
    leading: int
    leading_intruders: int
    effective_rank: float
    leading_energy: float


def compared(weight: Tensor, before: Tensor, threshold: float = INTRUDER) -> Directions:
    """Singular directions of `weight` beside those of `before`.

    Args:
        weight, before: matrices of one number of rows.
        threshold: ε, below which a cosine is no resemblance.

    Raises:
        ValueError: the numbers of rows differ, or a weight is not finite.
    """
    if weight.shape[0] != before.shape[0]:
        raise ValueError(f"{weight.shape[0]} outputs cannot be compared with {before.shape[0]}")
    vectors, values = _left(weight)
    known, _ = _left(before)
    cosines = known.T @ vectors
    strange = cosines.abs().amax(0) < threshold if known.shape[1] else torch.ones(len(values)) > 0
    leading = min(-(-min(weight.shape) // LEADING), len(values))
    energy = values**2
    return Directions(
        directions=len(values),
        intruders=int(strange.sum()),
        leading=leading,
        leading_intruders=int(strange[:leading].sum()),
        effective_rank=effective_rank(values),
        leading_energy=float(energy[:leading].sum() / energy.sum()) if leading else math.nan,
    )


def effective_rank(values: Tensor) -> float:
    """exp of the entropy of singular values (n,); 0 where all are 0."""
    total = float(values.sum())
    if total <= 0:
        return 0.0
    shares = values[values > 0] / total
    return math.exp(-float((shares * shares.log()).sum()))


def _left(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Left singular vectors (rows, n) and values (n,) above rounding, largest first."""
    matrix = weight.detach().double().cpu()
    if not torch.isfinite(matrix).all():
        raise ValueError("a weight is not finite")
    vectors, values, _ = torch.linalg.svd(matrix, full_matrices=False)
    # Weights are float32: below its rounding, a direction is noise.
    rounding = max(matrix.shape) * torch.finfo(torch.float32).eps
    real = values > rounding * values[0]
    return vectors[:, real], values[real]


def matrices_of(network: nn.Module) -> dict[str, Tensor]:
    """Name → matrix (outputs, inputs · kernel) of every linear and convolution layer.

    A pair of layers in the place of one is the product of both, under the name of the one.

    Raises:
        ValueError: a pair is no product of two matrices.
    """
    found: dict[str, Tensor] = {}
    inside: set[str] = set()
    for name, module in network.named_modules():
        if isinstance(module, LayerPair):
            found[name] = product(module)
            inside |= {f"{name}.0", f"{name}.1"}
        elif type(module) in KINDS.values() and name not in inside:
            found[name] = module.get_parameter("weight").detach().flatten(1)
    return found
