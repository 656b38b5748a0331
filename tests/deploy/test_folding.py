"""Batch norms folded by hand."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mirtrim.deploy.folding import fold_batch_norms, norms_as_convolutions
from mirtrim.deploy.onnx_session import open_session

# Gain 3 / √4 = 1.5 and 1 / √1 = 1; offsets 10 − 1.5 · 1 = 8.5 and 20 − 1 · 2 = 18.
NORM = {"gain": [3, 1], "offset": [10, 20], "mean": [1, 2], "variance": [4, 1]}


def graph(
    nodes: list[onnx.NodeProto], shape: list[int], constants: dict[str, object], *outputs: str
) -> onnx.ModelProto:
    def value(name: str, dims: list[int] | None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)

    return helper.make_model(
        helper.make_graph(
            nodes,
            "test",
            [value("x", shape)],
            [value(name, None) for name in outputs],
            [
                numpy_helper.from_array(np.array(v, np.float32), name)
                for name, v in {**NORM, **constants}.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )


def norm(source: str, target: str = "y") -> onnx.NodeProto:
    return helper.make_node("BatchNormalization", [source, *NORM], [target], epsilon=0.0)


def constants(model: onnx.ModelProto) -> dict[str, list[object]]:
    return {t.name: numpy_helper.to_array(t).tolist() for t in model.graph.initializer}


def kinds(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    return open_session(model.SerializeToString()).run(None, {"x": x.astype(np.float32)})


def test_linear_layer() -> None:
    gemm = helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1)
    model = graph([gemm, norm("h")], [1, 3], {"w": [[1, 2, 3], [4, 5, 6]], "b": [2, 1]}, "y")
    folded = fold_batch_norms(model)
    assert kinds(folded) == ["Gemm"]
    assert constants(folded) == {
        "y.weight": [[1.5, 3, 4.5], [4, 5, 6]],
        "y.bias": [2 * 1.5 + 8.5, 1 + 18],
    }
    # 1.5 · (6 + 2) + 8.5 and (15 + 1) + 18
    assert run(folded, np.ones((1, 3)))[0].tolist() == [[20.5, 34]]
    assert kinds(model) == ["Gemm", "BatchNormalization"]


def test_linear_layer_with_outputs_on_the_second_axis_and_no_bias() -> None:
    gemm = helper.make_node("Gemm", ["x", "w"], ["h"])
    model = graph([gemm, norm("h")], [1, 3], {"w": [[1, 4], [2, 5], [3, 6]]}, "y")
    folded = constants(fold_batch_norms(model))
    assert folded == {"y.weight": [[1.5, 4], [3, 5], [4.5, 6]], "y.bias": [8.5, 18]}


def test_convolution() -> None:
    convolution = helper.make_node("Conv", ["x", "w"], ["h"], kernel_shape=[2], pads=[1, 1])
    model = graph([convolution, norm("h")], [1, 1, 3], {"w": [[[1, 2]], [[3, 4]]]}, "y")
    folded = fold_batch_norms(model)
    assert constants(folded) == {"y.weight": [[[1.5, 3]], [[3, 4]]], "y.bias": [8.5, 18]}
    x = np.arange(3.0).reshape(1, 1, 3)
    assert np.allclose(run(folded, x)[0], run(model, x)[0])


def test_a_chain_and_a_weight_of_two_layers() -> None:
    nodes = [
        helper.make_node("Gemm", ["x", "w"], ["a"]),
        norm("a", "b"),
        helper.make_node("Gemm", ["b", "w"], ["c"]),
        norm("c"),
    ]
    model = graph(nodes, [1, 2], {"w": [[1, 2], [3, 4]]}, "y")
    folded = fold_batch_norms(model)
    assert kinds(folded) == ["Gemm", "Gemm"]
    x = np.array([[1, -1]])
    assert np.allclose(run(folded, x)[0], run(model, x)[0])


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        # The layer's output is read elsewhere, or is an output itself.
        (
            [
                helper.make_node("Gemm", ["x", "w"], ["h"]),
                norm("h"),
                helper.make_node("Relu", ["h"], ["z"]),
            ],
            ["y", "z"],
        ),
        ([helper.make_node("Gemm", ["x", "w"], ["h"]), norm("h")], ["y", "h"]),
        # Scaled products, something between, no layer before.
        ([helper.make_node("Gemm", ["x", "w"], ["h"], alpha=0.5), norm("h")], ["y"]),
        (
            [
                helper.make_node("Gemm", ["x", "w"], ["g"]),
                helper.make_node("Relu", ["g"], ["h"]),
                norm("h"),
            ],
            ["y"],
        ),
        ([norm("x")], ["y"]),
        # A weight that the graph computes.
        (
            [
                helper.make_node("Relu", ["w"], ["v"]),
                helper.make_node("Gemm", ["x", "v"], ["h"]),
                norm("h"),
            ],
            ["y"],
        ),
    ],
)
def test_what_must_not_be_folded(nodes: list[onnx.NodeProto], outputs: list[str]) -> None:
    model = graph(nodes, [1, 2], {"w": [[1, 2], [3, 4]]}, *outputs)
    assert kinds(fold_batch_norms(model)) == [node.op_type for node in nodes]


@pytest.mark.parametrize("shape", [[1, 2, 3], [1, 2, 3, 2]])
def test_norm_as_convolution(shape: list[int]) -> None:
    model = graph([norm("x")], shape, {}, "y")
    changed = norms_as_convolutions(model)
    assert kinds(changed) == ["Conv"]
    ones = [1] * (len(shape) - 2)
    assert constants(changed)["y.weight"] == np.reshape([1.5, 1], [2, 1, *ones]).tolist()
    assert constants(changed)["y.bias"] == [8.5, 18]
    x = np.arange(np.prod(shape)).reshape(shape)
    assert np.allclose(run(changed, x)[0], run(model, x)[0])


def test_norm_of_vectors_stays() -> None:
    assert kinds(norms_as_convolutions(graph([norm("x")], [1, 2], {}, "y"))) == [
        "BatchNormalization"
    ]


def test_epsilon() -> None:
    node = helper.make_node("BatchNormalization", ["x", *NORM], ["y"], epsilon=5.0)
    changed = norms_as_convolutions(graph([node], [1, 2, 3], {}, "y"))
    # 3 / √(4 + 5) and 10 − 1
    assert constants(changed)["y.weight"][0] == [[1]]
    assert constants(changed)["y.bias"][0] == 9
