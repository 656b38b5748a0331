"""Batch norms of an ONNX graph: folded into the layer before, or made convolutions.

In evaluation mode a batch norm is y = g (x − m) / √(v + ε) + b, one multiplication and one
addition per channel (Ioffe & Szegedy, ICML 2015, §3.1). Behind a linear layer or a convolution
both go into its weights.
"""

from collections import Counter

import numpy as np
import onnx
from onnx import helper

from mirtrim.deploy.onnx_tidy import (
    add_constant,
    attribute,
    constants_of,
    drop_unread_constants,
    reads,
)

NORM = "BatchNormalization"
EPSILON = 1e-5  # of the operator, where its attribute is left out


def fold_batch_norms(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` in which the batch norm after every Conv and Gemm is folded into it.

    Where something else reads the layer's output too, or weights are computed in the graph,
    nothing is folded.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    constants = constants_of(graph)
    makers = {node.output[0]: node for node in graph.node}
    readers = Counter(reads(graph))
    for norm, gain, offset in _norms(graph, constants):
        layer = makers.get(norm.input[0])
        if layer is None or readers[norm.input[0]] != 1 or not _can_take_in(layer, constants):
            continue
        weight = constants[layer.input[1]]
        axis = _output_axis(layer)
        bias = constants[layer.input[2]] if len(layer.input) > 2 else np.zeros_like(gain)
        along = [-1 if other == axis else 1 for other in range(weight.ndim)]
        weights = weight * gain.reshape(along), bias * gain + offset
        layer.input[:] = [layer.input[0], *_add_weights(graph, norm, *weights)]
        layer.output[0] = norm.output[0]
        makers[layer.output[0]] = layer
        graph.node.remove(norm)
    drop_unread_constants(graph)
    return result


def norms_as_convolutions(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` in which batch norms are convolutions of one tap per channel.

    Integer kernels exist for convolutions, but not for batch norms. A norm of vectors, (batch,
    channels), is unchanged.
    """
    result = onnx.shape_inference.infer_shapes(model)
    graph = result.graph
    constants = constants_of(graph)
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input)
        if value.type.tensor_type.HasField("shape")
    }
    for norm, gain, offset in _norms(graph, constants):
        rank = ranks.get(norm.input[0], 0)
        if rank < 3:
            continue
        taps = gain.reshape(-1, *[1] * (rank - 1))
        convolution = helper.make_node(
            "Conv",
            [norm.input[0], *_add_weights(graph, norm, taps, offset)],
            [norm.output[0]],
            norm.name,
            group=len(gain),
            kernel_shape=[1] * (rank - 2),
        )
        norm.CopyFrom(convolution)
    drop_unread_constants(graph)
    return result


def _norms(
    graph: onnx.GraphProto, constants: dict[str, np.ndarray]
) -> list[tuple[onnx.NodeProto, np.ndarray, np.ndarray]]:
    """Batch norms with constant weights and statistics, each with what it multiplies every channel
    by and then adds, in double precision, (channels,)."""
    found = []
    for node in graph.node:
        if node.op_type == NORM and constants.keys() >= set(node.input[1:]):
            gain, offset, mean, variance = (
                constants[name].astype(np.float64) for name in node.input[1:]
            )
            gain = gain / np.sqrt(variance + attribute(node, "epsilon", EPSILON))
            found.append((node, gain, offset - gain * mean))
    return found


def _add_weights(
    graph: onnx.GraphProto, norm: onnx.NodeProto, weight: np.ndarray, bias: np.ndarray
) -> list[str]:
    """Names of a weight and a bias that are added as constants, for what replaces `norm`."""
    return [
        add_constant(graph, f"{norm.output[0]}.{name}", value.astype(np.float32))
        for name, value in (("weight", weight), ("bias", bias))
    ]


def _can_take_in(layer: onnx.NodeProto, constants: dict[str, np.ndarray]) -> bool:
    if layer.op_type not in ("Conv", "Gemm") or not constants.keys() >= set(layer.input[1:]):
        return False
    if layer.op_type == "Conv":
        return True
    scales = [attribute(layer, name, 1.0) for name in ("alpha", "beta")]
    plain_bias = len(layer.input) < 3 or constants[layer.input[2]].ndim == 1
    return scales == [1.0, 1.0] and plain_bias


def _output_axis(layer: onnx.NodeProto) -> int:
    """The axis of the weight that counts output channels."""
    return 0 if layer.op_type == "Conv" or attribute(layer, "transB", 0) else 1
