"""Bytes of weights, worked by hand."""

import gzip
import struct

import torch
import zstandard
from safetensors.torch import load
from torch import nn

from mirtrim.counting.bytes import Packed, bytes_gzip, bytes_raw, packed, serialise, weights_int8


def test_packed_counts_bytes() -> None:
    data = bytes(range(256)) * 40
    sizes = packed(data)
    assert sizes == packed(bytes(data))
    assert sizes.raw == 10_240
    # 256 literals, a repetition, and frames of 18 (gzip) and at least 6 (Zstandard) bytes.
    assert 256 + 18 < sizes.gzip < 450
    assert 256 + 6 < sizes.zstd < 300
    state = {"w": torch.arange(50.0)}
    assert packed(serialise(state)).raw == bytes_raw(state)
    assert packed(serialise(state)).gzip == bytes_gzip(state)


def test_packed_can_be_unpacked() -> None:
    data = b"silence " * 30
    assert packed(data) == Packed(
        raw=240,
        gzip=len(gzip.compress(data, 9, mtime=0)),
        zstd=len(zstandard.compress(data, 19)),
    )
    # An empty gzip file is a header of 10 bytes, an empty block of 2 and a trailer of 8.
    assert packed(b"") == Packed(0, 20, len(zstandard.compress(b"")))


def test_weights_in_eight_bits() -> None:
    state = {
        "weight": torch.tensor([[1.27, -0.5, 0.0], [0.0, 0.0, 0.0], [-2.54, 2.54, 0.03]]),
        "bias": torch.tensor([1.0, 2.0, 3.0]),
        "steps": torch.tensor(7),
    }
    stored = load(weights_int8(state))
    assert stored["weight"].dtype == torch.int8
    # 0.03 / 0.02 is a little more than 1.5 in single precision, or a little less.
    assert stored["weight"].tolist()[:2] == [[127, -50, 0], [0, 0, 0]]
    assert stored["weight"][2].tolist() in ([-127, 127, 1], [-127, 127, 2])
    assert torch.allclose(stored["weight.scale"], torch.tensor([0.01, 1.0, 0.02]))
    assert stored["bias"].dtype == torch.float32
    assert stored["bias"].tolist() == [1, 2, 3]
    assert stored["steps"].item() == 7
    assert len(stored) == 4


def test_bytes_of_eight_bits() -> None:
    data = weights_int8({"w": torch.ones(10, 3, 5), "b": torch.ones(10)})
    (header,) = struct.unpack("<Q", data[:8])
    # 150 integers, 10 scales and 10 biases.
    assert len(data) == 8 + header + 150 + 4 * 10 + 4 * 10


def test_half_precision_and_ties() -> None:
    weight = torch.tensor([[1.0, -1.0]])
    stored = load(weights_int8({"a": weight.half(), "b": torch.ones(2).half()}))
    assert stored["a"].tolist() == [[127, -127]]
    assert stored["b"].dtype == torch.float32
    tied = nn.Linear(50, 50)
    other = nn.Linear(50, 50)
    other.weight = tied.weight
    once = weights_int8(tied.state_dict())
    both = weights_int8(nn.ModuleList([tied, other]).state_dict())
    # The second bias is stored, and a longer header, the second matrix is not.
    assert len(once) + 4 * 50 < len(both) < len(once) + 1_000


def test_zeros_stay_zeros_and_pack_well() -> None:
    generator = torch.Generator().manual_seed(0)
    dense = torch.randn(64, 100, generator=generator)
    masked = dense * (torch.rand(64, 100, generator=generator) < 0.1)
    stored = load(weights_int8({"w": masked}))["w"]
    assert not stored[masked == 0].any()
    mask, whole = packed(weights_int8({"w": masked})), packed(weights_int8({"w": dense}))
    assert mask.raw == whole.raw
    assert mask.gzip < whole.gzip / 3
    assert mask.zstd < whole.zstd / 3
    assert whole.gzip > 0.8 * whole.raw


def test_empty_tensors() -> None:
    stored = load(weights_int8({"none": torch.zeros(0, 3), "no_inputs": torch.zeros(3, 0)}))
    assert stored["none.scale"].shape == (0,)
    assert stored["no_inputs.scale"].tolist() == [1, 1, 1]
