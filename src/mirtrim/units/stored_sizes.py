"""Sizes that count units, read from a network for its file and written back into the dense one."""

import copy
from pathlib import Path
from typing import Any

from torch import nn

from mirtrim.units.copying import copy_by_hand
from mirtrim.units.widths import (
    cut_attributes,
    holder,
    of_torch,
    own_sizes,
    pad_odd_heads,
    several,
    size_at,
)
from mirtrim.utils.errors import ArtefactError


def sizes_of(model: nn.Module) -> dict[str, dict[str, Any]]:
    """The attributes of modules that count units, by module."""
    return {
        name: {a: size_at(module, a) for a in attributes}
        for name, module in model.named_modules()
        if (attributes := cut_attributes(module) + own_sizes(module, least=1))
    }


def set_sizes(model: nn.Module, modules: dict[str, dict[str, Any]], path: Path) -> None:
    """Give the modules of the dense network the sizes that were stored.

    Args:
        modules: as `sizes_of` made them; a tuple may have become a list.
        path: what they were read from, for messages.

    Raises:
        ArtefactError: they are of another network.
    """
    known, unshared = dict(model.named_modules()), _Unshared(model)
    for name, attributes in modules.items():
        module = known.get(name)
        if module is None or not isinstance(attributes, dict):
            raise ArtefactError(f"{path} names a module {name!r} that the factory does not make")
        for attribute, value in attributes.items():
            own = attribute in own_sizes(module, least=1)
            if _comes_with_use(module, attribute, value):
                continue
            known_size = own or attribute in cut_attributes(module)
            if not known_size or not _is_like(value, size_at(module, attribute)):
                raise ArtefactError(f"{path} gives {name}.{attribute} as {value!r}; save again")
            unshared.write(module, attribute, tuple(value) if isinstance(value, list) else value)
    pad_odd_heads(model)


def _comes_with_use(module: nn.Module, attribute: str, value: Any) -> bool:
    """Whether integers of somebody's own module are no sizes of the dense network.

    Sizes only shrink. What the dense network lacks, or has smaller, is a count or is made anew by
    every pass.
    """
    if of_torch(type(module)) or attribute in cut_attributes(module) or not _are_sizes(value):
        return False
    there = attribute in own_sizes(module, least=1)
    own = size_at(module, attribute) if there else vars(module).get(attribute)
    if own is None or not _are_sizes(own):
        return own is None
    stored, made = several(value), several(own)
    return len(stored) != len(made) or any(s > m for s, m in zip(stored, made, strict=True))


def _is_like(value: Any, made: int | tuple[int, ...]) -> bool:
    """Whether a size, or a list of some, may stand where the dense network has `made`."""
    if isinstance(made, int):
        return type(value) is int and value > 0
    listed = isinstance(value, list) and len(value) == len(made)
    return listed and all(
        type(size) is int and (size > 0 or size == one)  # -1 for what is left over
        for size, one in zip(value, made, strict=True)
    )


def _are_sizes(value: Any) -> bool:
    sizes = value if isinstance(value, list | tuple) else [value]
    return all(type(size) is int for size in sizes)


class _Unshared:
    """Configurations in a network, copied before they are written into.

    A factory may give the same one to every network that it makes.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        kept = (*model.modules(), *model.parameters(), *model.buffers())
        self._copies: dict[int, Any] = {id(one): one for one in kept}
        self._ours: set[int] = set()

    def write(self, module: nn.Module, place: str, value: Any) -> None:
        """Put a size in its place."""
        if size_at(module, place) == value:
            return
        name = place.partition(".")[0]
        if name != place and id(vars(module)[name]) not in self._ours:
            copy_by_hand(vars(module)[name], self._copies)
            copy.deepcopy(vars(module)[name], self._copies)
            for one in self._model.modules():
                for key, held in vars(one).items():
                    vars(one)[key] = self._copies.get(id(held), held)
            self._ours.update(map(id, self._copies.values()))
        inside, key = holder(module, place)
        inside[key] = value
