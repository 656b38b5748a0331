"""Counting parameters, non-zero parameters and multiply-accumulates (MACs).

A MAC is one multiplication of a weight (or of one activation by another) with its addition.
Counted: convolutions of any dimension, grouped and transposed, linear layers, recurrent
layers and cells at every time step, products of matrices, bilinear forms.
Not counted: biases, normalisation, activations, pooling, everything elementwise.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mirtrim.units.kinds import check_python
from mirtrim.units.preserving import modes_kept
from mirtrim.utils.errors import TraceError

aten = torch.ops.aten


def parameters(model: nn.Module) -> int:
    """Number of entries of all parameters; a shared parameter counts once."""
    return sum(p.numel() for p in model.parameters())


def nonzeros(model: nn.Module) -> int:
    """Number of entries of all parameters that are not zero."""
    return sum(int(torch.count_nonzero(p.detach())) for p in model.parameters())


def macs(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> int:
    """Multiply-accumulates that `model` spends on one example.

    Products of weights with each other, as of an adapter's two factors, happen once a pass; they
    are counted as a batch of one has them.

    Args:
        example_inputs: arguments of the model's forward. The first axis of the first one is
            the batch; the count is divided by its length.

    Raises:
        TraceError: an operation uses weights in a way that this counter does not know. It is
            named, because counting it as free would be wrong. Or a module is scripted or lazy.
    """
    check_python(model)
    inputs, batch = as_arguments(example_inputs), batch_length(example_inputs)
    counter = _counted(model, inputs)
    if batch > 1 and counter.multiplies_weights:
        with suppress(RuntimeError, ValueError):  # a network for this batch only
            first = tuple(value[:1] if value.shape[:1] == (batch,) else value for value in inputs)
            return _counted(model, first).total
    if counter.total % batch:
        raise TraceError(
            f"{counter.total} multiply-accumulates do not divide among {batch} examples;"
            " put the batch on the first axis of the first input"
        )
    return counter.total // batch


def _counted(model: nn.Module, inputs: tuple[Tensor, ...]) -> "_MacCounter":
    counter = _MacCounter(model)
    with run_for_one_pass(model), counter.naming_layers(), counter:
        model(*inputs)
    return counter


def as_arguments(example_inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The arguments of one forward pass as a tuple."""
    return (example_inputs,) if isinstance(example_inputs, Tensor) else tuple(example_inputs)


def batch_length(example_inputs: Tensor | Sequence[Tensor]) -> int:
    """Number of examples: the first axis of the first input."""
    return as_arguments(example_inputs)[0].shape[0]


@contextmanager
def run_for_one_pass(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; the modes of all layers are restored after it.

    Attention runs as the products it consists of, which can be counted, exported and lowered.
    """
    with modes_kept(model), torch.no_grad(), _unfused_attention():
        model.eval()
        yield


@contextmanager
def _unfused_attention() -> Iterator[None]:
    """Without torch's fused kernels, of whole layers and of one attention."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _convolution(arguments: Sequence[Any], output: Tensor) -> int:
    data, weight, transposed = arguments[0], arguments[1], arguments[6]
    # Each position (of the output; of the input when transposed) meets, per channel on its own
    # side, one filter: weight.numel() products in all, shared among the groups.
    positions = data if transposed else output
    return weight.numel() * positions.shape[0] * prod(positions.shape[2:])


def _matrix_product(arguments: Sequence[Any], output: Tensor) -> int:
    return output.numel() * arguments[0].shape[-1]


def _added_matrix_product(arguments: Sequence[Any], output: Tensor) -> int:
    return output.numel() * arguments[1].shape[-1]


def _trilinear(arguments: Sequence[Any], output: Tensor) -> int:
    # nn.Bilinear: one product of both inputs and one weight for every (i, j) of every output.
    weight = arguments[1]
    return weight.numel() * prod(output.shape[:-1])


def _embedding_bag(arguments: Sequence[Any], output: Any) -> int:
    # Entries are added up; they are multiplied only where every sample has a weight of its own.
    weight, indices = arguments[:2]
    shares = arguments[6] if len(arguments) > 6 else None
    return 0 if shares is None else indices.numel() * weight.shape[1]


def _fused_lstm(arguments: Sequence[Any], output: Any) -> int:
    # oneDNN, one layer in one direction: (time, batch, features), W_ih, W_hh.
    data, input_weight, hidden_weight = arguments[:3]
    return prod(data.shape[:2]) * (input_weight.numel() + hidden_weight.numel())


def _fused_recurrence(arguments: Sequence[Any], output: Any) -> int:
    # cuDNN, all layers and directions at once; biases are the vectors among the weights.
    data, weights = arguments[:2]
    return prod(data.shape[:2]) * sum(w.numel() for w in weights if w.ndim == 2)


COUNTED: dict[Any, Callable[[Sequence[Any], Any], int]] = {
    aten.convolution.default: _convolution,
    aten.mm.default: _matrix_product,
    aten.bmm.default: _matrix_product,
    aten.mv.default: _matrix_product,
    aten.dot.default: _matrix_product,
    aten.vdot.default: _matrix_product,
    aten.addmm.default: _added_matrix_product,
    aten.baddbmm.default: _added_matrix_product,
    aten.addmv.default: _added_matrix_product,
    aten._trilinear.default: _trilinear,
    aten._embedding_bag.default: _embedding_bag,
    aten._embedding_bag_forward_only.default: _embedding_bag,
    # Every other recurrent layer runs as the matrix products above, step by step.
    aten.mkldnn_rnn_layer.default: _fused_lstm,
    aten._cudnn_rnn.default: _fused_recurrence,
}

# Operations that may touch a weight without multiplying it by an activation more than once
# per element; elementwise ones and views are recognised by their tags.
MOVING = """
    _to_copy _unsafe_view cat clone complex constant_pad_nd copy_ diag_embed embedding flip gather
    index index_add index_put index_select masked_select pixel_shuffle pixel_unshuffle polar
    reflection_pad1d reflection_pad2d repeat replication_pad1d replication_pad2d roll scatter
    scatter_add stack tril triu
"""
REDUCING = """
    amax amin argmax argmin count_nonzero cumsum linalg_vector_norm logsumexp max mean median min
    norm prod std std_mean sum var var_mean
"""
NORMALISING = """
    _log_softmax _native_batch_norm_legit _native_batch_norm_legit_no_training _prelu_kernel
    _softmax _weight_norm_interface cudnn_batch_norm embedding_renorm_ glu native_batch_norm
    native_group_norm native_layer_norm renorm
"""
RESIZING = """
    upsample_bicubic2d upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d
"""
ONLY_ITS_SHAPE = "empty_like full_like new_empty new_full new_ones new_zeros ones_like zeros_like"
# What follows the products of a recurrent cell on a GPU.
GATES = "_thnn_fused_gru_cell _thnn_fused_lstm_cell"
FREE = {
    getattr(aten, name)
    for names in (MOVING, REDUCING, NORMALISING, RESIZING, ONLY_ITS_SHAPE, GATES)
    for name in names.split()
}


class _MacCounter(TorchDispatchMode):
    """Adds up the products of every operation that runs while it is active."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch would import its compiler to keep it away from the method below. That takes as
        # long as importing torch, and nothing is compiled here.
        return False

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.total = 0
        self.multiplies_weights = False
        self._model = model
        self._layers: list[str] = []
        # Views of a weight share its storage, so this finds them too.
        self._weights = {p.untyped_storage()._cdata for p in model.parameters()}
        # What is computed of nothing but weights and buffers. Held, as storages are known by
        # their addresses.
        self._constants = [*model.parameters(), *model.buffers()]
        self._known = {value.untyped_storage()._cdata for value in self._constants}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        is_constant = self._follow_constants(output, args, kwargs)
        if func in COUNTED:
            products = COUNTED[func](args, output)
            self.total += products
            self.multiplies_weights |= is_constant and products > 0
        elif self._is_unknown(func, args, kwargs):
            layer = self._layers[-1] if self._layers else "(root)"
            raise TraceError(
                f"layer {layer}: the multiply-accumulates of {func} are not known;"
                " add a rule to mirtrim.counting.operations"
            )
        return output

    def _follow_constants(self, output: Any, args: Sequence[Any], kwargs: Any) -> bool:
        """Whether an operation has tensors to work on, and all are weights or made of them."""
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if not tensors:
            return False
        is_constant = all(t.untyped_storage()._cdata in self._known for t in tensors)
        made = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
        storages = {value.untyped_storage()._cdata for value in made}
        if is_constant:
            self._constants += made
            self._known |= storages
        else:  # such as a buffer into which data is written
            self._known -= storages
        return is_constant

    def _is_unknown(self, func: Any, args: Sequence[Any], kwargs: Any) -> bool:
        if func.overloadpacket in FREE or func.is_view or torch.Tag.pointwise in func.tags:
            return False
        if "attention" in str(func) or "cdist" in str(func) or "matmul" in str(func):
            return True
        tensors = (leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor))
        return any(t.untyped_storage()._cdata in self._weights for t in tensors)

    @contextmanager
    def naming_layers(self) -> Iterator[None]:
        """Keep the name of the running layer for error messages."""
        handles = []
        for name, module in self._model.named_modules():

            def enter(_module: nn.Module, _inputs: Any, name: str = name) -> None:
                self._layers.append(name or "(root)")

            def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
                self._layers.pop()

            handles += [
                module.register_forward_pre_hook(enter),
                module.register_forward_hook(leave),
            ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
