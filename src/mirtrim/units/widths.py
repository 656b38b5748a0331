"""The attributes of modules that follow their units: integers that count them, and tensors."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

WEIGHTED = (
    nn.Linear,
    nn.Bilinear,
    nn.Embedding,
    nn.EmbeddingBag,
    nn.RNNBase,
    nn.RNNCellBase,
    nn.modules.conv._ConvNd,
)

_EVERY_MODULE = frozenset(vars(nn.Module()))

# Integers beyond this are rates or lengths.
LARGEST = 1 << 16
# How deep configurations are looked into, and how many parts they have at most.
_DEEPEST = 2
_MOST_PARTS = 256

_UNIT_ATTRIBUTES: tuple[tuple[type[nn.Module], tuple[str, ...]], ...] = (
    (nn.modules.conv._ConvNd, ("in_channels", "out_channels")),
    (nn.Linear, ("in_features", "out_features")),
    (nn.Bilinear, ("in1_features", "in2_features", "out_features")),
    (nn.modules.batchnorm._NormBase, ("num_features",)),
    (nn.LayerNorm, ("normalized_shape",)),
    (nn.RMSNorm, ("normalized_shape",)),
    (nn.GroupNorm, ("num_channels",)),
    (nn.RNNBase, ("input_size", "hidden_size", "proj_size")),
    (nn.RNNCellBase, ("input_size", "hidden_size")),
    (nn.Embedding, ("embedding_dim",)),
    (nn.EmbeddingBag, ("embedding_dim",)),
    (nn.MultiheadAttention, ("embed_dim", "kdim", "vdim")),
    (nn.PReLU, ("num_parameters",)),
    (nn.Transformer, ("d_model",)),
    (nn.Unflatten, ("unflattened_size",)),
)
# Attributes that count groups of units and shrink only where every unit is its own group.
_GROUP_ATTRIBUTES: tuple[tuple[type[nn.Module], tuple[str, ...]], ...] = (
    (nn.modules.conv._ConvNd, ("groups",)),
    (nn.GroupNorm, ("num_groups",)),
    (nn.MultiheadAttention, ("num_heads",)),
)


def unit_attributes(module: nn.Module) -> tuple[str, ...]:
    """Names of the attributes of `module` that count units."""
    names = next((names for kind, names in _UNIT_ATTRIBUTES if isinstance(module, kind)), ())
    return tuple(name for name in names if _counts(getattr(module, name, 1)))


def _counts(value: Any) -> bool:
    """Whether this may be sizes: without projections theirs is zero, and some have names."""
    return bool(value) and all(isinstance(one, int) for one in several(value))


def cut_attributes(module: nn.Module) -> tuple[str, ...]:
    """Names of all attributes of `module` that a cut may change."""
    groups = next((names for kind, names in _GROUP_ATTRIBUTES if isinstance(module, kind)), ())
    return unit_attributes(module) + groups


def own_sizes(module: nn.Module, least: int = 2) -> tuple[str, ...]:
    """Integers of somebody's own module that may count units, from `least` on.

    Whether they do shows where they are used. They are attributes, constants of the class, or
    lie in lists, dicts and configurations; those are named by their place, as in "sizes.0".
    """
    if of_torch(type(module)):
        return ()
    known = set(_EVERY_MODULE)
    constants: dict[str, Any] = {}
    for kind in reversed(type(module).__mro__):
        if of_torch(kind):
            known.update(vars(kind).get("__constants__", ()), unit_attributes(module))
        else:
            constants |= {n: value for n, value in vars(kind).items() if type(value) is int}
    return tuple(
        place
        for name, value in (constants | vars(module)).items()
        if name not in known
        for place, size in _sizes_in(name, value)
        if all(0 < one <= LARGEST for one in several(size)) and max(several(size)) >= least
    )


def several(size: int | Sequence[int]) -> tuple[int, ...]:
    """One size, or each of a tuple of some."""
    return (size,) if isinstance(size, int) else tuple(size)


def _sizes_in(
    place: str, value: Any, depth: int = 0
) -> Iterator[tuple[str, int | tuple[int, ...]]]:
    """Integers, and tuples of nothing else, in the value of an attribute, by their place."""
    listed = type(value) is tuple and value and all(type(one) is int for one in value)
    if type(value) is int or listed:
        yield place, value
        return
    inside = _inside({"": value}, "")
    if depth < _DEEPEST and inside is not None and len(inside) <= _MOST_PARTS:
        numbered = isinstance(inside, list)
        for key, part in enumerate(inside) if isinstance(inside, list) else inside.items():
            if numbered or (isinstance(key, str) and "." not in key):
                yield from _sizes_in(f"{place}.{key}", part, depth + 1)


def _inside(outer: Any, key: Any) -> dict[Any, Any] | list[Any] | None:
    """What a list, a dict or a plain object such as a configuration holds; None of others.

    Args:
        outer, key: the dict or list in which it lies itself, and where.
    """
    value = outer[key]
    if isinstance(value, list | dict):
        return value
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return _Named(outer, key)
    if dataclasses.is_dataclass(value) and not hasattr(value, "__dict__"):
        return _Slots(value)
    of_builtins = type(value).__module__ == "builtins" or of_torch(type(value))
    attributes = getattr(value, "__dict__", None)
    closed = of_builtins or callable(value) or isinstance(value, nn.Module)
    return attributes if isinstance(attributes, dict) and not closed else None


class _Named(list[Any]):
    """The fields of a named tuple, which is replaced by another where one of them changes."""

    def __init__(self, outer: Any, key: Any) -> None:
        super().__init__(outer[key])
        self._outer, self._key = outer, key

    def __setitem__(self, place: Any, value: Any) -> None:
        super().__setitem__(place, value)
        now = self._outer[self._key]
        self._outer[self._key] = now._make([*now[:place], value, *now[place + 1 :]])


class _Slots(dict[Any, Any]):
    """The fields of a data class with slots."""

    def __init__(self, fields: Any) -> None:
        super().__init__((f.name, getattr(fields, f.name)) for f in dataclasses.fields(fields))
        self._fields = fields

    def __setitem__(self, name: Any, value: Any) -> None:
        super().__setitem__(name, value)
        object.__setattr__(self._fields, name, value)  # also where it is frozen


def holder(module: nn.Module, place: str) -> tuple[Any, Any]:
    """The dict or list in which a size lies, and its key there; see `own_sizes`."""
    *outer, last = place.split(".")
    inside: Any = vars(module)
    for key in outer:
        inside = _inside(inside, int(key) if isinstance(inside, list) else key)
    return inside, int(last) if isinstance(inside, list) else last


def size_at(module: nn.Module, place: str) -> Any:
    """The size, or tuple of sizes, at a place in the attributes of a module."""
    inside, key = holder(module, place)
    if inside is vars(module):
        return getattr(module, place)  # which may be a constant of its class
    return inside[key]


def tensor_attributes(model: nn.Module) -> dict[str, Tensor]:
    """Tensors that somebody's own modules keep as plain attributes, by dotted name.

    So are those in lists, tuples and dicts, by their place there. They are initial states and
    tables, used like buffers. Weights that are computed before each pass (weight normalisation)
    are not among them, nor activations that still have a history.
    """
    known = {id(t) for t in (*model.parameters(), *model.buffers())}
    found: dict[str, Tensor] = {}
    for path, module in model.named_modules():
        if of_torch(type(module)):
            continue
        for name, value in vars(module).items():
            if name in _EVERY_MODULE or any(k.startswith(f"{name}_") for k in module._parameters):
                continue
            for place, tensor in _held(f"{path}.{name}" if path else name, value):
                if tensor.is_leaf and id(tensor) not in known:
                    found[place] = tensor
    return found


def every_tensor(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once, and tensors kept as attributes."""
    named = (*model.named_parameters(), *model.named_buffers())
    return {**dict(named), **tensor_attributes(model)}


def _held(place: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """Tensors in nested containers, by their place."""
    if type(value) is Tensor:
        yield place, value
    elif type(value) in (list, tuple, dict):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from _held(f"{place}.{key}", part)


def pad_odd_heads(model: nn.Module) -> None:
    """torch attends over sequences without their padding only where heads are even in number."""
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoder):
            attends = (m for m in module.modules() if isinstance(m, nn.MultiheadAttention))
            if any(one.num_heads % 2 for one in attends):
                module.use_nested_tensor = False


def of_torch(kind: type) -> bool:
    """Whether a class comes with torch."""
    return kind.__module__.partition(".")[0] == "torch"
