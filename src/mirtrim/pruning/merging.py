"""One set of weights out of several that were trained from the same start, each for its own task.

    τ_t = θ_t − θ_0                          the task vector (Ilharco et al., ICLR 2023)
    θ = θ_0 + λ Σ_t τ_t                      task arithmetic; λ = 1/T is the plain average

EMR-merging (Huang et al., NeurIPS 2024) elects one vector and keeps a mask and a number per task:

    s = sgn(Σ_t τ_t),   τ = s · max_t {|τ_t| where τ_t · s > 0}
    M_t = [τ_t · τ > 0],   γ_t = Σ |τ_t| / Σ |M_t ⊙ τ|
    θ_t = θ_0 + γ_t M_t ⊙ τ

Sums in γ_t go over all entries of all tensors. Nothing is trained here, and nothing hangs on what
the tasks are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mirtrim.pruning.masking import Masks

Weights = dict[str, Tensor]


def task_vector(start: Weights, trained: Weights) -> Weights:
    """τ = `trained` − `start`, tensor by tensor.

    Raises:
        ValueError: they are not of one shape.
    """
    _check_alike([start, trained])
    return {name: trained[name] - value for name, value in start.items()}


def with_vectors(start: Weights, vectors: Sequence[Weights], strength: float) -> Weights:
    """θ_0 + λ Σ_t τ_t.

    Args:
        strength: λ.

    Raises:
        ValueError: start and vectors are not of one shape.
    """
    _check_alike([start, *vectors])
    return {
        name: value + strength * torch.stack([vector[name] for vector in vectors]).sum(dim=0)
        for name, value in start.items()
    }


@dataclass(frozen=True)
class Elected:
    """What EMR-merging keeps besides θ_0.

    Attributes:
        unified: τ.
        masks: M_t of every task.
        rescalers: γ_t of every task; 0 where no entry of the task agrees with τ.
    """

    unified: Weights
    masks: tuple[Masks, ...]
    rescalers: tuple[float, ...]

    def weights(self, start: Weights, task: int) -> Weights:
        """θ_t of the task at that place."""
        scale, mask = self.rescalers[task], self.masks[task]
        return {n: value + scale * mask[n] * self.unified[n] for n, value in start.items()}


def elect(vectors: Sequence[Weights]) -> Elected:
    """Elect, mask and rescale.

    Args:
        vectors: τ_t; their order decides the order of masks and rescalers alone.

    Raises:
        ValueError: they are not of one shape.
    """
    _check_alike(vectors)
    unified = {}
    for name in vectors[0]:
        every = torch.stack([vector[name] for vector in vectors])
        sign = every.sum(dim=0).sign()
        unified[name] = sign * (every * sign).clamp(min=0).amax(dim=0)
    masks = tuple(
        {name: value * unified[name] > 0 for name, value in vector.items()} for vector in vectors
    )
    rescalers = []
    for vector, mask in zip(vectors, masks, strict=True):
        own = sum(float(value.double().abs().sum()) for value in vector.values())
        kept = sum(float((mask[n] * unified[n]).double().abs().sum()) for n in vector)
        rescalers.append(own / kept if kept else 0.0)
    return Elected(unified, masks, tuple(rescalers))


def cosine(first: Weights, second: Weights) -> float:
    """Cosine of the angle between two task vectors; 0 where one of them is 0."""
    _check_alike([first, second])
    pairs = [(value.double(), second[name].double()) for name, value in first.items()]
    product = sum(float((a * b).sum()) for a, b in pairs)
    squares = [sum(float(pair[i].square().sum()) for pair in pairs) for i in (0, 1)]
    length = (squares[0] * squares[1]) ** 0.5
    return product / length if length else 0.0


def _check_alike(states: Sequence[Weights]) -> None:
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("weights to merge are not of one shape")
