"""Depthwise separable convolutions, trained from scratch at the size that a trimmed network has.

What a designer would do instead of trimming (MobileNets: Howard et al. 2017; Xception: Chollet,
CVPR 2017): a convolution of M channels into N with a kernel of K taps becomes one filter per
channel and a pointwise mixture of the channels,

    K · M · N weights  →  K · M + M · N.

As in Xception there is nothing between the two. Then the width is scaled: all layers keep, or get,
the same share of their units, such that the network is as large as possible but at most the target.
A network of separable convolutions that is smaller than that is made wider than the dense one,
because the comparison is between networks of one size.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.methods.interface import Method, Round, Start, Ticket, method
from mirtrim.pruning.methods.low_rank import convolution_like
from mirtrim.pruning.methods.trim import uniformly_cut
from mirtrim.pruning.pipeline import size_of
from mirtrim.pruning.selection import smallest_cut
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.copying import copied
from mirtrim.units.finding import discover
from mirtrim.units.pairs import LayerPair, pointwise, replace_layer, replaceable
from mirtrim.units.widening import widened
from mirtrim.utils.errors import ConfigError

WIDEST = 64  # times the dense network; what is still too small then has nothing to widen


def separable(network: nn.Module) -> nn.Module:
    """A copy with separable convolutions wherever they have fewer weights.

    Those over one channel, and pointwise ones, are what they would become. The weights of the new
    layers are still to be drawn.
    """
    result = copied(network)
    for name, layer in replaceable(result).items():
        if isinstance(layer, nn.Linear):
            continue
        inputs, outputs, taps = layer.in_channels, layer.out_channels, layer.weight[0, 0].numel()
        if inputs > 1 and taps * inputs + inputs * outputs < taps * inputs * outputs:
            replace_layer(result, name, _separated(layer))
    return result


def _separated(layer: nn.Conv1d | nn.Conv2d) -> LayerPair:
    depthwise = convolution_like(layer, layer.in_channels, groups=layer.in_channels)
    mixing = pointwise(layer, layer.in_channels, layer.out_channels, layer.bias is not None)
    return LayerPair(depthwise, mixing).to(layer.weight.device, layer.weight.dtype)


def draw(network: nn.Module, current: Round) -> None:
    """Fresh weights, in place, as the task draws them; of filters of one channel by their own fans.

    A filter sees as many inputs as it has taps, and each input is seen by as many outputs:
    Glorot's variance is 2 / (K + K). Torch would count the outputs of all channels.
    """
    current.initialise(network, current.generator)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, LayerPair):
                weight = module[0].get_parameter("weight")
                deviation = math.sqrt(1 / weight[0].numel())
                value = torch.empty(weight.shape, dtype=weight.dtype)
                weight.copy_(value.normal_(0, deviation, generator=current.generator))


@method("depthwise")
class Depthwise(Method):
    """Separable convolutions, scaled to the size, trained from fresh weights."""

    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset()

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """The dense network beside the separable one with `minimum_units` in every layer."""
        dense = discover(network, example_inputs)
        small = discover(separable(network), example_inputs)
        least = size_of(small, settings)(smallest_cut(small, settings.minimum_units))
        return size_of(dense, settings)(dense.all_kept()) / least

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """As wide as the size allows."""
        target = current.dense[settings.budget] / current.ratio
        base = separable(ticket.network.eval())
        draw(base, current)
        graph = discover(base, current.example_inputs)
        network, factor = base, 1
        while (full := size_of(graph, settings)(graph.all_kept())) < target and factor < WIDEST:
            factor *= 2
            network = widened(base, discover(base, current.example_inputs), factor).eval()
            draw(network, current)
            graph = discover(network, current.example_inputs)
        if full < target:
            raise ConfigError(
                f"depthwise: even {WIDEST} times as wide the network has {full} {settings.budget}, "
                f"less than the {target:.0f} that ratio {current.ratio:g} leaves"
            )
        small = uniformly_cut(network, graph, settings, current)
        draw(small, current)
        return Ticket(small, {})
