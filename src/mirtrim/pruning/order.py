"""The order in which scored units or weights go: the criterion's, its reverse, or a shuffle.

The last two are controls: if a criterion knows something, going against it must hurt, and
drawing at random with its own proportions per layer must not be as good (Su et al. 2020,
Frankle et al. 2021).
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mirtrim.pruning.selection import blocks
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError

ORDERS = ("lowest_first", "highest_first", "shuffled")


def ordered(scores: Tensor | np.ndarray, order: str) -> Tensor | np.ndarray:
    """`scores` such that the lowest go first, whatever the order."""
    if order not in ORDERS:
        raise ConfigError(f"unknown order {order!r}; known: {', '.join(ORDERS)}")
    return -scores if order == "highest_first" else scores


def shuffled_units(graph: UnitGraph, keep: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """As many groups per block as `keep` has, drawn at random, (groups,)."""
    result = keep.copy()
    for block in blocks(graph):
        places = torch.randperm(len(block), generator=generator).numpy()
        result[block] = keep[block][places]
    return result


def shuffled_weights(
    alive: Mapping[str, Tensor], chosen: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """As many weights per tensor as `chosen` has, drawn at random among those `alive`."""
    result = {}
    for name, mask in alive.items():
        places = mask.flatten().nonzero()[:, 0]
        drawn = torch.randperm(len(places), generator=generator)[: int(chosen[name].sum())]
        flat = torch.zeros_like(mask.flatten())
        flat[places[drawn.to(places.device)]] = True
        result[name] = flat.reshape(mask.shape)
    return result
