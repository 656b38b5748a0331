"""Looking into a network while it runs: the outputs of units, and their gradients.

Everything here runs the network in eval mode and leaves parameters, buffers, `.grad` and the
modes of modules as they were.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria.feeding import called, examples_in, pairs
from mirtrim.units.graph import UnitGraph, UnitLayer
from mirtrim.utils.errors import ConfigError, TrainingError

Batches = Callable[[], Iterable[tuple[Any, Any]]]  # (inputs, targets)
Loss = Callable[[Tensor, Tensor], Tensor]
Reduce = Callable[[Tensor, Tensor], Tensor]

NO_BATCH = "batches: the criterion got none to look at; give batches of training data"
_CHANNEL_NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
)
_LAST_NORMS = (nn.LayerNorm, nn.RMSNorm)


@dataclass(frozen=True)
class Tap:
    """Where the outputs of a layer's units can be read.

    Attributes:
        layer: name of the layer.
        module: its module, or the normalisation that follows it.
        axis: dimension of the module's output along which units lie.
        units: how many.
    """

    layer: str
    module: nn.Module
    axis: int
    units: int


def norm_following(graph: UnitGraph, layer: UnitLayer) -> str | None:
    """Path of the normalisation that directly follows this layer and no other."""
    norm = graph.normalisation_of(layer.name)
    shared = sum(graph.normalisation_of(other.name) == norm for other in graph.layers) > 1
    return None if shared else norm


def find_taps(
    network: nn.Module, graph: UnitGraph, layers: Sequence[UnitLayer], *, after_norm: bool
) -> list[Tap]:
    """A tap for each of `layers`.

    Args:
        after_norm: read behind the normalisation that directly follows a layer, if there is
            one: what a norm rescales has no scale of its own.

    Raises:
        ConfigError: a layer is not a module, so no hook can see its outputs.
    """
    modules = dict(network.named_modules())
    taps = []
    for layer in layers:
        units = len(layer.groups)
        norm = modules.get(norm_following(graph, layer) or "") if after_norm else None
        if isinstance(norm, (*_CHANNEL_NORMS, *_LAST_NORMS)):
            taps.append(Tap(layer.name, norm, 1 if isinstance(norm, _CHANNEL_NORMS) else -1, units))
        elif layer.name in modules:
            axis = 1 if layer.kind == "conv" else -1
            taps.append(Tap(layer.name, modules[layer.name], axis, units))
        else:
            raise ConfigError(
                f"layer {layer.name} is a bare parameter, so its outputs cannot be read; make it a "
                "module or take the criterion magnitude"
            )
    return taps


def reduced_outputs(
    network: nn.Module, taps: Sequence[Tap], batches: Batches, reduce: Reduce
) -> Iterator[tuple[dict[str, list[Tensor]], Tensor]]:
    """Run the network on each batch and reduce every unit output as soon as it appears.

    Args:
        reduce: makes something small of one layer's output (examples, units, *positions) and
            the batch of targets. Positions are time, bins, directions of a recurrent layer.

    Yields:
        Per batch: by layer, one reduced tensor for each call of its module; and the targets.

    Raises:
        ConfigError: there is no batch, or an output has no axis of examples.
        TrainingError: an output is not finite.
    """
    current: list[tuple[int, Tensor]] = []
    found: dict[str, list[Tensor]] = {}

    def reader(tap: Tap) -> Callable[[nn.Module, Any, Any], None]:
        def read(module: nn.Module, inputs: Any, output: Any) -> None:
            examples, targets = current[-1]
            found[tap.layer].append(reduce(by_example(output, tap, examples), targets))

        return read

    with watching(network, {tap: reader(tap) for tap in taps}):
        for inputs, targets in pairs(batches):
            current[:] = [(examples_in(inputs), targets)]
            found = {tap.layer: [] for tap in taps}
            with torch.no_grad():
                called(network, inputs)
            _all_seen(found)
            yield found, targets
    if not current:
        raise ConfigError(NO_BATCH)


def output_gradients(
    network: nn.Module, taps: Sequence[Tap], batches: Batches, loss: Loss
) -> Iterator[tuple[dict[str, list[tuple[Tensor, Tensor]]], int]]:
    """Outputs of the units and the gradients of the loss with respect to them.

    Yields:
        Per batch: by layer, for each call, outputs and gradients, both (examples, units,
        *positions), the gradients of the mean loss times the batch size; and the batch size.

    Raises:
        ConfigError: there is no batch, or an output has no axis of examples.
    """
    leaves: list[tuple[Tap, Tensor]] = []

    def keeper(tap: Tap) -> Callable[[nn.Module, Any, Any], Tensor]:
        def keep(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            leaf = output if output.requires_grad else output.detach().requires_grad_()
            leaves.append((tap, leaf))
            return leaf.clone()  # an operation in place must not change what was kept

        return keep

    seen = False
    with watching(network, {tap: keeper(tap) for tap in taps}), differentiable():
        for inputs, targets in pairs(batches):
            seen = True
            leaves.clear()
            value = loss(called(network, inputs), targets)
            _all_seen({tap.layer: [t for t, _ in leaves if t is tap] for tap in taps})
            tensors = [leaf for _, leaf in leaves]
            gradients = torch.autograd.grad(value, tensors, materialize_grads=True)
            size = examples_in(inputs)
            found: dict[str, list[tuple[Tensor, Tensor]]] = {tap.layer: [] for tap in taps}
            for (tap, leaf), gradient in zip(leaves, gradients, strict=True):
                pair = by_example(leaf.detach(), tap, size), by_example(gradient, tap, size) * size
                found[tap.layer].append(pair)
            yield found, size
    if not seen:
        raise ConfigError(NO_BATCH)


def by_example(output: Any, tap: Tap, examples: int) -> Tensor:
    """A module's output as (examples, units, *positions).

    Of a recurrent module this is the sequence of hidden states of its last layer, with the
    direction as one more position: hooks do not see the layers below, and unit k of every
    layer and direction is one unit.
    """
    values = output[0] if isinstance(output, tuple) else output
    if not isinstance(values, Tensor):
        raise ConfigError(f"layer {tap.layer} gives no tensor; take the criterion magnitude")
    if not torch.isfinite(values).all():
        raise TrainingError(
            f"layer {tap.layer} gives values that are not finite; lower the learning rate"
        )
    if isinstance(tap.module, nn.RNNBase):
        if tap.module.proj_size:
            raise ConfigError(
                f"layer {tap.layer} gives projections of its hidden states, not these; take the "
                "criterion magnitude"
            )
        if not tap.module.batch_first:
            values = values.transpose(0, 1)
        values = values.unflatten(-1, (-1, tap.units))
    if values.shape[tap.axis] != tap.units:
        raise ConfigError(
            f"layer {tap.layer} gives {tuple(values.shape)}, without {tap.units} units along "
            f"dimension {tap.axis}; take the criterion magnitude"
        )
    values = values.movedim(tap.axis, 0)
    rest = list(values.shape[1:])
    if examples in rest:
        return values.movedim(1 + rest.index(examples), 0)
    if rest and rest[0] % examples == 0:  # positions were folded into the batch
        return values.unflatten(1, (examples, -1)).movedim(1, 0)
    raise ConfigError(
        f"layer {tap.layer} gives {tuple(values.shape)} for {examples} examples; no axis of it "
        "runs over examples; take the criterion magnitude"
    )


def _all_seen(found: Mapping[str, Sequence[Any]]) -> None:
    for layer, calls in found.items():
        if not calls:
            raise ConfigError(
                f"layer {layer} runs without its module being called, so its outputs cannot be "
                "read; take the criterion magnitude"
            )


@contextmanager
def watching(network: nn.Module, hooks: Mapping[Tap, Callable[..., Any]]) -> Iterator[None]:
    """Eval mode and forward hooks, both undone afterwards."""
    modes = [(module, module.training) for module in network.modules()]
    handles = [tap.module.register_forward_hook(hook) for tap, hook in hooks.items()]
    try:
        network.eval()
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in modes:
            module.training = mode


@contextmanager
def learning(network: nn.Module, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Eval mode and gradients of `parameters`, frozen ones among them; undone afterwards."""
    frozen = [parameter for parameter in parameters if not parameter.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        with watching(network, {}), differentiable():
            yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)


@contextmanager
def differentiable() -> Iterator[None]:
    """Gradients on, for any network in eval mode."""
    # cuDNN has no backward pass for recurrent layers in eval mode.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        yield
