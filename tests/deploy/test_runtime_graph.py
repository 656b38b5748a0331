"""Rewritten graphs give the outputs of the graphs that they come from."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from mirtrim.deploy.latency import onnx_call
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.runtime_graph import for_latency, optimise
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.utils.errors import ArtefactError


def convolution(
    weight: np.ndarray, size: tuple[int | str, ...], **attributes: object
) -> onnx.ModelProto:
    """A network of one convolution, with biases 0, 1, 2, …"""
    constants = {"w": weight.astype(np.float32), "b": np.arange(len(weight), dtype=np.float32)}
    sizes = ["batch", weight.shape[1] * int(attributes.get("group", 1)), *size]
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(sizes))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto, array: np.ndarray, folder: Path) -> np.ndarray:
    onnx.save(model, folder / "net.onnx")
    return onnx_call(folder / "net.onnx", [array])().copy_outputs_to_cpu()[0]


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_a_stride_of_two_by_hand(tmp_path: Path) -> None:
    """y[t] = x[2t−1] + 10 x[2t] + 100 x[2t+1] of 1, 2, 3, 4 is 210, 432."""
    model = convolution(np.array([[[1, 10, 100]]]), (4,), strides=[2], pads=[1, 0])
    fast = for_latency(model)
    assert kinds(fast) == ["Reshape", "Transpose", "Reshape", "ConvTranspose"]
    x = np.array([[[1, 2, 3, 4]]], np.float32)
    assert run(fast, x, tmp_path).tolist() == [[[210, 432]]]
    assert run(model, x, tmp_path).tolist() == [[[210, 432]]]


def test_few_outputs_by_hand(tmp_path: Path) -> None:
    """y[t] = x1[t−1] + 10 x1[t] + 100 x2[t] + 1000 x2[t+1], and x2 is five times x1."""
    model = convolution(np.array([[[1, 10, 0], [0, 100, 1000]]]), (3,), pads=[1, 1])
    fast = for_latency(model)
    assert kinds(fast) == ["ConvTranspose"]
    x = np.array([[[1, 2, 3], [5, 10, 15]]], np.float32)
    assert run(fast, x, tmp_path).tolist() == [[[10_510, 16_021, 1_532]]]


@pytest.mark.parametrize(
    ("shape", "size", "attributes", "expected"),
    [
        ((4, 1, 512), (1024,), {"strides": [4], "pads": [254, 254]}, "Conv"),
        ((6, 3, 9), (60,), {"strides": [3], "pads": [2, 5]}, "Conv"),
        ((6, 3, 9), (61,), {"strides": [3], "pads": [2, 5]}, "Conv"),
        ((6, 3, 2), (60,), {"strides": [6]}, "Conv"),
        ((6, 3, 7), (59,), {"strides": [4], "pads": [1, 3]}, "ConvTranspose"),
        ((2, 5, 8), (40,), {"strides": [2], "pads": [3, 3]}, "ConvTranspose"),
        ((3, 8, 5), (17,), {"pads": [4, 0]}, "ConvTranspose"),
        ((1, 6, 5, 3), (9, 7), {"pads": [2, 1, 2, 1]}, "ConvTranspose"),
        ((2, 4, 5, 5), (9, 7), {"pads": [0, 1, 2, 3]}, "ConvTranspose"),
        ((1, 12, 27, 6), (55, 7), {}, "ConvTranspose"),
    ],
)
def test_what_is_rewritten_gives_the_same(
    shape: tuple[int, ...], size: tuple[int, ...], attributes: dict, expected: str, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    model = convolution(generator.standard_normal(shape), size, **attributes)
    fast = for_latency(model)
    assert kinds(fast) != kinds(model)
    assert kinds(fast)[-1] == expected
    for batch in (1, 3):
        x = generator.standard_normal((batch, shape[1], *size)).astype(np.float32)
        before, after = run(model, x, tmp_path), run(fast, x, tmp_path)
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * abs(before).max())


@pytest.mark.parametrize(
    ("shape", "size", "attributes"),
    [
        ((4, 3, 2), (61,), {"strides": [3]}),  # the last block is not read
        ((4, 3, 9), ("time",), {"strides": [3]}),  # unknown length
        ((4, 3, 5), (60,), {"strides": [2], "dilations": [2]}),
        ((4, 2, 5), (60,), {"strides": [2], "group": 2}),
        ((4, 4, 5), (60,), {}),  # as many outputs as inputs
        ((4, 8, 1), (60,), {}),  # one tap: nothing is unrolled
        ((9, 18, 5, 5), (9, 7), {}),  # enough to fill the vector kernel
        ((4, 5, 27, 6), (55, 7), {}),  # 58 windows of 385 places: 3.9 times as slow turned round
        ((2, 6, 300), (320,), {}),  # the same over time
        ((128, 256, 64), (128,), {"pads": [32, 31]}),  # too many products for the cache
        ((1, 4, 3), (10,), {"pads": [3, 3]}),  # more padding than taps
    ],
)
def test_what_does_not_fit_or_does_not_pay_is_left_alone(
    shape: tuple[int, ...], size: tuple[int | str, ...], attributes: dict
) -> None:
    model = convolution(np.ones(shape), size, **attributes)
    assert kinds(for_latency(model)) == ["Conv"]


NETWORKS = {
    "crepe": (lambda: Crepe(capacity=1), (1, 1, 1024), 2),
    "spectral": (lambda: SpectralCNN(channels=4, hidden=16, detectors=2), (1, 1, 64, 50), 2),
    "waveform": (lambda: WaveformCNN(channels=8, hidden=16), (1, 1, 32768), 5),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_whole_networks_at_any_batch(name: str, tmp_path: Path) -> None:
    factory, shape, rewritten = NETWORKS[name]
    torch.manual_seed(0)
    model = factory().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    source, target = tmp_path / "net.onnx", tmp_path / "fast.onnx"
    export_onnx(model, torch.randn(shape), source, limit=1e-4)
    optimise(source, target)
    fast = kinds(onnx.load(target))
    assert fast.count("ConvTranspose") + fast.count("Transpose") == rewritten
    for batch in (1, 2):
        x = np.random.default_rng(0).standard_normal((batch, *shape[1:])).astype(np.float32)
        before, after = (onnx_call(p, [x])().copy_outputs_to_cpu()[0] for p in (source, target))
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * max(1, abs(before).max()))


def test_a_file_that_is_no_network_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for name in ("bad.onnx", "missing.onnx"):
        with pytest.raises(ArtefactError, match=f"{name} is no ONNX file"):
            optimise(tmp_path / name, tmp_path / "fast.onnx")
    assert not (tmp_path / "fast.onnx").exists()
