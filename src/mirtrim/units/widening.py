"""A network of the same design with more units: every removable unit becomes several."""

from typing import Any

import numpy as np
import torch
from torch import nn

from mirtrim.units.copying import copied
from mirtrim.units.cutting import set_width
from mirtrim.units.graph import UnitGraph
from mirtrim.units.widths import every_tensor, of_torch
from mirtrim.utils.errors import TraceError


def widened(network: nn.Module, graph: UnitGraph, factor: int) -> nn.Module:
    """A network with `factor` times the removable units; its weights are zeros, to be drawn.

    What cannot be removed (inputs, classes, frames) keeps its size.

    Args:
        graph: of `network`.

    Raises:
        TraceError: a size that counts units is an attribute of somebody's own module, whose other
            uses nothing tells; or the factor is below 1.
    """
    if factor < 1:
        raise TraceError(f"a network cannot be made {factor} times as wide")

    def size(groups: np.ndarray) -> int:
        fixed = int(np.count_nonzero(groups == 0))
        return fixed + factor * (len(groups) - fixed)

    memo: dict[int, Any] = {}
    for name, tensor in every_tensor(network).items():
        slices = graph.slices[name]
        shape = [
            old if groups is None else size(groups)
            for old, groups in zip(tensor.shape, slices, strict=True)
        ]
        new = torch.zeros(shape, dtype=tensor.dtype, device=tensor.device)
        learns = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(new, tensor.requires_grad) if learns else new
    wide = copied(network, memo)
    for width in graph.widths:
        if not of_torch(type(wide.get_submodule(width.module))):
            raise TraceError(
                f"{width.module or '(root)'}.{width.attribute} counts units and cannot be widened"
            )
        set_width(wide, width, size(width.groups))
    return wide
