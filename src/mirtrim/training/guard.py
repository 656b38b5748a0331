"""Which layers of a network this processor computes wrongly in bfloat16: found before a training.

This also detects whether bfloat16 is slow here: without instructions for it (AVX-512 BF16, AMX) a
matrix product takes up to ninety times as long as in float32.

Kernels for processors with matrix units (AMX) are chosen by the shape of a call, and with torch
2.13 some of them are wrong by as much as their result: `conv1d` with 64 taps and an even number of
input channels from 2 to 14, in values or gradients, depending on shapes and layouts. A network that
is trained through such a kernel learns to live with it and is worthless without. So every layer is
computed in both precisions, forward and backward, as the training is going to call it.

The test tensors consist of signs: products and their sums are then integers, which float32
represents exactly, so bfloat16 may differ only by the rounding of its results, 0.2 %.
"""

import copy
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from math import inf, isinf
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten

from mirtrim.training.devices import device_of
from mirtrim.training.forwarding import WAYS, channels_last, in_bfloat16
from mirtrim.utils.errors import TrainingError
from mirtrim.utils.seeds import torch_generator

LAYERS = (nn.modules.conv._ConvNd, nn.Linear, nn.RNNBase, nn.RNNCellBase)
# Relative error of a layer. Rounding makes 0.002, in a long recurrence a few times that; one wrong
# column of a thousand makes 0.04.
MOST = 2**-5
SLOW = 3.0  # times as long as float32
SHORT_SECONDS = 0.1  # of one step: less says nothing, and costs little


class PrecisionWarning(UserWarning):
    """Layers are not computed in bfloat16, or not by torch, because it does that wrongly here; or
    bfloat16 is slower than float32."""


@dataclass(frozen=True)
class _Call:
    """How a training calls a layer.

    Attributes:
        inputs: tensors with the layout of its inputs; only shape, layout and dtype matter.
        gradient: whether the gradient of its inputs is needed.
    """

    layer: nn.Module
    inputs: Tensor
    gradient: bool

    @property
    def kind(self) -> tuple[object, ...]:
        """What the choice of a kernel can depend on."""
        return (repr(self.layer), self.inputs.shape, self.inputs.stride(), self.gradient)


@dataclass(frozen=True)
class _Trial:
    """How a layer is to be computed, and what its forward and backward passes take.

    Attributes:
        way: one of `forwarding.WAYS`, "" for torch's own.
        error: relative error of torch's own way.
        seconds, exact_seconds: of torch's own way and of float32.
    """

    way: str
    error: float
    seconds: float
    exact_seconds: float


def ways_in_bfloat16(network: nn.Module, inputs: Tensor) -> dict[str, str]:
    """The layers of `network` that a training in bfloat16 must not compute with torch's kernel.

    Takes about as long as a training step in both precisions. Parameters, buffers, mode and random
    generators stay as they are.

    Args:
        inputs: a batch of the training, where the network is.

    Returns:
        Name of the layer → the first of `forwarding.WAYS` that is correct; a `PrecisionWarning`
        lists them. Another warning says if bfloat16 takes `SLOW` times as long as float32 here.

    Raises:
        TrainingError: a layer is not even right in float32.
    """
    names = {layer: name for name, layer in network.named_modules()}
    known: dict[tuple[object, ...], _Trial] = {}
    ways: dict[str, str] = {}
    told: dict[str, list[str]] = {}
    seconds = exact_seconds = 0.0
    for call in _calls(network, inputs):
        name = names[call.layer]
        if call.kind not in known:
            known[call.kind] = _right_way(call, name)
        trial = known[call.kind]
        way = trial.way
        seconds += trial.seconds
        exact_seconds += trial.exact_seconds
        # A layer that is called twice uses the slower of its ways.
        if way and list(WAYS).index(way) >= list(WAYS).index(ways.get(name, way)):
            ways[name] = way
            why = "not there" if isinf(trial.error) else f"relative error {trial.error:.2g}"
            told.setdefault(way, []).append(f"{name} ({why})")
    if ways:
        parts = [f"{', '.join(layers)} by {way}" for way, layers in told.items()]
        _tell(f"bfloat16 is wrong on this processor, computed another way: {'; '.join(parts)}")
    if seconds > SHORT_SECONDS and seconds > SLOW * exact_seconds:
        _tell(
            f"bfloat16 takes {seconds / exact_seconds:.0f} times as long as float32 on this "
            "processor; train in float32 (in a configuration: training.precision), or on a "
            "processor with AMX or AVX-512 BF16"
        )
    return ways


def _tell(message: str) -> None:
    # Without a registry, because several trainings in a row may have the same warning.
    warnings.warn_explicit(message, PrecisionWarning, __name__, 0, registry=None)


@torch.enable_grad()
def _calls(network: nn.Module, inputs: Tensor) -> list[_Call]:
    """The calls of layers in one forward pass in bfloat16, without a trace in the network.

    Recurrent layers that cannot be computed in it here are called in float32.
    """
    calls: list[_Call] = []

    def record(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        given = arguments[0]
        calls.append(_Call(layer, torch.empty_like(given.detach()), given.requires_grad))

    layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]
    handles = [layer.register_forward_pre_hook(record) for layer in layers]
    try:
        # Dropout and batch norm change no shape, but draw numbers and keep statistics.
        with _evaluating(network):
            try:
                with in_bfloat16(device_of(network), {}):
                    network(channels_last(inputs))
            except RuntimeError as error:
                _raise_if_of_memory(error)
                calls.clear()
                recurrent = [layer for layer in layers if isinstance(layer, nn.RNNBase)]
                with in_bfloat16(device_of(network), dict.fromkeys(recurrent, "float32")):
                    network(channels_last(inputs))
    finally:
        for handle in handles:
            handle.remove()
    return calls


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _right_way(call: _Call, name: str) -> _Trial:
    started = perf_counter()
    exact = _results(call, "exact")
    exact_done = perf_counter()
    error = _error(call, "", exact)
    took = {"seconds": perf_counter() - exact_done, "exact_seconds": exact_done - started}
    if error <= MOST:
        return _Trial("", error, **took)
    for way in WAYS:
        if _error(call, way, exact) <= MOST:
            return _Trial(way, error, **took)
    raise TrainingError(
        f"layer {name}: torch computes it wrongly on this processor, in bfloat16 (relative error "
        f"{error:.2g}) and in float32; use another version of torch"
    )


def _error(call: _Call, way: str, exact: list[Tensor]) -> float:
    """Relative error of a way; infinite where torch cannot compute it, as an LSTM in bfloat16 on
    processors without instructions for it."""
    try:
        return _difference(_results(call, way), exact)
    except RuntimeError as error:
        _raise_if_of_memory(error)
        return inf


def _raise_if_of_memory(error: RuntimeError) -> None:
    """Whether an error means out of memory, which says nothing about bfloat16. torch has an error
    class for this only on GPUs."""
    words = ("not enough memory", "allocate memory", "out of memory")
    if isinstance(error, torch.OutOfMemoryError) or any(w in str(error).lower() for w in words):
        raise error


def _difference(found: list[Tensor], exact: list[Tensor]) -> float:
    """The largest relative error among outputs and gradients; nan where one is not a number."""
    errors = []
    for one, other in zip(found, exact, strict=True):
        size = other.norm()
        error = (one.float() - other).norm()
        errors.append(float(error / size) if size > 0 else float(error))
    return float(torch.tensor(errors).max())  # a plain maximum may lose a nan


def _results(call: _Call, way: str) -> list[Tensor]:
    """Outputs, gradient of the inputs if needed and of the parameters, of signs as they come.

    Args:
        way: "exact" for torch in float32, "" for torch in bfloat16, or one of `WAYS`.
    """
    generator = torch_generator(0, "guard of bfloat16")
    layer = _of_signs(call.layer, generator)
    inputs = _signs(call.inputs, generator)
    exact = way == "exact"
    if exact:
        inputs = inputs.float()
    inputs.requires_grad_(call.gradient)
    ways = {layer: way} if way else {}
    with torch.enable_grad(), nullcontext() if exact else in_bfloat16(device_of(layer), ways):
        outputs = [part for part in tree_flatten(layer(inputs))[0] if isinstance(part, Tensor)]
    weights = [_signs(output.detach(), generator) for output in outputs]
    sources = [inputs, *layer.parameters()] if call.gradient else list(layer.parameters())
    return [*(o.detach() for o in outputs), *torch.autograd.grad(outputs, sources, weights)]


def _of_signs(layer: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy of a layer, in training mode, without hooks, its parameters signs.

    Those of a recurrent layer are so small that its units do not saturate.
    """
    bare = copy.copy(layer)
    bare._forward_hooks, bare._forward_pre_hooks = OrderedDict(), OrderedDict()
    size = 1.0
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        size = layer.hidden_size**-0.5
    bare._parameters = {
        name: None if value is None else nn.Parameter(size * _signs(value.detach(), generator))
        for name, value in layer._parameters.items()
    }
    if isinstance(bare, nn.RNNBase):
        bare._flat_weights = [getattr(bare, name) for name in bare._flat_weights_names]
    bare.training = True
    return bare


def _signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """−1 and 1 at random, in shape, layout, dtype and place of `like`."""
    bits = torch.randint(0, 2, like.shape, generator=generator, dtype=torch.int8)
    return torch.empty_like(like).copy_(bits).mul_(2).sub_(1)
