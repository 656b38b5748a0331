"""Memory of a fresh process, on networks whose weights have a known size."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mirtrim.deploy.resident import CHILD, peak_resident
from mirtrim.utils.errors import ArtefactError

MEGABYTE = 2**20


def matrix_product(path: Path, rows: int) -> Path:
    """y = xW with W (rows, 1024), 4 kB a row."""
    weight = np.ones((rows, 1024), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1024])],
        [numpy_helper.from_array(weight, "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def test_the_peak_holds_the_weights_and_the_baseline_does_not(tmp_path: Path) -> None:
    small = peak_resident(matrix_product(tmp_path / "small.onnx", 4), repetitions=2)
    large = peak_resident(matrix_product(tmp_path / "large.onnx", 10 * 1024), repetitions=2)
    # 40 MB of weights, which the runtime may hold more than once while it rearranges them.
    assert 40 * MEGABYTE <= large.network_bytes - small.network_bytes <= 200 * MEGABYTE
    assert abs(large.baseline_bytes - small.baseline_bytes) < 8 * MEGABYTE
    assert 0 <= small.network_bytes < 32 * MEGABYTE
    assert 15 * MEGABYTE < small.baseline_bytes < 150 * MEGABYTE


def test_memory_of_the_caller_does_not_count(tmp_path: Path) -> None:
    path = matrix_product(tmp_path / "small.onnx", 4)
    ballast = np.ones(300 * MEGABYTE, np.uint8)
    found = peak_resident(path, repetitions=1)
    assert ballast.any()
    assert found.network_bytes < 32 * MEGABYTE


def test_the_process_imports_neither_torch_nor_this_package(tmp_path: Path) -> None:
    path = matrix_product(tmp_path / "small.onnx", 4)
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", str(CHILD), str(path), "1"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert {"numpy", "onnxruntime"} <= imported
    assert not {name for name in imported if name.partition(".")[0] in ("torch", "mirtrim")}


def test_a_file_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"missing\.onnx does not exist"):
        peak_resident(tmp_path / "missing.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(ArtefactError, match=r"bad\.onnx cannot be run by ONNX Runtime"):
        peak_resident(tmp_path / "bad.onnx")
