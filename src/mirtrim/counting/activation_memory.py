"""Peak memory of activations during one forward pass.

The pass is run once and each call of a torch function is written down: which tensors it reads
and which it makes. A tensor lives from the call that makes it to the last call that reads it;
the inputs of the network live from the start, its outputs to the end. While a call runs, its
inputs and its outputs live together. The peak is the largest sum.

Views (flatten, transpose, slices) and in-place functions make no new tensor, as in torch
itself; batch norm and ReLU do make one unless they are in-place. Weights and buffers, and the
scratch space inside a kernel or a recurrent layer, are not activations and do not count.
Floating-point tensors count 4 bytes per entry whatever the precision of this run.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from mirtrim.counting.operations import as_arguments, batch_length, run_for_one_pass

BYTES_PER_FLOAT = 4


def peak_activation_bytes(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> int:
    """Largest sum of live activations, in bytes per example.

    Args:
        example_inputs: arguments of the model's forward. The first axis of the first one is
            the batch; the peak is divided by its length, rounded up.
    """
    arguments = _copies(as_arguments(example_inputs))
    record = _Record(model, arguments)
    with run_for_one_pass(model), record:
        outputs = model(*arguments)
    record.close(outputs)
    return -(-record.peak() // batch_length(example_inputs))


def _copies(inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs in memory of their own: a slice would count for all that it was cut from."""
    copies = {
        id(value): value.detach().clone(memory_format=torch.contiguous_format) for value in inputs
    }
    return [copies[id(value)] for value in inputs]


class _Record(TorchFunctionMode):
    """First and last call that touches each piece of memory."""

    def __init__(self, model: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self._ignored = {
            t.untyped_storage()._cdata for t in (*model.parameters(), *model.buffers())
        }
        self._calls = 0
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._bytes: dict[int, int] = {}
        # Memory that is freed during the pass could come back under the same identity.
        self._kept: list[Tensor] = []
        self._touch(inputs)

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        # Questions about a tensor, such as its shape, give no tensor and are no calls.
        if any(isinstance(leaf, Tensor) for leaf in tree_leaves(result)):
            self._calls += 1
            self._touch((args, kwargs, result))
        return result

    def close(self, outputs: Any) -> None:
        """Let the outputs of the network live to the end."""
        self._calls += 1
        self._touch(outputs)

    def peak(self) -> int:
        """Largest number of bytes alive at any call."""
        change = [0] * (self._calls + 2)
        for memory, size in self._bytes.items():
            change[self._first[memory]] += size
            change[self._last[memory] + 1] -= size
        alive = peak = 0
        for difference in change:
            alive += difference
            peak = max(peak, alive)
        return peak

    def _touch(self, tree: Any) -> None:
        for tensor in tree_leaves(tree):
            if not isinstance(tensor, Tensor):
                continue
            storage = tensor.untyped_storage()
            memory = storage._cdata
            if memory in self._ignored:
                continue
            if memory not in self._first:
                self._first[memory] = self._calls
                entries = storage.nbytes() // tensor.element_size()
                size = BYTES_PER_FLOAT if tensor.is_floating_point() else tensor.element_size()
                self._bytes[memory] = entries * size
                self._kept.append(tensor)
            self._last[memory] = self._calls
