"""Tensors on disk: what goes in comes out, and a single flipped bit is noticed."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.tensors import read_tensors, write_tensors

TENSORS = {
    "a": torch.tensor([[1.5, -2.0]]),
    "b": torch.tensor(7),
    "c": torch.tensor([True, False]),
    "d": torch.zeros(0, 3, dtype=torch.bfloat16),
}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS, {"what": "test"})
    tensors, about = read_tensors(path)
    assert about == {"what": "test"}
    for found in (tensors, load_file(path)):
        assert set(found) == set(TENSORS)
        for name, tensor in found.items():
            assert tensor.dtype == TENSORS[name].dtype
            assert torch.equal(tensor, TENSORS[name])


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_tensors(tmp_path / name, TENSORS, {"what": "test", "why": "order", "when": "now"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS, {"what": "test"})
    content, noticed = path.read_bytes(), set()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            tensors, about = read_tensors(path)
        except ArtefactError:
            noticed.add(place)
            continue
        # The name of the digest itself was hit: nothing to compare with, and nothing is wrong.
        assert about["what"] == "test"
        assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    payload = sum(tensor.numel() * tensor.element_size() for tensor in TENSORS.values())
    assert set(range(len(content) - payload, len(content))) <= noticed


def test_a_missing_and_a_short_file_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.safetensors"
    with pytest.raises(ArtefactError, match=r"t\.safetensors cannot be read .*; write it again"):
        read_tensors(path)
    write_tensors(path, TENSORS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtefactError, match=r"t\.safetensors cannot be read .*; write it again"):
        read_tensors(path)


def test_files_of_others_are_read_without_a_digest(tmp_path: Path) -> None:
    save_file({"a": TENSORS["a"]}, tmp_path / "t.safetensors")
    tensors, about = read_tensors(tmp_path / "t.safetensors")
    assert torch.equal(tensors["a"], TENSORS["a"])
    assert about == {}


def test_results_are_as_readable_as_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_tensors(tmp_path / "ours", TENSORS)
    modes = [os.stat(tmp_path / name).st_mode for name in ("plain", "ours")]
    assert modes[0] == modes[1]
