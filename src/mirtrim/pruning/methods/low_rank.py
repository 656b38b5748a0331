"""Low rank: every layer as the product of two thin ones (PELA: Guo, Wang, Kankanhalli, CVPR 2024).

    W = U Σ Vᵀ ≈ (U_r Σ_r^½) (Σ_r^½ V_rᵀ)

The trained weight of a linear layer (outputs, inputs), or of a convolution reshaped to (outputs,
inputs · kernel), keeps its r largest singular values. A linear layer becomes two of them; a
convolution becomes one of r filters with the same kernel, stride and padding, and a pointwise one
that mixes them; the bias goes to the second. Instead of n · m weights there are r · (n + m), which
saves nothing from r = n · m / (n + m) on: such a layer stays as it is. Then the network is
fine-tuned by one training. What PELA does besides is left out, see docs/methods.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from mirtrim.pruning.methods.interface import Method, Round, Start, Ticket, method
from mirtrim.pruning.selection import most_within
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.copying import copied
from mirtrim.units.finding import discover
from mirtrim.units.pairs import Layer, LayerPair, pointwise, replace_layer, replaceable
from mirtrim.utils.errors import RatioError, TraceError


@dataclass(frozen=True)
class Factorable:
    """A layer that two thin ones can replace.

    Attributes:
        whole: what it counts as it is.
        per_rank: what the two count for each singular value.
        values: its singular values, (full rank,), largest first.
    """

    whole: int
    per_rank: int
    values: Tensor

    @property
    def full_rank(self) -> int:
        """How many singular values there are."""
        return len(self.values)

    def size(self, rank: int) -> int:
        """What is counted at that rank; never more than the whole layer."""
        return min(self.whole, rank * self.per_rank)

    def saves(self, rank: int) -> bool:
        """Whether two layers of that rank count less than one."""
        return rank * self.per_rank < self.whole


def matrix(layer: Layer) -> Tensor:
    """The weight as a matrix, (outputs, inputs · kernel), in double precision on the processor."""
    return layer.weight.detach().flatten(1).double().cpu()


@torch.no_grad()
def factored(layer: Layer, rank: int) -> LayerPair:
    """Two layers whose product is the best approximation of that rank (Eckart & Young 1936).

    Raises:
        ValueError: the rank is below 1 or above the full one.
    """
    weight = layer.weight
    full = min(weight.shape[0], weight[0].numel())
    if not 1 <= rank <= full:
        raise ValueError(f"rank {rank} of a layer whose full rank is {full}")
    left, values, right = torch.linalg.svd(matrix(layer), full_matrices=False)
    root = values[:rank].sqrt()
    if isinstance(layer, nn.Linear):
        first: Layer = nn.Linear(layer.in_features, rank, bias=False)
    else:
        first = convolution_like(layer, rank)
    second = pointwise(layer, rank, weight.shape[0], layer.bias is not None)
    first.weight.copy_((root[:, None] * right[:rank]).reshape(first.weight.shape))
    second.weight.copy_((left[:, :rank] * root).reshape(second.weight.shape))
    if layer.bias is not None and second.bias is not None:
        second.bias.copy_(layer.bias)
    pair = LayerPair(first, second).to(weight.device, weight.dtype)
    return pair.train(layer.training)


def convolution_like(
    layer: nn.Conv1d | nn.Conv2d, outputs: int, groups: int = 1
) -> nn.Conv1d | nn.Conv2d:
    """A convolution of the inputs of `layer` by as large a kernel, without a bias."""
    kind: Any = type(layer)
    made: nn.Conv1d | nn.Conv2d = kind(
        layer.in_channels,
        outputs,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        groups=groups,
        bias=False,
        padding_mode=layer.padding_mode,
    )
    return made


def choose_ranks(
    layers: Mapping[str, Factorable], room: int, scope: str = "local"
) -> dict[str, int]:
    """The rank of every layer, so that together they count as much as possible but at most `room`.

    Args:
        scope: "local", the same share of every full rank; "global", one ranking of the singular
            values of all layers by their share of the energy of their layer, σ² / Σ σ².

    Raises:
        RatioError: they count more even at rank 1.
    """
    order = (_by_share if scope == "local" else _by_energy)(list(layers.values()))
    names = list(layers)

    def ranks(step: int) -> list[int]:
        counts = [1] * len(names)
        for place in order[:step]:
            counts[place] += 1
        return counts

    def size(step: int) -> int:
        pairs = zip(layers.values(), ranks(step), strict=True)
        return sum(layer.size(rank) for layer, rank in pairs)

    if size(0) > room:
        raise RatioError(f"cannot get below {size(0)} (target: {room}) with a rank of 1 per layer")
    return dict(zip(names, ranks(most_within(room, len(order), size)), strict=True))


def _by_share(layers: Sequence[Factorable]) -> list[int]:
    """Places of layers, in the order in which they get their 2nd, 3rd, … singular value."""
    # (k - 1/2) / n is the share from which rounding gives a layer of full rank n its k-th.
    steps = (
        ((k - 0.5) / layer.full_rank, place)
        for place, layer in enumerate(layers)
        for k in range(2, layer.full_rank + 1)
    )
    return [place for _, place in sorted(steps)]


def _by_energy(layers: Sequence[Factorable]) -> list[int]:
    """The same by what a singular value adds to the energy of its layer."""
    steps = []
    for place, layer in enumerate(layers):
        energy = layer.values**2
        shares = (energy / energy.sum().clamp_min(torch.finfo(energy.dtype).tiny)).tolist()
        steps += [(-share, place) for share in shares[1:]]
    # Within a layer singular values fall, so that the order of equal ones does not matter.
    return [place for _, place in sorted(steps)]


def factorable(
    network: nn.Module, example_inputs: Tensor, budget: str
) -> tuple[dict[str, Factorable], int]:
    """The layers that two could replace, by name, and what everything else counts.

    A layer whose units are all outputs of the network stays whole, as in trimming: of rank 1, all
    classes would be multiples of one number.

    Args:
        network: in evaluation mode.
        budget: "parameters" or "macs".
    """
    graph = discover(network, example_inputs)
    whole = {layer.name for layer in graph.layers if not layer.groups.any()}
    layers = {name: one for name, one in replaceable(network).items() if name not in whole}
    times = _positions(network, layers, example_inputs) if budget == "macs" else {}
    found = {}
    for name, layer in layers.items():
        outputs, inputs = layer.weight.shape[0], layer.weight[0].numel()
        often = times.get(name, 0) if budget == "macs" else 1
        values = torch.linalg.svdvals(matrix(layer))
        found[name] = Factorable(often * outputs * inputs, often * (outputs + inputs), values)
    total = _counted(network, example_inputs, budget)
    return found, total - sum(layer.whole for layer in found.values())


def _counted(network: nn.Module, example_inputs: Tensor, budget: str) -> int:
    if budget == "macs":
        graph = discover(network, example_inputs)
        return graph.macs(graph.all_kept())
    return sum(p.numel() for p in network.parameters())


def _positions(
    network: nn.Module, layers: Mapping[str, Layer], example_inputs: Tensor
) -> dict[str, int]:
    """How often each layer's matrix is applied to one example."""
    times = dict.fromkeys(layers, 0)

    def counting(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            times[name] += output.numel() // (module.get_parameter("weight").shape[0] * batch)

        return hook

    batch = len(example_inputs)
    handles = [layer.register_forward_hook(counting(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            network(example_inputs)
    finally:
        for handle in handles:
            handle.remove()
    return times


@method("low_rank")
class LowRank(Method):
    """Factor the trained dense network once, then train."""

    start: ClassVar[Start] = "dense"
    uses: ClassVar[frozenset[str]] = frozenset({"scope"})

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """Rank 1 wherever that saves something."""
        layers, rest = factorable(copied(network).eval(), example_inputs, settings.budget)
        whole = rest + sum(layer.whole for layer in layers.values())
        return whole / (rest + sum(layer.size(1) for layer in layers.values()))

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Factor to the target; weights stay those of the trained network, as near as they can."""
        network = ticket.network.eval()
        layers, rest = factorable(network, current.example_inputs, settings.budget)
        target = int(current.dense[settings.budget] / current.ratio)
        ranks = choose_ranks(layers, target - rest, settings.scope)
        found = replaceable(network)
        for name, rank in ranks.items():
            if layers[name].saves(rank):
                replace_layer(network, name, factored(found[name], rank))
        promised = rest + sum(layers[name].size(rank) for name, rank in ranks.items())
        counted = _counted(network, current.example_inputs, settings.budget)
        if counted != promised:
            raise TraceError(
                f"low rank left {counted} {settings.budget}, {promised} were promised; a layer is "
                "used in a way that is not followed"
            )
        return Ticket(network, {})
