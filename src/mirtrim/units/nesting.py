"""Tensors inside nested structures: what a network is given and what it returns."""

import contextlib
import copy
import dataclasses
import enum
import functools
import inspect
import itertools
import types
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.utils.errors import TraceError

# An iterator is read to its end; one that goes on longer than this is taken for endless.
_LONGEST = 100_000
_PLAIN = str | bytes | bytearray | float | complex | range | slice | enum.Enum | types.ModuleType
_WITHOUT_TENSORS = (
    np.generic
    | np.dtype
    | torch.dtype
    | torch.device
    | torch.layout
    | torch.memory_format
    | torch.Generator
    | torch.Size
    | types.BuiltinFunctionType
)
_EVERY_MODULE = frozenset(vars(nn.Module()))


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in `value`, in order, however they are wrapped.

    Looked into are mappings, sequences, sets, iterators and generators (which are read to
    their end), objects with attributes or slots, classes, bound arguments and closures of
    functions; of modules, what is neither a parameter nor a buffer.

    Raises:
        TraceError: an object cannot be looked into.
    """
    return [leaf for leaf in leaves_in(value) if isinstance(leaf, Tensor)]


def leaves_in(value: Any) -> list[Any]:
    """All tensors and integers in `value`; see `tensors_in`."""
    found: list[Any] = []
    seen: dict[int, Any] = {}

    def visit(item: Any) -> None:
        if isinstance(item, Tensor | int):
            found.append(item)
        elif item is None or isinstance(item, _PLAIN) or id(item) in seen:
            return
        else:
            seen[id(item)] = item  # an id is only a name while its object lives
            if isinstance(item, torch.Size):
                found.extend(item)
            elif not isinstance(item, _WITHOUT_TENSORS):
                for part in _parts(item):
                    visit(part)

    visit(value)
    return found


def _parts(item: Any) -> Iterator[Any]:
    """What an object holds.

    Raises:
        TraceError: nobody can tell.
    """
    if isinstance(item, nn.Module):
        yield from _tensors_held(item)
    elif isinstance(item, type):
        yield from _class_tensors(item)
    elif isinstance(item, np.ndarray):
        yield from item.flat if item.dtype.hasobject else ()
    elif isinstance(item, Mapping):
        yield from itertools.chain(item.keys(), item.values())
    elif isinstance(item, types.FunctionType):
        for cell in item.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not filled yet
                continue
        yield from item.__defaults__ or ()
        yield from (item.__kwdefaults__ or {}).values()
    elif isinstance(item, types.MethodType):
        yield from (item.__self__, item.__func__)
    elif isinstance(item, functools.partial):
        yield from (item.func, *item.args, *item.keywords.values())
    elif isinstance(item, Iterator):
        yield from _read(item)
    else:
        elements = isinstance(item, list | tuple | Set) or _is_container(item)
        if elements:
            yield from item
        yield from _class_tensors(type(item))
        attributes = _attributes(item)
        if attributes is None and not elements:
            raise TraceError(
                f"a {type(item).__name__} among the outputs cannot be looked into, and what it "
                "holds would be cut; return tensors, in tuples, dicts or dataclasses"
            )
        yield from attributes or ()


def _tensors_held(module: nn.Module) -> Iterator[Any]:
    """Tensors that a module keeps besides parameters and buffers, and the modules below it.

    Its sizes are its own affair, and so is what cannot be looked into.
    """
    for name, value in vars(module).items():
        if name not in _EVERY_MODULE:
            with contextlib.suppress(TraceError):
                yield from tensors_in(value)
    yield from module.children()


def _class_tensors(kind: type) -> Iterator[Tensor]:
    for parent in kind.__mro__:
        yield from (value for value in vars(parent).values() if isinstance(value, Tensor))


def _is_container(item: Any) -> bool:
    """Whether `item` is iterated over as a collection of its own elements (deque, array …)."""
    return hasattr(type(item), "__iter__") and hasattr(type(item), "__len__")


def _read(items: Iterator[Any]) -> Iterator[Any]:
    for count, item in enumerate(items):
        if count == _LONGEST:
            raise TraceError(
                f"a {type(items).__name__} among the outputs does not end; return a list"
            )
        yield item


def _attributes(item: Any) -> list[Any] | None:
    """Values of attributes, in a dict or in slots; None if the type has neither."""
    slots = [
        name
        for kind in type(item).__mro__
        for name in _slot_names(kind)
        if name not in ("__dict__", "__weakref__")
    ]
    if not hasattr(item, "__dict__") and not any(
        "__slots__" in vars(k) for k in type(item).__mro__
    ):
        return None
    found = list(vars(item).values()) if hasattr(item, "__dict__") else []
    return found + [getattr(item, name, None) for name in slots]


def _slot_names(kind: type) -> tuple[str, ...]:
    names = vars(kind).get("__slots__", ())
    names = (names,) if isinstance(names, str) else tuple(names)
    private = f"_{kind.__name__.lstrip('_')}"
    return tuple(
        f"{private}{name}" if name.startswith("__") and not name.endswith("__") else name
        for name in names
    )


def arguments(network: nn.Module, example_inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """How a network is called with `example_inputs`, on fresh copies of the tensors in it.

    Args:
        example_inputs: a tensor, the tuple of positional arguments, or a dict of keyword
            arguments. A dict whose keys are no parameters of `forward` is its one argument.
    """
    fresh = _fresh(example_inputs, {})
    if isinstance(fresh, tuple) and not hasattr(fresh, "_fields"):
        return fresh, {}
    if isinstance(fresh, dict) and _takes(network.forward, fresh):
        return (), fresh
    return (fresh,), {}


def _takes(forward: Callable[..., Any], named: Mapping[Any, Any]) -> bool:
    if not named or not all(isinstance(name, str) for name in named):
        return False
    try:
        inspect.signature(forward).bind(**named)
    except (TypeError, ValueError):
        return False
    return True


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """A plain container with `change` of each of its entries in it; anything else as it is."""
    if type(value) in (list, tuple, set):
        return type(value)([change(item) for item in value])
    if type(value) is dict:
        return {key: change(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    return value


def _fresh(value: Any, memo: dict[int, Any]) -> Any:
    """A copy whose tensors can be written into; what cannot be copied is handed on."""
    if isinstance(value, Tensor):
        if id(value) not in memo:
            copied = value.detach().clone() if not value.is_inference() else value.clone()
            memo[id(value)] = copied.requires_grad_(value.requires_grad)
        return memo[id(value)]
    contained = rebuilt(value, lambda item: _fresh(item, memo))
    if contained is not value or isinstance(value, _PLAIN | None | int | type | nn.Module):
        return contained
    if dataclasses.is_dataclass(value) or hasattr(value, "__dict__"):
        try:
            for tensor in tensors_in(value):
                memo[id(tensor)] = _fresh(tensor, memo)
            return copy.deepcopy(value, memo)
        except (TypeError, RuntimeError, TraceError):
            return value
    return value
