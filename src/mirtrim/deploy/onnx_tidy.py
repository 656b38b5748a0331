"""Reading and tidying ONNX graphs: attributes, constants, names, traces of their making."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

PRODUCER = "mirtrim"


def strip(model: onnx.ModelProto) -> None:
    """Remove, in place, versions, machine details, and shapes that a reader can infer.

    Optional inputs that are left out at the end of a node go too: with them ONNX Runtime does
    not recognise a padding that it can merge into a convolution.
    """
    model.producer_name = PRODUCER
    model.graph.name = PRODUCER
    for field in ("producer_version", "domain", "doc_string", "metadata_props"):
        model.ClearField(field)
    used = {node.domain for node in model.graph.node}
    _keep(model.opset_import, [opset for opset in model.opset_import if opset.domain in used])
    del model.graph.value_info[:]
    for node in model.graph.node:
        while node.input and not node.input[-1]:
            del node.input[-1]
    for part in (model.graph, *model.graph.node, *model.graph.initializer):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")


def reads(graph: onnx.GraphProto) -> Iterator[str]:
    """The name of every tensor that is read, once per reader: nodes, inner graphs, outputs."""
    yield from (output.name for output in graph.output)
    for node in graph.node:
        yield from node.input
        for inner in _inner_graphs(node):
            yield from reads(inner)


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute of a node, or `default`."""
    found = [helper.get_attribute_value(a) for a in node.attribute if a.name == name]
    return found[0] if found else default


def constants_of(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    """The constants of a graph by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def add_constant(graph: onnx.GraphProto, name: str, value: np.ndarray) -> str:
    """Add a constant to a graph; returns its name."""
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return name


def drop_unread_constants(graph: onnx.GraphProto) -> None:
    """Remove, in place, the constants of `graph` that nothing reads."""
    read = set(reads(graph))
    _keep(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in read])


def shorten_names(graph: onnx.GraphProto) -> None:
    """Number the inner tensors of `graph` in place, and drop the names of its nodes.

    In a heavily trimmed int8 network, names need more bytes than weights. If a node has a subgraph,
    which may read tensors by name, everything is left unchanged.
    """
    if any(_inner_graphs(node) for node in graph.node):
        return
    new = {value.name: value.name for value in (*graph.input, *graph.output)}
    new[""] = ""  # an input that is left out

    def short(name: str) -> str:
        return new.setdefault(name, f"t{len(new)}")

    for node in graph.node:
        node.ClearField("name")
        for names in (node.input, node.output):
            names[:] = [short(name) for name in names]
    for tensor in graph.initializer:
        tensor.name = short(tensor.name)


def _inner_graphs(node: onnx.NodeProto) -> list[onnx.GraphProto]:
    return [
        graph
        for attribute in node.attribute
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else []))
    ]


def _keep(field: Any, kept: list[Any]) -> None:
    """Let the protobuf list `field` hold `kept` alone."""
    del field[:]
    field.extend(kept)
