"""Dropout whose random numbers cost a quarter: four are cut from one draw of 64 bits.

Torch draws a double for each value, with a generator that makes 64 bits in about the same time.
Sixteen bits are enough: the probability of keeping a value is a multiple of 1 / 65536, and kept
values are divided by that probability, so the mean is exact.
"""

import torch
from torch import Tensor

STEPS = 2**16
PER_DRAW = 4


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor | None:
    """`torch.nn.functional.dropout`, drawn differently from torch's generator; None where torch
    should do it.
    """
    kept = _kept(p)
    if (
        not training
        or inplace
        or not 0 < kept < STEPS
        or input.device.type != "cpu"
        or not input.is_floating_point()
    ):
        return None
    count = input.numel()
    draws = torch.empty(-(-count // PER_DRAW), dtype=torch.int64).random_(-(2**63), None)
    parts = draws.view(torch.int16)[:count]  # uniform from -32768 to 32767
    mask = torch.lt(parts, kept - STEPS // 2, out=torch.empty(count, dtype=input.dtype))
    return input * mask.mul_(STEPS / kept).view(input.shape)


def _kept(p: float) -> int:
    """How many of the 65536 numbers keep a value."""
    return round((1 - p) * STEPS)
