"""Faster implementations of torch functions that are slow on a CPU, with the same results.

Each is a replacement: called with the arguments of torch's function, it returns the result, or
None where torch is to do it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from mirtrim.training.kernels.convolutions import (
    convolution,
    convolution_in_bfloat16,
    convolution_pays,
)
from mirtrim.training.kernels.dropout import dropout
from mirtrim.training.kernels.pooling import max_pool

Replacements = Mapping[Any, Callable[..., Any]]

REPLACEMENTS: Replacements = {
    torch.conv1d: convolution,
    torch.conv2d: convolution,
    functional.max_pool1d: partial(max_pool, 1),
    functional.max_pool2d: partial(max_pool, 2),
}
# Draws other numbers than torch's, so it is a choice of a training and not of a network.
PACKED_DROPOUT: Replacements = {functional.dropout: dropout}
IN_BFLOAT16: Replacements = {
    **REPLACEMENTS,
    **PACKED_DROPOUT,
    torch.conv1d: partial(convolution_in_bfloat16, only_if_it_pays=True),
    torch.conv2d: partial(convolution_in_bfloat16, only_if_it_pays=True),
}
PRODUCTS: Replacements = {
    torch.conv1d: convolution_in_bfloat16,
    torch.conv2d: convolution_in_bfloat16,
}


def faster_kernels(network: nn.Module, packed_dropout: bool = False) -> AbstractContextManager[Any]:
    """Within this context what pays is computed by a replacement.

    To look at every call costs a tenth of the step of a small network, which a convolution wins
    back many times over, and pooling or dropout alone do not. So a network without a convolution
    for which it pays is left alone, and so is one on a GPU.

    Args:
        packed_dropout: replace dropout as well, where anything is replaced. A network and its
            trimmed child, in which no convolution pays any more, then see different noise.
    """
    if any(convolution_pays(module) for module in network.modules()):
        return _Replacing({**REPLACEMENTS, **(PACKED_DROPOUT if packed_dropout else {})})
    return nullcontext()


def faster_in_bfloat16(device: torch.device) -> AbstractContextManager[Any]:
    """The same for a forward pass in bfloat16, in which every pooling and dropout pays, whatever
    the network: parents and children see the same noise."""
    return _Replacing(IN_BFLOAT16) if device.type == "cpu" else nullcontext()


def products_in_bfloat16() -> AbstractContextManager[Any]:
    """Within this context convolutions are matrix products in bfloat16, where they can be."""
    return _Replacing(PRODUCTS)


class _Replacing(TorchFunctionMode):
    def __init__(self, replacements: Replacements) -> None:
        super().__init__()
        self.replacements = replacements

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in self.replacements:
            result = self.replacements[func](*args, **kwargs)
            if result is not None:
                return result
        return func(*args, **kwargs)
