"""Two layers in the place of one, and how such a pair is told to whoever builds it again."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

KINDS: dict[str, type[nn.Module]] = {
    "Linear": nn.Linear,
    "Conv1d": nn.Conv1d,
    "Conv2d": nn.Conv2d,
}
Layer = nn.Linear | nn.Conv1d | nn.Conv2d
_ARGUMENTS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features"),
    **dict.fromkeys(
        (nn.Conv1d, nn.Conv2d),
        (
            "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
            "padding_mode",
        ),
    ),
}  # fmt: skip


class LayerPair(nn.Sequential):
    """Two layers without anything between them, which stand where the dense network has one.

    Their tensors are called `<layer>.0.weight`, `<layer>.1.weight` and `<layer>.1.bias`.
    """

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__(first, second)


def replaceable(network: nn.Module) -> dict[str, Layer]:
    """Linear layers and ungrouped convolutions of one or two dimensions, by name.

    Left out is what another module reads by hand (a subclass, such as the output of attention) and
    a weight that stands in several places.
    """
    places: dict[int, int] = {}
    for _, module in network.named_modules(remove_duplicate=False):
        for parameter in module.parameters(recurse=False):
            places[id(parameter)] = places.get(id(parameter), 0) + 1
    return {
        name: module
        for name, module in network.named_modules()
        if name
        and type(module) in KINDS.values()
        and getattr(module, "groups", 1) == 1
        and places.get(id(getattr(module, "weight", None))) == 1
    }


def replace_layer(network: nn.Module, name: str, layer: nn.Module) -> None:
    """Put `layer` where `network` has the module called `name`, in place."""
    parent, _, key = name.rpartition(".")
    setattr(network.get_submodule(parent), key, layer)


def pointwise(layer: nn.Module, inputs: int, outputs: int, bias: bool) -> Layer:
    """A layer of the kind of `layer` that mixes channels at every position, and nothing else."""
    if isinstance(layer, nn.Linear):
        return nn.Linear(inputs, outputs, bias)
    kind: Any = type(layer)
    made: Layer = kind(inputs, outputs, 1, bias=bias)
    return made


def described(network: nn.Module) -> dict[str, list[dict[str, Any]]]:
    """The pairs of a network, as values that JSON can hold: name → kind and arguments of both."""
    return {
        name: [_description(layer) for layer in module]
        for name, module in network.named_modules()
        if isinstance(module, LayerPair)
    }


def _description(layer: nn.Module) -> dict[str, Any]:
    values = {name: getattr(layer, name) for name in _ARGUMENTS[type(layer)]}
    given = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}
    return {"kind": type(layer).__name__, **given, "bias": layer.bias is not None}


def build_pairs(
    network: nn.Module, pairs: Mapping[str, Any], shapes: Mapping[str, list[int]]
) -> None:
    """Put pairs without weights into `network`, in place.

    Args:
        pairs: what `described` has told.
        shapes: name → shape of the tensors that will be filled in.

    Raises:
        ValueError: something is not what `described` tells, or does not fit the shapes.
    """
    for name, layers in pairs.items():
        if not name or name not in dict(network.named_modules()):
            raise ValueError(f"the network has no layer {name!r}")
        if not isinstance(layers, list) or len(layers) != 2:
            raise ValueError(f"{name} is no pair of layers")
        made = [_built(f"{name}.{place}", layer, shapes) for place, layer in enumerate(layers)]
        replace_layer(network, name, LayerPair(*made))


def _built(name: str, description: Any, shapes: Mapping[str, list[int]]) -> nn.Module:
    if not isinstance(description, Mapping) or description.get("kind") not in KINDS:
        raise ValueError(f"{name} is of no known kind")
    kind: Any = KINDS[description["kind"]]
    if set(description) != {"kind", "bias", *_ARGUMENTS[kind]}:
        raise ValueError(f"{name} lacks arguments, or has others than its kind")
    given = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in description.items()
        if key != "kind"
    }
    try:
        # Nothing is allocated before the sizes are known to be those of the weights.
        layer: nn.Module = kind(**given, device="meta")
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"{name}: {' '.join(str(error).split())[:120]}") from error
    for key, parameter in layer.named_parameters():
        if list(parameter.shape) != shapes.get(f"{name}.{key}"):
            raise ValueError(f"{name}.{key} is of another shape than its weights")
    return layer.to_empty(device="cpu")


def product(pair: LayerPair) -> Tensor:
    """The matrix (outputs, inputs · kernel) of the one layer that a pair amounts to.

    Raises:
        ValueError: the first layer is grouped, or the second has more than one tap.
    """
    first, second = (layer.get_parameter("weight").detach() for layer in pair)
    if getattr(pair[0], "groups", 1) != 1 or second[0, 0].numel() != 1:
        raise ValueError("a pair of a grouped convolution is no product of two matrices")
    return second.flatten(1) @ first.flatten(1)
