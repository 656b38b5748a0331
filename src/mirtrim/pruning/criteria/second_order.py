"""Criteria that ask how the loss curves: optimal brain damage and surgeon, for single weights.

The Hessian is that of the mean of squared gradients of single examples (the empirical Fisher
information), as in WoodFisher (Singh & Alistarh, NeurIPS 2020) and oBERT (Kurtic et al., EMNLP
2022). The surgeon keeps blocks of it along the diagonal, which is what makes it affordable.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from mirtrim.pruning.criteria.collecting import NO_BATCH, learning
from mirtrim.pruning.criteria.scoring import Scoring, weight_criterion
from mirtrim.utils.errors import ConfigError, TrainingError

# Single examples whose gradients are taken, at most.
EXAMPLES = 256
# Weights of one block, and what is added to the diagonal; both as in oBERT.
BLOCK = 50
DAMPING = 1e-7


@weight_criterion("optimal_damage")
def weight_optimal_damage(context: Scoring, tensor: str) -> Tensor:
    """½ · h · w², h the diagonal of the Hessian (LeCun, Denker, Solla, NeurIPS 1989, eq. 6)."""
    weights = context.tensors()[tensor].double()
    total, count = torch.zeros_like(weights), 0
    for gradient in example_gradients(context, tensor):
        total += gradient.square()
        count += 1
    return 0.5 * total / count * weights.square()


@weight_criterion("optimal_surgeon")
def weight_optimal_surgeon(context: Scoring, tensor: str) -> Tensor:
    """w² / (2 · [H⁻¹]_ww), the rise of the loss once all others have moved.

    Hassibi & Stork, NeurIPS 1993, eq. 5, with blocks of H as in Kurtic et al. 2022, eq. 6. A
    criterion only ranks; the others are moved by the method `optimal_surgeon`.
    """
    weights = context.tensors()[tensor].double()
    inverse = inverse_of(hessian_blocks(context, tensor))
    spread = inverse.diagonal(dim1=1, dim2=2).flatten()[: weights.numel()]
    return weights.square() / (2 * spread.to(weights.device).view_as(weights))


def hessian_blocks(context: Scoring, tensor: str, block: int = BLOCK) -> Tensor:
    """Blocks of the Hessian along its diagonal, (blocks, block, block), float64.

    Weights are taken in the order in which they lie; what is missing of the last block is as if
    its gradient were 0.
    """
    count = context.tensors()[tensor].numel()
    blocks = -(-count // block)
    total, examples = torch.zeros(blocks, block, block, dtype=torch.float64), 0
    for gradient in example_gradients(context, tensor):
        rows = torch.zeros(blocks * block, dtype=torch.float64)
        rows[:count] = gradient.flatten().cpu()
        rows = rows.view(blocks, block)
        total.baddbmm_(rows[:, :, None], rows[:, None, :])
        examples += 1
    return total / examples + DAMPING * torch.eye(block, dtype=torch.float64)


def inverse_of(blocks: Tensor) -> Tensor:
    """Inverses of symmetric, positive blocks, (blocks, block, block)."""
    return torch.cholesky_inverse(torch.linalg.cholesky(blocks))


def example_gradients(context: Scoring, tensor: str) -> Iterator[Tensor]:
    """Gradient of the loss of single examples with respect to one weight, float64.

    Raises:
        ConfigError: there is no example.
        TrainingError: a gradient is not finite.
    """
    network, loss = context.network, context.mean_loss()
    parameter = dict(network.named_parameters(remove_duplicate=False))[tensor]
    seen = 0
    with learning(network, [parameter]):
        for inputs, targets in context.data()():
            for one in range(min(len(inputs), EXAMPLES - seen)):
                value = loss(network(inputs[one : one + 1]), targets[one : one + 1])
                (gradient,) = torch.autograd.grad(value, [parameter], materialize_grads=True)
                if not torch.isfinite(gradient).all():
                    raise TrainingError(
                        f"the gradient of {tensor} is not finite; lower the learning rate"
                    )
                seen += 1
                yield gradient.detach().double()
            if seen == EXAMPLES:
                return
    if not seen:
        raise ConfigError(NO_BATCH)
