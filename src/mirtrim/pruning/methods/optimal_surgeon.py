"""Optimal brain surgeon (Hassibi & Stork, NeurIPS 1993), in blocks (Kurtic et al., EMNLP 2022).

    δw = −H⁻¹ E_Q (E_Qᵀ H⁻¹ E_Q)⁻¹ w_Q

Where weights Q of a block are set to zero, the others of the block move to where the quadratic
model of the loss is lowest. In terms of the Hessian itself, with K the weights that are kept, that
is δw_K = H_KK⁻¹ H_KQ w_Q. One cut of the trained network, then training with the mask fixed.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria.second_order import hessian_blocks
from mirtrim.pruning.masking import Masks
from mirtrim.pruning.methods.interface import Round, method
from mirtrim.pruning.methods.one_shot import OneShot
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.finding import discover


@method("optimal_surgeon")
class OptimalSurgeon(OneShot):
    """One cut and one training per ratio; what is left makes up for what is taken."""

    uses: ClassVar[frozenset[str]] = frozenset({"scope"})

    def ranked_by(self, settings: PruningSettings) -> str:
        """Always this one."""
        return "optimal_surgeon"

    def chosen(self, network: nn.Module, settings: PruningSettings, current: Round) -> Masks:
        """Masks by the surgeon's criterion; the other weights are moved."""
        masks = super().chosen(network, settings, current)
        context = current.context(network, discover(network, current.example_inputs))
        parameters = dict(network.named_parameters())
        moved = {
            name: compensated(parameters[name].detach(), mask, hessian_blocks(context, name))
            for name, mask in masks.items()
        }
        with torch.no_grad():
            for name, values in moved.items():
                parameters[name].copy_(values)
        return masks


def compensated(weights: Tensor, mask: Tensor, blocks: Tensor) -> Tensor:
    """Weights after the others of their block were set to zero, same shape.

    Args:
        mask: those that stay, same shape.
        blocks: of the Hessian, (blocks, block, block), as `hessian_blocks` gives them.
    """
    count, size = weights.numel(), blocks.shape[1]
    result = weights.double().flatten().cpu()
    stay = mask.flatten().cpu()
    for number, block in enumerate(blocks):
        place = slice(number * size, min((number + 1) * size, count))
        kept = stay[place].nonzero()[:, 0]
        gone = (~stay[place]).nonzero()[:, 0]
        values = result[place].clone()
        if len(kept) and len(gone):
            pull = block[kept][:, gone] @ values[gone]
            values[kept] += torch.linalg.solve(block[kept][:, kept], pull)
        values[gone] = 0.0
        result[place] = values
    return result.view_as(weights).to(weights)
