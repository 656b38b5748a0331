"""Tensors that a network may make anew in code that one pass did not run.

A table of positions is remade for longer inputs, say. What is made then has the columns of the
full network, or other ones of the trimmed width, and never those that a cut has left.
"""

import dis
import functools
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from mirtrim.units.widths import of_torch, tensor_attributes

_WRITERS = {"register_buffer", "setattr", "__setattr__", "_buffers", "__dict__"}
_FILLERS = {"append", "insert", "update", "setdefault", "extend"}
_RESIZERS = {"resize_", "set_", "resize_as_"}


def remade(model: nn.Module, known: Mapping[str, Tensor]) -> Iterator[str]:
    """Which of the tensors `known`, by dotted name, other code than the constructor may replace.

    Those that the pass has just replaced are left out: it has shown what comes in their place.
    """
    written = _written(model)
    if not written:
        return
    modules = dict(model.named_modules())
    now = {**dict(model.named_buffers()), **tensor_attributes(model)}
    for name, tensor in known.items():
        path = next(p for p in parents(name) if p in modules)
        attribute, _, inside = name[len(path) + 1 if path else 0 :].partition(".")
        kinds = written.get(f"{attribute}.*" if inside else attribute, set())
        if inside:
            kinds = kinds | written.get(attribute, set())
        if now.get(name) is tensor and any(_may_mean(modules, path, kind) for kind in kinds):
            yield name


def _may_mean(modules: Mapping[str, nn.Module], path: str, kind: type | None) -> bool:
    """Whether a method of `kind` may write to the module at `path`: it or one that holds it."""
    holders = (path, *(p for p in parents(path) if path))
    return kind is None or any(isinstance(modules.get(p), kind) for p in holders)


def parents(name: str) -> Iterator[str]:
    """Dotted names from the longest that `name` lies in to the empty one."""
    while name:
        name = name.rpartition(".")[0]
        yield name


def _written(model: nn.Module) -> dict[str, set[type | None]]:
    """Attributes that a forward pass may assign, and the classes of the methods that do.

    None stands for a function. Entries of a container end in ".*".
    """
    kinds = {type(module) for module in model.modules() if not of_torch(type(module))}
    waiting: list[tuple[Any, type | None]] = []
    for name in ("forward", "__call__"):
        waiting += _methods(kinds, name, every=False)
    for module in model.modules():
        own = vars(module).get("forward")
        hooks = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
        waiting += [(function, type(module)) for function in (own, *hooks) if function is not None]
    found: dict[str, set[type | None]] = {}
    seen: set[types.CodeType] = set()
    while waiting:
        function, kind = waiting.pop()
        plain = python_function(function)
        if plain is None or plain.__code__ in seen:
            continue
        seen.add(plain.__code__)
        for code in codes(plain.__code__):
            for name in _assigned(code):
                found.setdefault(name, set()).add(kind)
            of_parents = {"super", *(k.__name__ for k in kinds for k in k.__mro__)}
            inherited = not of_parents.isdisjoint(code.co_names)
            for name in code.co_names:
                waiting += _methods(kinds, name, every=inherited)
                helper = plain.__globals__.get(name)
                if isinstance(helper, types.FunctionType) and not _foreign(helper):
                    waiting.append((helper, None))
    return found


def _methods(kinds: Iterable[type], name: str, *, every: bool) -> Iterator[tuple[Any, type]]:
    """What classes call `name`, and where it is written: the one that counts, or every one."""
    for kind in kinds:
        owners = [k for k in kind.__mro__ if name in vars(k) and not of_torch(k)]
        for owner in owners if every else owners[:1]:
            if owner is not object and name != "__init__":
                yield vars(owner)[name], owner


def python_function(value: Any) -> types.FunctionType | None:
    """The Python function in a method, a property or a wrapper; None for anything else."""
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value if isinstance(value, types.FunctionType) else None


def _foreign(function: types.FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] in ("torch", "numpy")


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those of the functions defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


@functools.lru_cache(4096)
def _assigned(code: types.CodeType) -> frozenset[str]:
    """Attributes that some code assigns; "name.*" where it may write into what one holds."""
    before, fills = "", False
    assigned: set[str] = set()
    names = set(code.co_names)
    for step in dis.get_instructions(code):
        if step.opname == "STORE_ATTR":
            assigned.add(before if step.argval == "data" else step.argval)
        fills |= step.opname == "STORE_SUBSCR"
        before = step.argval if step.opname == "LOAD_ATTR" else ""
    if names & _WRITERS:
        assigned.update(text for text in code.co_consts if isinstance(text, str))
    if fills or names & _FILLERS:
        assigned.update(f"{name}.*" for name in names)
    return frozenset(assigned | names if names & _RESIZERS else assigned)
