"""A network as trainings and scores call it: the same function, computed the faster way."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mirtrim.training.devices import device_of
from mirtrim.training.kernels import faster_kernels

Forward = Callable[[Tensor], Tensor]


def forward_of(network: nn.Module, precision: str = "float32") -> Forward:
    """`network` as a function of a batch; its outputs are float32.

    Args:
        precision: "float32", or "bfloat16" for matrix products and convolutions.
    """
    if precision == "bfloat16":
        return _in_bfloat16(network)
    if precision != "float32":
        raise ValueError(f"unknown precision {precision!r}")

    def forward(inputs: Tensor) -> Tensor:
        with faster_kernels(network):
            outputs: Tensor = network(inputs)
        return outputs

    return forward


def _in_bfloat16(network: nn.Module) -> Forward:
    device = device_of(network)

    def forward(inputs: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            outputs: Tensor = network(inputs)
        return outputs.float()

    return forward
