"""The operation counter of the replicated code, as its recorded runs show it.

It exists to compare with the recorded numbers, not to measure: it counts a multiplication with
its addition once, leaves out several layers, and sees modules but not functions.
`mirtrim.counting.operations` is the counter to use.
"""

from typing import Any

import numpy as np
from torch import Tensor, nn

from mirtrim.counting.operations import run_for_one_pass
from mirtrim.utils.errors import TraceError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
POOLS_2D = (nn.MaxPool2d, nn.AvgPool2d)
# Leaf modules that the recorded counts show as free.
FREE = (
    nn.MaxPool1d,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Sigmoid,
    nn.Identity,
    nn.Flatten,
    nn.ConvTranspose1d,
    nn.GRUCell,
)


def replicated_flops(model: nn.Module, example_input: Tensor) -> int:
    """Operations of one forward pass as the replicated code would have recorded them.

    Args:
        example_input: a batch of one.

    The recorded numbers are a running sum in single precision over the layers in the order of
    execution; adding exactly, or in another order, misses many of them by a few operations.
    """
    total = np.float32(0)
    for operations in layer_operations(model, example_input):
        total += np.float32(operations)
    return int(total)


def layer_operations(model: nn.Module, example_input: Tensor) -> list[int]:
    """Exact operations of every leaf module by the replicated rules, in order of execution.

    Args:
        example_input: a batch of one.

    Convolution: one per product and one per output entry (counted even without a bias).
    Linear: one per product. Batch norm: two per entry. ReLU: one. 2-D pooling: one per input
    entry. GRU and LSTM: 12 and 16 times G (G + 1) with G the rows of the stacked input
    matrix, at no number of time steps. 1-D pooling, dropout, sigmoid, transposed convolution
    and GRU cells: nothing. Functions called outside a module: nothing.

    Raises:
        TraceError: a leaf module with parameters of another type.
    """
    counts: list[int] = []

    def count(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        counts.append(_operations(module, inputs[0], output))

    leaves = [module for module in model.modules() if not any(module.children())]
    handles = [leaf.register_forward_hook(count) for leaf in leaves]
    try:
        with run_for_one_pass(model):
            model(example_input)
    finally:
        for handle in handles:
            handle.remove()
    return counts


def _operations(module: nn.Module, data: Tensor, output: Any) -> int:
    if isinstance(module, CONVOLUTIONS):
        positions = output[0, 0].numel()
        return (module.weight.numel() + module.out_channels) * positions
    if isinstance(module, nn.Linear):
        return module.weight.numel()
    if isinstance(module, BATCH_NORMS):
        return 2 * data.numel()
    if isinstance(module, (nn.ReLU, *POOLS_2D)):
        return data.numel()
    if isinstance(module, (nn.GRU, nn.LSTM)):
        rows = module.get_parameter("weight_ih_l0").shape[0]
        return (12 if isinstance(module, nn.GRU) else 16) * rows * (rows + 1)
    if isinstance(module, FREE) or not any(True for _ in module.parameters()):
        return 0
    raise TraceError(
        f"{type(module).__name__}: the recorded runs do not show how this layer was counted;"
        " use mirtrim.counting.operations instead"
    )
