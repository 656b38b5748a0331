"""A network as trainings and scores call it: the same function, computed faster."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from mirtrim.training.devices import device_of
from mirtrim.training.kernels import faster_in_bfloat16, faster_kernels, products_in_bfloat16

Forward = Callable[[Tensor], Tensor]
# How a layer is computed where all others are in bfloat16: (layer, its own forward) → forward.
Way = Callable[[nn.Module, Callable[..., Any]], Callable[..., Any]]


def forward_of(
    network: nn.Module,
    precision: str = "float32",
    ways: Mapping[str, str] | None = None,
    dropout_kernel: str = "torch",
) -> Forward:
    """`network` as a function of a batch; its outputs are float32.

    Args:
        precision: "float32", or "bfloat16" for matrix products and convolutions.
        ways: with "bfloat16": layers that are computed differently → one of `WAYS`.
        dropout_kernel: with "float32": "torch", or "packed" (`training.kernels.dropout`).
    """
    if precision == "bfloat16":
        return _in_bfloat16(network, ways or {})
    if precision != "float32":
        raise ValueError(f"unknown precision {precision!r}")

    def forward(inputs: Tensor) -> Tensor:
        with faster_kernels(network, dropout_kernel == "packed"):
            outputs: Tensor = network(inputs)
        return outputs

    return forward


def _in_bfloat16(network: nn.Module, ways: Mapping[str, str]) -> Forward:
    device = device_of(network)
    layers = {network.get_submodule(name): way for name, way in ways.items()}

    def forward(inputs: Tensor) -> Tensor:
        with in_bfloat16(device, layers):
            outputs: Tensor = network(channels_last(inputs))
        return outputs.float()

    return forward


def channels_last(inputs: Tensor) -> Tensor:
    """Images (batch, channels, height, width) with their channels last in memory, as tasks cut
    them; other inputs as given.

    All layers keep that layout, for which kernels in bfloat16 need not copy their inputs. Torch's
    own conversion leaves images of one channel as they are, and its layers then put the many
    channels that they make of it first.
    """
    if inputs.dim() != 4:
        return inputs
    channels, height, width = inputs.shape[1:]
    strides = (channels * height * width, 1, channels * width, channels)
    if inputs.stride() == strides:
        return inputs
    images = torch.empty_strided(inputs.shape, strides, dtype=inputs.dtype, device=inputs.device)
    return images.copy_(inputs)


@contextmanager
def in_bfloat16(device: torch.device, ways: Mapping[nn.Module, str]) -> Iterator[None]:
    """Within this context layers are computed as in a training in bfloat16.

    Args:
        ways: layers that are computed differently → one of `WAYS`.
    """
    with torch.autocast(device.type, torch.bfloat16), faster_in_bfloat16(device), _computed(ways):
        yield


@contextmanager
def _computed(ways: Mapping[nn.Module, str]) -> Iterator[None]:
    """Within this context each of the layers is computed its way, one of `WAYS`.

    Hooks of a layer see what they always see, but for the dtype of its outputs.
    """
    before = {layer: layer.__dict__.get("forward") for layer in ways}
    for layer, way in ways.items():
        layer.__dict__["forward"] = WAYS[way](layer, layer.forward)
    try:
        yield
    finally:
        for layer, forward in before.items():
            if forward is None:
                del layer.__dict__["forward"]
            else:
                layer.__dict__["forward"] = forward


def _by_products(layer: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with products_in_bfloat16():
            return forward(*arguments)

    return call


def _in_float32(layer: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with torch.autocast(device_of(layer).type, enabled=False), faster_kernels(layer):
            return forward(*tree_map_only(Tensor, Tensor.float, arguments))

    return call


# The faster one first.
WAYS: dict[str, Way] = {"matrix product": _by_products, "float32": _in_float32}
