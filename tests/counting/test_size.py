"""Sizes of files that are never written."""

import json
import zlib
from pathlib import Path

import torch
from safetensors.torch import load, save_file
from torch import nn

from mirtrim.counting import Counts, measure_counts
from mirtrim.counting.bytes import bytes_gzip, bytes_raw, serialise


def test_raw_is_header_and_data() -> None:
    header = {"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
    length = len(json.dumps(header, separators=(",", ":")))
    padded = -(-length // 8) * 8
    # 8 bytes say how long the header is; the header is padded to a multiple of 8.
    assert bytes_raw({"w": torch.zeros(2, 3)}) == 8 + padded + 24


def test_raw_is_the_size_of_the_file(tmp_path: Path) -> None:
    state = nn.Sequential(nn.Conv1d(3, 4, 5), nn.BatchNorm1d(4)).state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    assert bytes_raw(state) == (tmp_path / "weights.safetensors").stat().st_size
    assert serialise(state) == (tmp_path / "weights.safetensors").read_bytes()


def test_gzip_is_deterministic_and_sees_zeros() -> None:
    generator = torch.Generator().manual_seed(0)
    dense = torch.randn(1000, generator=generator)
    masked = dense * (torch.arange(1000) % 10 == 0)
    assert bytes_gzip({"w": dense}) == bytes_gzip({"w": dense.clone()})
    assert bytes_raw({"w": dense}) == bytes_raw({"w": masked})
    # 100 of 1000 floats survive, 4 bytes each.
    assert 400 < bytes_gzip({"w": masked}) < bytes_gzip({"w": dense}) / 4


def test_gzip_is_deflate_with_a_frame_of_18_bytes() -> None:
    state = {"w": torch.arange(50.0)}
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(serialise(state)) + deflate.flush()
    assert bytes_gzip(state) == len(body) + 18


def test_shared_and_strided_tensors() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    assert bytes_raw({"a": weight, "b": weight}) == bytes_raw({"a": weight})
    assert torch.equal(load(serialise({"t": weight.T}))["t"], weight.T)
    parts = load(serialise({"a": weight[0], "b": weight[1]}))
    assert torch.equal(parts["b"], weight[1])


def test_measure_counts() -> None:
    network = nn.Sequential(nn.Linear(3, 10), nn.ReLU(), nn.Linear(10, 2))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1)
        network[2].weight[0] = 0
    state = network.state_dict()
    assert measure_counts(network, torch.zeros(2, 3)) == Counts(
        parameters=62,
        nonzeros=52,
        macs=50,
        bytes_raw=bytes_raw(state),
        bytes_gzip=bytes_gzip(state),
        peak_activation_bytes=80,
    )
