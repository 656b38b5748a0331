"""Lottery-ticket masking: low-scoring weights are held at zero (Frankle & Carbin 2019)."""

from collections.abc import Collection
from typing import ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import WEIGHT_CRITERIA, score_weights
from mirtrim.pruning.masking import (
    MaskHook,
    Masks,
    apply_masks,
    full_masks,
    maskable,
    masked_entries_are_zero,
)
from mirtrim.pruning.methods.interface import Method, Round, Ticket, method
from mirtrim.pruning.reset import reset_weights
from mirtrim.pruning.selection import ordered, shuffled_weights
from mirtrim.pruning.settings import PruningSettings
from mirtrim.pruning.weight_selection import choose_weights
from mirtrim.training import Hook
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError


class MaskingMethod(Method):
    """What all methods that end in fixed masks share."""

    masks: ClassVar[bool] = True

    @staticmethod
    def criteria() -> Collection[str]:
        """All criteria that score weights."""
        return WEIGHT_CRITERIA

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """One weight left in every maskable tensor."""
        if settings.budget == "macs":
            raise ConfigError(
                f"{settings.method} cannot count {settings.budget}: masks leave them unchanged"
            )
        total = sum(p.numel() for p in network.parameters())
        weights = [int(mask.numel()) for mask in full_masks(network).values()]
        return total / (total - sum(weights) + len(weights))

    def hook(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Hook:
        """Keeps masked weights at zero through the training."""
        return MaskHook(ticket.network, ticket.masks)

    def check(self, ticket: Ticket) -> None:
        """Masked entries must be exactly zero."""
        if not masked_entries_are_zero(ticket.network, ticket.masks):
            raise AssertionError("a masked weight is not zero after training")


@method("mask")
class Mask(MaskingMethod):
    """Rank, mask, reset, train; each round masks more of what the last one left."""

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Mask down to the target and reset."""
        network = ticket.network.eval()
        alive = ticket.masks or full_masks(network)
        target = weights_target(network, current)
        masks = weights_to_keep(network, alive, settings, current, target, settings.scale)
        reset_weights(network, settings.reset, ticket.rewind, current.generator, current.initialise)
        apply_masks(network, masks)
        return Ticket(network, ticket.rewind, masks=masks)


def weights_target(network: nn.Module, current: Round) -> int:
    """How many maskable weights may be left, so that with all other parameters the ratio holds."""
    names = set(maskable(network))
    fixed = sum(p.numel() for name, p in network.named_parameters() if name not in names)
    return int(current.dense["parameters"] / current.ratio) - fixed


def weights_to_keep(
    network: nn.Module,
    alive: Masks,
    settings: PruningSettings,
    current: Round,
    target: int,
    scale: str = "none",
) -> Masks:
    """Masks that keep exactly `target` of the weights that are `alive`.

    Args:
        scale: what makes tensors comparable where all are ranked at once: "none"; "max", divide
            by the largest absolute score of the tensor (the replicated code).
    """
    context = current.context(network, discover(network, current.example_inputs))
    scores = {
        name: torch.as_tensor(
            ordered(score_weights(settings.criterion, context, name), settings.order)
        )
        for name in alive
    }
    if scale == "max" and settings.scope == "global":
        scores = {name: in_units_of_the_largest(score) for name, score in scores.items()}
    masks = choose_weights(scores, alive, target, scope=settings.scope)
    if settings.order == "shuffled":
        masks = shuffled_weights(alive, masks, current.generator)
    return masks


def in_units_of_the_largest(score: Tensor) -> Tensor:
    """Scores divided by the largest absolute one; all 0 stay so."""
    score = score.double()
    return score / score.abs().max().clamp(min=torch.finfo(torch.float64).tiny)
