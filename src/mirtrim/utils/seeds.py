"""Deriving independent random streams from one seed."""

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) for the stream called `names` under `seed`.

    Streams with different names are independent, so adding a consumer of randomness never
    shifts the numbers that another one draws.
    """
    text = "/".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """NumPy generator of the stream `names`."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str | int) -> "torch.Generator":
    """CPU torch generator of the stream `names`."""
    import torch  # takes a second that workers which only render need not spend

    return torch.Generator().manual_seed(derive(seed, *names))
