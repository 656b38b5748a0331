"""Quantised networks are integer, small, right, and written whole or not at all."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.onnx_network import OnnxNetwork
from mirtrim.deploy.onnx_session import LOG_FATAL
from mirtrim.deploy.quantising import quantise_onnx
from mirtrim.utils.errors import ArtefactError, CorpusError
from tests.deploy.onnx_networks import MODELS, OTHERS, made, settle

REPOSITORY = Path(__file__).parents[2]


def calibration(x: Tensor, batches: int = 3) -> Iterator[Tensor]:
    """Noise in the shape of `x`."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(batches):
        yield torch.randn(16, *x.shape[1:], generator=generator)


def quantised(name: str, folder: Path, batches: int = 3) -> tuple[OnnxNetwork, OnnxNetwork, Tensor]:
    """A network in fp32 and in int8, and inputs that it was not calibrated on."""
    network, x = made(name)
    settle(network.eval(), torch.cat(list(calibration(x, batches))))
    export_onnx(network, x, folder / "fp32.onnx")
    quantise_onnx(folder / "fp32.onnx", folder / "int8.onnx", calibration(x, batches))
    inputs = torch.randn(20, *x.shape[1:], generator=torch.Generator().manual_seed(2))
    return OnnxNetwork(folder / "fp32.onnx"), OnnxNetwork(folder / "int8.onnx"), inputs


def kinds_at_run_time(path: Path) -> set[str]:
    """Operations that ONNX Runtime really computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = LOG_FATAL
    options.optimized_model_filepath = str(path.with_suffix(".optimised"))
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return {node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node}


@pytest.mark.parametrize("name", [*MODELS, *OTHERS])
def test_outputs_are_near(name: str, tmp_path: Path) -> None:
    full, small, inputs = quantised(name, tmp_path, batches=20)
    expected = full(inputs)
    step = (expected.max() - expected.min()) / 255
    error = (small(inputs) - expected).pow(2).mean().sqrt()
    # Rounding the output alone makes 0.29 steps (1 / √12); every layer adds its own.
    assert 0.2 * step < error < 6 * step
    for batch in (1, 3):
        assert torch.allclose(small(inputs[:batch]), small(inputs)[:batch])


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_runs_on_integers(name: str, tmp_path: Path) -> None:
    quantised(name, tmp_path)
    kinds = kinds_at_run_time(tmp_path / "int8.onnx")
    assert {"QLinearConv", "QGemm"} <= kinds
    assert not kinds & {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "Add", "Pad"}
    assert "BatchNormalization" not in kinds


@pytest.mark.parametrize("name", MODELS)
def test_weights_are_symmetric_bytes_with_a_scale_per_channel(name: str, tmp_path: Path) -> None:
    quantised(name, tmp_path)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    makers = {output: node for node in graph.node for output in node.output}
    layers = [node for node in graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(layers) >= 6
    for layer in layers:
        assert makers[layer.input[0]].op_type == "DequantizeLinear"
        weight, scale, zero = (constants[name] for name in makers[layer.input[1]].input)
        assert weight.dtype == np.int8
        assert scale.shape == zero.shape == weight.shape[:1]
        assert not zero.any()
        largest = np.abs(weight.reshape(len(weight), -1).astype(int)).max(1)
        assert (largest == 127).mean() > 0.9
        assert largest.max() == 127
        assert constants[makers[layer.input[2]].input[0]].dtype == np.int32
    floats = [value for value in constants.values() if value.dtype == np.float32]
    assert sum(value.size for value in floats) < 0.2 * sum(v.size for v in constants.values())


@torch.no_grad()
def test_one_weight_by_hand(tmp_path: Path) -> None:
    network = nn.Linear(1, 1)
    network.weight.fill_(2)
    network.bias.zero_()
    export_onnx(network, torch.ones(1, 1), tmp_path / "a.onnx")
    batches = [torch.tensor([[-1.0], [0.5]]), torch.tensor([[3.0]])]
    quantise_onnx(tmp_path / "a.onnx", tmp_path / "b.onnx", batches)
    graph = onnx.load(tmp_path / "b.onnx").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    (entry,) = [n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == "input"]
    # Inputs between -1 and 3 in 255 steps; -1 is 63.75 steps under zero.
    assert constants[entry.input[1]] == pytest.approx(4 / 255)
    assert constants[entry.input[2]] == 64
    small = OnnxNetwork(tmp_path / "b.onnx")
    step = 8 / 255
    # 4 was never seen: it is cut off at (255 - 64) steps.
    found = small(torch.tensor([[0.0], [1.0], [4.0], [-4.0]]))[:, 0].tolist()
    assert found == pytest.approx([0, 64 * step, 191 * step, -64 * step], abs=1e-6)


@torch.no_grad()
def test_size_of_fifty_thousand_parameters(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(100, 400), nn.BatchNorm1d(400), nn.ReLU(), nn.Linear(400, 22))
    assert sum(p.numel() for p in network.parameters()) == 50_022
    x = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    export_onnx(network, x, tmp_path / "fp32.onnx")
    quantise_onnx(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", [x])
    full, small = ((tmp_path / f"{n}.onnx").stat().st_size for n in ("fp32", "int8"))
    assert full > 4 * 49_200
    assert 49_000 < small < full / 3
    model = onnx.load(tmp_path / "int8.onnx")
    assert model.producer_name == "mirtrim"
    assert [opset.domain for opset in model.opset_import] == [""]
    assert not list(model.metadata_props) + list(model.graph.value_info)
    assert {node.name for node in model.graph.node} == {""}


def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    quantised("crepe", tmp_path)
    first = (tmp_path / "int8.onnx").read_bytes()
    (tmp_path / "int8.onnx").unlink()
    quantised("crepe", tmp_path)
    assert (tmp_path / "int8.onnx").read_bytes() == first
    (tmp_path / "other").mkdir()
    code = (
        "import sys, torch; from pathlib import Path; torch.set_num_threads(1);"
        "from tests.deploy.test_quantising import quantised;"
        "quantised('crepe', Path(sys.argv[1]))"
    )
    # Another order of sets.
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "other"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        check=True,
    )
    for name in ("fp32.onnx", "int8.onnx"):
        assert (tmp_path / "other" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_nothing_is_said_or_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    network, x = made("spectral")
    export_onnx(network, x, tmp_path / "a.onnx")
    scratch, folder = tmp_path / "scratch", tmp_path / "here"
    scratch.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.chdir(folder)
    quantise_onnx(tmp_path / "a.onnx", tmp_path / "b.onnx", calibration(x))
    assert capfd.readouterr() == ("", "")
    assert not list(scratch.iterdir())
    assert not list(folder.iterdir())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "b.onnx", "here", "scratch"]


def test_errors(tmp_path: Path) -> None:
    network, x = made("gated")
    source, target = tmp_path / "a.onnx", tmp_path / "b.onnx"
    with pytest.raises(ArtefactError, match=r"a\.onnx cannot be read \(.*\); export"):
        quantise_onnx(source, target, [x])
    source.write_bytes(b"no network")
    with pytest.raises(ArtefactError, match=r"a\.onnx cannot be read"):
        quantise_onnx(source, target, [x])
    export_onnx(network, x, source)
    with pytest.raises(ArtefactError, match=r"a\.onnx: no calibration data; pass batches"):
        quantise_onnx(source, target, [])
    with pytest.raises(ArtefactError, match=r"a\.onnx cannot be quantised \(.*"):
        quantise_onnx(source, target, [x[:, :2]])

    def unreadable() -> Iterator[Tensor]:
        yield x
        raise CorpusError("a track is missing")

    with pytest.raises(CorpusError, match="a track is missing"):
        quantise_onnx(source, target, unreadable())
    assert [file.name for file in tmp_path.iterdir()] == ["a.onnx"]


def test_one_input(tmp_path: Path) -> None:
    class Sum(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x + y

    export_onnx(Sum(), (torch.ones(1, 2), torch.ones(1, 2)), tmp_path / "a.onnx")
    with pytest.raises(ArtefactError, match=r"a\.onnx has 2 inputs; only one is calibrated"):
        quantise_onnx(tmp_path / "a.onnx", tmp_path / "b.onnx", [torch.ones(1, 2)])
