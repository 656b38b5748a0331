"""What methods that prune while they train share."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import Masks, apply_masks, full_masks, maskable
from mirtrim.pruning.methods.interface import Round, Start, Ticket
from mirtrim.pruning.methods.mask import MaskingMethod
from mirtrim.pruning.schedule import Ramp
from mirtrim.pruning.settings import PruningSettings
from mirtrim.pruning.weight_selection import choose_weights
from mirtrim.training import Hook, StagedHook

MasksFor = Callable[[float], Masks]


class PrunedWithinTraining(MaskingMethod):
    """One training from the initial weights per ratio; what it kept is already sparse."""

    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset({"scope"})

    def finish(
        self, ticket: Ticket, settings: PruningSettings, current: Round, hook: Hook
    ) -> Ticket:
        """The network as `fit` kept it, and the masks that it has."""
        return Ticket(ticket.network, ticket.rewind, masks=nonzero_masks(ticket.network))


class RampHook(StagedHook):
    """What is pruned is chosen anew along a ramp, at whose end the choice is final."""

    schedule: Ramp

    @abstractmethod
    def refresh(self, sparsity: float) -> None:
        """Choose so that this share of the network is gone."""

    def begin(self, step: int) -> None:
        """A new choice, where one is due."""
        if self.schedule.refreshes(step):
            self.refresh(self.schedule.sparsity(step))

    def eligible(self, step: int) -> bool:
        """A network may be kept once the choice is final."""
        return step > self.schedule.end


class MaskKeeper(Hook):
    """Masks are the state of the hook, and hold for what a loop has loaded."""

    masks: Masks
    _network: nn.Module

    def ended(self) -> None:
        """Mask what was loaded."""
        apply_masks(self._network, self.masks)

    def state(self) -> dict[str, Tensor]:
        """The masks."""
        return dict(self.masks)

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over the masks."""
        self.masks = {name: state[name] for name in self.masks}


def maskable_parameters(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters whose entries may be masked, by name."""
    parameters = dict(network.named_parameters())
    return {name: parameters[name] for name in maskable(network)}


def nonzero_masks(network: nn.Module) -> Masks:
    """Masks that keep every maskable weight that is not zero."""
    return {name: p.detach() != 0 for name, p in maskable_parameters(network).items()}


def weights_left(network: nn.Module, target: int) -> Callable[[float], int]:
    """How many maskable weights are left at a sparsity, counted over all parameters.

    Args:
        target: the number that a sparsity, however high, never goes below.
    """
    every = sum(p.numel() for p in network.parameters())
    maskable_count = sum(p.numel() for p in maskable_parameters(network).values())
    # Rounded up, so that the last sparsity of a ramp arrives at the target exactly.
    return lambda sparsity: max(target, maskable_count - math.ceil(sparsity * every))


def magnitude_masks(network: nn.Module, scope: str, target: int) -> MasksFor:
    """Masks of the largest |w|: all maskable weights at sparsity 0, `target` of them at the end.

    The returned function takes a sparsity as a share of all parameters, which masks of the
    maskable ones have to bring about.
    """
    weights = {name: p.detach() for name, p in maskable_parameters(network).items()}
    everything, left = full_masks(network), weights_left(network, target)

    def draw(sparsity: float) -> Masks:
        scores = {name: weight.abs() for name, weight in weights.items()}
        return choose_weights(scores, everything, left(sparsity), scope=scope)

    return draw


def largest_weights(network: nn.Module, scope: str, target: int) -> Callable[[], Masks]:
    """A function that draws masks of the `target` largest |w| of the present weights.

    They are those of `magnitude_masks` at the final sparsity, but found without sorting, for
    methods that draw in every step. Only a choice among equal values may differ.
    """
    sorting = magnitude_masks(network, scope, target)
    weights = {name: p.detach() for name, p in maskable_parameters(network).items()}
    counts = {name: int(mask.sum()) for name, mask in sorting(1.0).items()}

    def draw() -> Masks:
        if scope == "local":  # whose counts do not depend on the weights
            return {name: _top(weight.abs(), counts[name]) for name, weight in weights.items()}
        sizes = [weight.numel() for weight in weights.values()]
        every = _top(torch.cat([weight.abs().flatten() for weight in weights.values()]), target)
        parts = zip(weights.items(), every.split(sizes), strict=True)
        masks = {name: part.view_as(weight) for (name, weight), part in parts}
        # Where a tensor would be left without any weight, its minimum has to be seen to.
        return masks if all(mask.any() for mask in masks.values()) else sorting(1.0)

    return draw


def _top(values: Tensor, count: int) -> Tensor:
    mask = torch.zeros(values.numel(), dtype=torch.bool, device=values.device)
    mask[values.flatten().topk(count, sorted=False).indices] = True
    return mask.view_as(values)


@contextmanager
def masked(weights: Mapping[str, Tensor], masks: Masks) -> Iterator[None]:
    """Masked weights within, the dense ones, to the bit, after.

    What is loaded within stays where it is not masked.
    """
    with torch.no_grad():
        kept = {name: weights[name].clone() for name in masks}
        for name, mask in masks.items():
            weights[name].mul_(mask)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, dense in kept.items():
                weights[name].copy_(torch.where(masks[name], weights[name], dense))
