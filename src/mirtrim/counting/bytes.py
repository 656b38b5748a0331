"""Size of a network's weights as a file, without writing one."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import zstandard
from safetensors.torch import save
from torch import Tensor


def bytes_raw(state: Mapping[str, Tensor]) -> int:
    """Bytes of the safetensors file of `state`: weights, buffers and header."""
    return len(serialise(state))


def bytes_gzip(state: Mapping[str, Tensor]) -> int:
    """Bytes of the same file under gzip, level 9: what zeros of a mask save on disk."""
    return len(gzip.compress(serialise(state), compresslevel=9, mtime=0))


def serialise(state: Mapping[str, Tensor]) -> bytes:
    """The safetensors file of `state`; tensors that share all their memory are written once."""
    written: dict[tuple[object, ...], str] = {}
    tensors = {}
    for name, tensor in state.items():
        place = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() == 0 or written.setdefault(place, name) == name:
            tensors[name] = tensor.detach().cpu().contiguous().clone()
    return save(tensors)


GZIP_LEVEL = 9
ZSTD_LEVEL = 19
LARGEST = 127  # of a symmetric signed byte; -128 is not used


@dataclass(frozen=True)
class Packed:
    """Bytes of one file: as it is, under gzip (level 9) and under Zstandard (level 19)."""

    raw: int
    gzip: int
    zstd: int


def packed(data: bytes) -> Packed:
    """Sizes of a file with the content `data`."""
    return Packed(
        raw=len(data),
        gzip=len(gzip.compress(data, compresslevel=GZIP_LEVEL, mtime=0)),
        zstd=len(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(data)),
    )


def weights_int8(state: Mapping[str, Tensor]) -> bytes:
    """The safetensors file of `state` with matrices and kernels in eight bits.

    A floating-point tensor with two or more axes becomes int8, with one fp32 scale per entry
    of its first axis (the output channels, or the rows of all gates) under `<name>.scale`:
    weight ≈ scale · integer, the largest weight of a channel being ±127. Zeros stay zeros.
    Other floating-point tensors become fp32, integers stay what they are. Tied tensors are
    written once.
    """
    stored: dict[str, Tensor] = {}
    done: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            stored[name] = tensor
        elif tensor.dim() < 2:
            stored[name] = tensor.float()
        else:
            place = (tensor.data_ptr(), tensor.shape, tensor.stride())
            if place not in done:
                done[place] = _eight_bits(tensor)
            stored[name], stored[f"{name}.scale"] = done[place]
    return serialise(stored)


def _eight_bits(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Integers like `weight` and their scales, (channels,)."""
    rows = weight.detach().float().flatten(1)
    scale = rows.abs().amax(1) / LARGEST if rows.numel() else rows.new_zeros(len(rows))
    # A channel of nothing but zeros may have any scale.
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (rows / scale[:, None]).round().to(torch.int8).reshape(weight.shape), scale
