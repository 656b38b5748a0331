"""Masks: weights that are held at exactly zero while the rest of the network learns."""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.training import Hook


def keep_masked(weights: np.ndarray, mask: np.ndarray) -> None:
    """Zero `weights` (int32 view of float32, flat) where `mask` (int8) is 0; keep where it is −1.

    The bits are combined, not multiplied: a kept weight stays as it is, NaN included, and a
    masked one becomes +0 whatever it was.
    """
    for index in range(weights.size):
        weights[index] &= np.int32(mask[index])


@cache
def _compiled() -> Callable[[np.ndarray, np.ndarray], None]:
    import numba  # half a second, for networks with masks only

    kernel: Any = numba.njit(nogil=True)(keep_masked)
    return kernel


def masker(weights: np.ndarray, mask: np.ndarray) -> Callable[[], None]:
    """A function that zeroes `weights` (float32, contiguous) where `mask` (bool) is False.

    Args:
        weights: any shape; changed in place whenever the function is called.
        mask: same shape; copied.
    """
    bits = weights.reshape(-1).view(np.int32)
    if bits.size and not np.shares_memory(bits, weights):
        raise ValueError("weights must be contiguous")
    flat = -mask.reshape(-1).astype(np.int8)
    kernel = _compiled()
    return lambda: kernel(bits, flat)


Masks = dict[str, Tensor]
COMPILER = find_spec("numba") is not None  # of the replication; torch does the same, slower


def maskable(network: nn.Module) -> list[str]:
    """Names of the tensors whose entries may be masked: every weight with two or more axes.

    What is frozen in a network that learns is a constant of its design, such as a front end.
    Biases and normalisation gains are left alone, as in the replicated code; unlike there,
    output and branching layers are masked too, because a ratio that leaves out 17 to 46 % of
    a network's weights is not a compression ratio.
    """
    named = list(network.named_parameters())
    learned = [name for name, value in named if value.requires_grad and value.dim() >= 2]
    return learned or [name for name, value in named if value.dim() >= 2]


def full_masks(network: nn.Module) -> Masks:
    """Masks that keep everything."""
    parameters = dict(network.named_parameters())
    return {n: torch.ones_like(parameters[n], dtype=torch.bool) for n in maskable(network)}


def apply_masks(network: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the masked entries to zero, in place."""
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, mask in masks.items():
            parameters[name].mul_(mask)


def masked_entries_are_zero(network: nn.Module, masks: Mapping[str, Tensor]) -> bool:
    """Whether every masked entry is exactly zero."""
    parameters = dict(network.named_parameters())
    return all(not parameters[n][~mask].any() for n, mask in masks.items())


class MaskHook(Hook):
    """Zeroes the masked weights after every optimiser step.

    Gradients are left alone: a masked weight may move within a step, but is zero again
    before anything reads it.
    """

    def __init__(self, network: nn.Module, masks: Mapping[str, Tensor]) -> None:
        parameters = dict(network.named_parameters())
        weights = {name: parameters[name].detach() for name in masks}
        on_cpu = {n for n, w in weights.items() if _has_kernel(w)}
        self._maskers = [masker(weights[n].numpy(), masks[n].cpu().numpy()) for n in on_cpu]
        others = [name for name in masks if name not in on_cpu]
        self._weights: list[Tensor] = [weights[name] for name in others]
        self._masked: list[Tensor] = [~masks[n].to(weights[n].device) for n in others]

    def after_step(self, step: int) -> None:
        """Zero the masked entries."""
        for zero_masked in self._maskers:
            zero_masked()
        for weight, masked in zip(self._weights, self._masked, strict=True):
            # Not a product, which would leave −0 where a weight was negative.
            weight.masked_fill_(masked, 0.0)

    def ended(self) -> None:
        """Mask what was loaded."""
        self.after_step(-1)


def _has_kernel(weight: Tensor) -> bool:
    plain = weight.device.type == "cpu" and weight.dtype == torch.float32 and weight.is_contiguous()
    return plain and COMPILER
