"""A network that is run leaves as it came: attributes, tensors, random numbers, caches."""

import functools
import math
import os
import random
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.sizes import AdaptiveInt

# How deep plain objects inside attributes are looked into.
_DEEPEST = 3
_GENERATORS = torch.Generator | np.random.Generator | np.random.RandomState | random.Random


@contextmanager
def preserved(*networks: nn.Module) -> Iterator[None]:
    """Everything that a forward pass changes is put back: modes, buffers, hidden states, caches.

    Tensors are restored in value, containers and attributes in what they hold, and generators of
    random numbers in their state.
    """
    states = [_State(network) for network in networks]
    try:
        with same_chance():
            yield
    finally:
        for state in reversed(states):
            state.restore()


@contextmanager
def same_chance() -> Iterator[None]:
    """Random numbers of torch, NumPy and Python go on afterwards as if nothing had been drawn."""
    python, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numbers)  # noqa: NPY002


class _State:
    """What a network holds at one moment."""

    def __init__(self, network: nn.Module) -> None:
        self._held: list[tuple[Any, Any]] = []
        self._modules: list[tuple[nn.Module, dict[str, Any]]] = []
        self._tensors: list[tuple[Tensor, Tensor, Tensor, int, bool]] = []
        self._generators: list[tuple[Any, Any]] = []
        self._seen: dict[int, Any] = {}
        for module in network.modules():
            self._note(module, 0)

    def _note(self, value: Any, depth: int) -> None:
        if id(value) in self._seen or value is None or isinstance(value, str | int | float | type):
            return
        self._seen[id(value)] = value
        if isinstance(value, Tensor):
            self._note_tensor(value)
        elif isinstance(value, _GENERATORS):
            self._generators.append((value, _random_state(value)))
        elif isinstance(value, torch.jit.ScriptModule):
            for tensor in (*value.parameters(), *value.buffers()):
                self._note(tensor, depth)
        elif isinstance(value, nn.Module):
            self._modules.append((value, dict(vars(value))))
            for part in vars(value).values():
                self._note(part, depth)
        elif isinstance(value, dict):
            self._held.append((value, dict(value)))
            self._note_all(value.values(), depth)
        elif isinstance(value, list | set | deque):
            self._held.append((value, list(value)))
            self._note_all(value, depth)
        elif isinstance(value, tuple):
            self._note_all(value, depth)
        elif depth < _DEEPEST and type(value).__module__ != "builtins":
            attributes = getattr(value, "__dict__", None)
            if isinstance(attributes, dict):
                self._note(attributes, depth + 1)

    def _note_all(self, values: Iterable[Any], depth: int) -> None:
        for part in values:
            self._note(part, depth)

    def _note_tensor(self, tensor: Tensor) -> None:
        try:
            data = tensor.data
            tensor.data_ptr()
            saved = (tensor, data, data.clone(), tensor._version, tensor.requires_grad)
        except (RuntimeError, ValueError, NotImplementedError):
            return  # made in inference mode, or of a kind without values
        self._tensors.append(saved)

    @torch.no_grad()
    def restore(self) -> None:
        for generator, state in self._generators:
            _set_random_state(generator, state)
        for module, before in self._modules:
            _put_back(vars(module), before)
        for container, held in self._held:
            if isinstance(container, dict):
                _put_back(container, held)
            elif len(container) != len(held) or any(
                a is not b for a, b in zip(container, held, strict=True)
            ):
                container.clear()
                (container.update if isinstance(container, set) else container.extend)(held)
        for tensor, data, values, version, gradient in self._tensors:
            if tensor.grad_fn is not None and tensor._version != version and not tensor._is_view():
                tensor.detach_()
            if tensor.data_ptr() != data.data_ptr() or tensor.shape != data.shape:
                tensor.data = data
                tensor.copy_(values)
            elif tensor._version != version or not torch.equal(data, values):
                # Batch normalisation writes its statistics without counting it as a version.
                tensor.copy_(values)
            if tensor.is_leaf and tensor.requires_grad != gradient:
                tensor.requires_grad_(gradient)


def _random_state(generator: Any) -> Any:
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    return generator.getstate() if isinstance(generator, random.Random) else generator.get_state()


def _set_random_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _put_back(current: dict[Any, Any], before: dict[Any, Any]) -> None:
    """`current` holds what `before` does."""
    if current.keys() == before.keys() and all(current[k] is v for k, v in before.items()):
        return
    current.clear()
    current.update(before)


@contextmanager
def uncached(network: nn.Module) -> Iterator[None]:
    """Functions with an `lru_cache` are really called when a followed size is given to them.

    Sizes that were followed must not stay in a cache, nor be answered from it: both would
    mix up networks.
    """
    kinds = {kind for module in network.modules() for kind in type(module).__mro__}
    found: list[tuple[Any, _Cached]] = [(kind, _cached_in(kind)) for kind in kinds]
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and (cached := _cached_of(name, module)):
            found.append((module, cached))
    try:
        for space, cached in found:
            for name, (_, bypassing) in cached.items():
                setattr(space, name, bypassing)
        yield
    finally:
        for space, cached in found:
            for name, (function, _) in cached.items():
                setattr(space, name, function)


# Name → the function with a cache, and what takes its place.
_Cached = dict[str, tuple[Any, Callable[..., Any]]]
# What installed libraries hold, by name of the module: they are thousands of modules, whose
# functions stay what they are. How many names a module had tells whether it was still loading.
_LIBRARIES: dict[str, tuple[ModuleType, int, _Cached]] = {}
_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")})


def _cached_in(space: Any) -> _Cached:
    return {
        name: (value, _bypassing(value))
        for name, value in list(vars(space).items())
        if type(value) is functools._lru_cache_wrapper
    }


def _cached_of(name: str, module: ModuleType) -> _Cached:
    """The same of a module; of an installed one, what was found in it before."""
    names = vars(module)
    known, size, cached = _LIBRARIES.get(name, (None, 0, {}))
    if known is module and size == len(names):
        if not cached or all(names.get(key) is kept[0] for key, kept in cached.items()):
            return cached
        if all(names.get(key) is kept[1] for key, kept in cached.items()):
            return {}  # an outer context has replaced them
    cached = _cached_in(module)
    if (getattr(module, "__file__", None) or "").startswith(_INSTALLED):
        _LIBRARIES[name] = module, len(names), cached
    return cached


@contextmanager
def _replaced(space: Any, name: str, value: Any) -> Iterator[None]:
    """Within this context an attribute has another value."""
    before = getattr(space, name)
    setattr(space, name, value)
    try:
        yield
    finally:
        setattr(space, name, before)


@contextmanager
def unscripted() -> Iterator[None]:
    """Functions that `torch.jit.script` compiled run as the Python they were made from.

    Traced ones do not: they may do less than their Python.
    """
    kind = torch.jit.ScriptFunction
    compiled = kind.__call__

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        of_script = getattr(function, "__name__", "") == "ScriptFunction"
        source = getattr(function, "_torchdynamo_inline", None) if of_script else None
        return compiled(function, *args, **kwargs) if source is None else source(*args, **kwargs)

    with _replaced(kind, "__call__", call):
        yield


@contextmanager
def followed_products() -> Iterator[None]:
    """`np.prod` of a shape is a size that follows the network, as `math.prod` of one is."""
    plain = np.prod

    @functools.wraps(plain)
    def prod(a: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(a, tuple | list) and not (args or kwargs) and _holds_size(tuple(a)):
            return math.prod(a)
        return plain(a, *args, **kwargs)

    with _replaced(np, "prod", prod):
        yield


def _bypassing(cached: Any) -> Callable[..., Any]:
    @functools.wraps(cached)
    def call(*args: Any, **kwargs: Any) -> Any:
        if _holds_size(args) or _holds_size(tuple(kwargs.values())):
            return cached.__wrapped__(*args, **kwargs)
        return cached(*args, **kwargs)

    for name in ("cache_info", "cache_clear", "cache_parameters"):
        setattr(call, name, getattr(cached, name))
    return call


def _holds_size(value: Any) -> bool:
    if isinstance(value, tuple | list | frozenset):
        return any(map(_holds_size, value))
    return isinstance(value, AdaptiveInt)


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Within this context modules may be put into eval mode; it is undone after."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
