"""From a PyTorch network to the layers of a microcontroller.

The network is traced by `torch.export` for one example. Batch norms and constants become part
of the layer before them, or a depthwise 1 × 1 convolution where an activation stands between;
ReLUs become part of the layer before them; dropout vanishes. Activations are stored channels
last, as microcontroller kernels want them. Flattening needs no operator: where each stored
number lay in PyTorch's order is followed, and the columns of the next linear layer are put
into that order.
"""

from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.fx.operator_schemas import normalize_function

from mirtrim.counting.operations import run_for_one_pass
from mirtrim.deploy.tflite.building import Builder, Entry, channels_last, stored_shape
from mirtrim.deploy.tflite.layers import Layers, Value
from mirtrim.deploy.tflite.operators import HANDLERS
from mirtrim.utils.errors import TraceError


def trace(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """`model` in evaluation mode as a graph of ATen operators, for inputs like `example`.

    Raises:
        TraceError: torch.export cannot follow the network.
    """
    with run_for_one_pass(model):
        try:
            program = torch.export.export(model, (example,))
        except Exception as error:  # torch.export raises errors of many kinds
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise TraceError(
                f"torch.export cannot follow {type(model).__name__} ({reason}); take out what "
                "depends on the values of the input"
            ) from error
        graph = program.module(check_guards=False)
    assert isinstance(graph, fx.GraphModule)
    return graph


def lower(graph: fx.GraphModule) -> Layers:
    """The layers of a traced network.

    Raises:
        TraceError: an operator has no counterpart; it is named with its module.
    """
    builder = Builder()
    held: dict[fx.Node, Any] = {}
    inputs: list[Value] = []
    outputs: list[Value] = []
    for node in graph.graph.nodes:
        builder.node = node
        if node.op == "placeholder":
            held[node] = _input(builder)
            inputs.append(held[node].value)
        elif node.op == "get_attr":
            held[node] = attrgetter(str(node.target))(graph)
        elif node.op == "call_function":
            held[node] = _call(builder, held)
        elif node.op == "output":
            outputs = [_output(builder, held[n]) for n in node.all_input_nodes]
    if len(inputs) != 1 or len(outputs) != 1 or not builder.layers:
        raise TraceError(
            f"a network with {len(inputs)} inputs, {len(outputs)} outputs and "
            f"{len(builder.layers)} layers is not exported; one input, one output, any layers are"
        )
    return Layers(inputs[0], outputs[0], builder.layers)


def _input(builder: Builder) -> Entry:
    shape = builder.shape
    if shape[:1] != (1,) or not 2 <= len(shape) <= 4:
        builder.fail("the input must be one example of 2 to 4 axes, the batch first")
    value = Value(stored_shape(shape), builder.node.name)
    return Entry(value, shape, channels_last(shape), len(builder.node.users) == 1)


def _output(builder: Builder, entry: Entry) -> Value:
    entry = builder.plain(entry)
    if not np.array_equal(entry.order, np.arange(entry.order.size)):
        builder.fail("it has channels and positions; end the network with a linear layer")
    return builder.shaped(entry.value, entry.shape)


def _call(builder: Builder, held: dict[fx.Node, Any]) -> Entry:
    node = builder.node
    handler = HANDLERS.get(str(node.target))
    if handler is None:
        builder.fail("it has no counterpart in this export; replace it or leave it out")
    assert callable(node.target)
    given = normalize_function(
        node.target, node.args, node.kwargs, normalize_to_only_use_kwargs=True
    )
    assert given is not None
    return handler(builder, fx.node.map_arg(given.kwargs, held.__getitem__))
