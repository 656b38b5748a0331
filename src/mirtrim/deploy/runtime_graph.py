"""The same network as a graph that ONNX Runtime computes faster on a CPU.

Its convolutions unroll every window of the input and multiply once. The unrolling costs the same
whatever the number of units, so it is what holds back a network that has few of them. Two exact
rewrites avoid it:

* A strided convolution over time becomes one without stride over the phases of the signal
  (polyphase form: Vaidyanathan, *Multirate Systems and Filter Banks*, 1993, §4.3), whose windows
  are unrolled in whole runs rather than sample by sample:

      y[t] = Σ_n w[n] x[s·t + n] = Σ_j Σ_k w[s·k + j] x[s·(t + k) + j],   0 ≤ j < s.

* A convolution with fewer outputs than inputs becomes a transposed one with the kernel turned
  round. That multiplies first and sums shifted products after, so outputs are spread over the
  taps instead of inputs. The few outputs of a convolution over two dimensions are, besides, not
  rounded up to the 8 or 16 that its vector kernel computes at once. It computes at every place of
  the input, however, so without padding, behind a large kernel, it does not pay.

Folding a batch norm that stands behind a ReLU, merging padding into a convolution and adding
constants to a bias each change the latency of a small network by 1-3 %, or not measurably, and
are left alone.
"""

import os
import tempfile
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from mirtrim.deploy.onnx_session import LOG_FATAL, first_line
from mirtrim.deploy.onnx_tidy import add_constant, attribute, constants_of, drop_unread_constants
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import write_bytes

# Measured with AVX-512; beyond these the products no longer fit the cache, or the vector
# kernel for two dimensions is well filled.
MOST_PRODUCTS = 2**19
MOST_PLANE_OUTPUTS = 8
LEAST_INPUTS_PER_OUTPUT = 2
# Over two dimensions, measured with AVX2: the time of a transposed convolution grows with its
# inputs + 10, as sums take time too, and per product it is 0.42 of that of the vector kernel. Where
# less than a fifth is to be gained, nothing is rewritten.
LANES, INPUTS_OF_A_SUM, TIME_OF_A_PRODUCT, LEAST_GAIN = 8, 10, 0.42, 1.2


def optimise(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Write the network of the ONNX file `source` to `target` in the form of `for_latency`.

    Raises:
        ArtefactError: `source` cannot be read.
    """
    try:
        model = onnx.load(os.fspath(source))
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and onnx raise classes without a common base
        raise ArtefactError(
            f"{source} is no ONNX file ({first_line(error)}); export it again"
        ) from error
    write_bytes(target, for_latency(model).SerializeToString(deterministic=True))


def for_latency(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` with both rewrites, wherever they can be made and pay."""
    result = with_constants_computed(model)
    graph = result.graph
    weights = constants_of(graph)
    shapes = _shapes(result)
    for node in [node for node in graph.node if node.op_type == "Conv"]:
        weight, shape = weights.get(node.input[1]), shapes.get(node.input[0], ())
        if weight is None or not _is_plain(node, weight) or not all(shape[2:]):
            continue
        if weight.ndim == 3:
            weight, shape = _without_stride(graph, node, weight, shape)
        _outputs_first(graph, node, weight, shape)
    drop_unread_constants(graph)
    return result


def with_constants_computed(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of `model` in which nothing is left to compute that no input decides.

    The runtime itself does this, at a level that uses standard operators only. Without it the
    size of a padding, and of all that comes after, is unknown.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = LOG_FATAL
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = os.path.join(folder, "computed.onnx")
        onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return onnx.load(options.optimized_model_filepath)


def _is_plain(node: onnx.NodeProto, weight: np.ndarray) -> bool:
    return (
        attribute(node, "group", 1) == 1
        and set(attribute(node, "dilations", [1])) == {1}
        and attribute(node, "auto_pad", b"NOTSET") == b"NOTSET"
        and weight.ndim in (3, 4)
    )


def _without_stride(
    graph: onnx.GraphProto, node: onnx.NodeProto, weight: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Rewrite a strided convolution over time in place; its new weight and input shape."""
    (stride,) = attribute(node, "strides", [1])
    before, after = attribute(node, "pads", [0, 0])
    outputs, channels, taps = weight.shape
    length = shape[2]
    blocks = -(-length // stride)
    # Zero taps in front let the padding be whole blocks of `stride` samples.
    lead = -before % stride
    block_taps = -(-(lead + taps) // stride)
    left = (before + lead) // stride
    positions = (length + before + after - taps) // stride + 1
    right = positions + block_taps - 1 - blocks - left
    # Below 0, the last block is not read; a convolution cannot leave it out.
    if stride == 1 or right < 0:
        return weight, shape
    padded = np.zeros((outputs, channels, block_taps * stride), weight.dtype)
    padded[:, :, lead : lead + taps] = weight
    by_phase = padded.reshape(outputs, channels, block_taps, stride).transpose(0, 1, 3, 2)
    phases = by_phase.reshape(outputs, channels * stride, block_taps)
    # (batch, channels, length) → (batch, channels · stride, blocks)
    stem, source, at = node.output[0], node.input[0], list(graph.node).index(node)
    cut = add_constant(graph, f"{stem}.cut", np.array([0, channels, blocks, stride]))
    join = add_constant(graph, f"{stem}.join", np.array([0, channels * stride, blocks]))
    steps = []
    if length % stride:
        end = np.array([0, 0, 0, 0, 0, blocks * stride - length])
        zeros = add_constant(graph, f"{stem}.zeros", end)
        steps.append(helper.make_node("Pad", [source, zeros], [f"{stem}.filled"]))
        source = f"{stem}.filled"
    split, turned, node.input[0] = f"{stem}.split", f"{stem}.turned", f"{stem}.merged"
    steps += [
        helper.make_node("Reshape", [source, cut], [split]),
        helper.make_node("Transpose", [split], [turned], perm=[0, 1, 3, 2]),
        helper.make_node("Reshape", [turned, join], [node.input[0]]),
    ]
    for step in reversed(steps):
        graph.node.insert(at, step)
    node.input[1] = add_constant(graph, f"{stem}.phases", phases)
    _set(node, strides=[1], kernel_shape=[block_taps], pads=[left, right])
    return phases, (shape[0], channels * stride, blocks)


def _outputs_first(
    graph: onnx.GraphProto, node: onnx.NodeProto, weight: np.ndarray, shape: tuple[int, ...]
) -> None:
    """Rewrite a convolution with few outputs as a transposed one, in place."""
    outputs, channels, *taps = weight.shape
    pads = attribute(node, "pads", [0] * (2 * len(taps)))
    cropped = [tap - 1 - pad for tap, pad in zip(taps * 2, pads, strict=True)]
    places = prod(shape[2:])
    windows = prod(
        size + before + after - tap + 1
        for size, before, after, tap in zip(
            shape[2:], pads[: len(taps)], pads[len(taps) :], taps, strict=True
        )
    )
    if len(taps) == 1:
        few = LEAST_INPUTS_PER_OUTPUT * outputs * places <= channels * windows
    else:
        computed = channels if channels < LANES else -(-channels // LANES) * LANES
        here = LANES * computed * windows
        turned_round = TIME_OF_A_PRODUCT * outputs * places * (channels + INPUTS_OF_A_SUM)
        few = outputs <= MOST_PLANE_OUTPUTS and LEAST_GAIN * turned_round <= here
    fits = outputs * prod(taps) * places <= MOST_PRODUCTS
    strided = set(attribute(node, "strides", [1])) != {1}
    if not few or not fits or strided or prod(taps) == 1 or min(cropped) < 0:
        return
    turned = np.flip(weight, tuple(range(2, weight.ndim))).swapaxes(0, 1)
    node.op_type = "ConvTranspose"
    node.input[1] = add_constant(graph, f"{node.output[0]}.turned_round", turned)
    _set(node, pads=cropped)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that is read, 0 where it is open."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
        for value in (*inferred.value_info, *inferred.input)
    }


def _set(node: onnx.NodeProto, **values: Any) -> None:
    for name, value in values.items():
        for old in [a for a in node.attribute if a.name == name]:
            node.attribute.remove(old)
        node.attribute.append(helper.make_attribute(name, value))
