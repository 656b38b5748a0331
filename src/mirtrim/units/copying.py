"""Copies of networks that hold more than tensors and numbers."""

import copy
from collections import deque
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.utils.errors import TraceError


def copied(model: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy of `model`.

    Activations that it keeps lose their history, as they cannot be copied with it. What cannot
    be copied at all (a lock, an open file, a generator) is shared with the original.

    Args:
        memo: copies that exist already, by the id of the original.

    Raises:
        TraceError: the network cannot be copied.
    """
    memo = {} if memo is None else memo
    for value in _kept_by(model):
        if isinstance(value, dict):
            copy_by_hand(value, memo)
        elif isinstance(value, Tensor):
            if not value.is_leaf and id(value) not in memo:
                memo[id(value)] = value.detach().clone()
        elif id(value) not in memo and not _can_be_copied(value, memo):
            memo[id(value)] = value
    try:
        return copy.deepcopy(model, memo)
    except (TypeError, RuntimeError, ValueError, LookupError, AttributeError) as error:
        raise TraceError(
            f"{type(model).__name__} cannot be copied ({' '.join(str(error).split())[:200]}); take "
            "what cannot be copied out of its attributes"
        ) from error


def _kept_by(model: nn.Module) -> list[Any]:
    """Everything in the attributes of all modules, and in their containers."""
    found: list[Any] = []
    seen: set[int] = set()
    stack: list[Any] = [vars(module) for module in model.modules()]
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            if type(value) is not dict:
                found.append(value)
            stack.extend(value.values())
        elif isinstance(value, list | tuple | set | frozenset | deque):
            stack.extend(value)
        elif isinstance(value, nn.Module) and not isinstance(value, torch.jit.ScriptModule):
            stack.append(vars(value))
        elif value is not None and not isinstance(value, str | int | float | type):
            found.append(value)
            attributes = None if isinstance(value, Tensor) else getattr(value, "__dict__", None)
            if isinstance(attributes, dict) and type(value).__module__ != "builtins":
                stack.append(attributes)
    return found


def copy_by_hand(value: Any, memo: dict[int, Any]) -> None:
    """Copy a dict whose entries are attributes as well, which `copy.deepcopy` makes without them.

    Configurations are often such: with themselves as `__dict__`, or with `__getattr__` that
    looks among the entries for whatever it is asked.
    """
    if type(value) is dict or not isinstance(value, dict) or id(value) in memo:
        return
    attributes = object.__getattribute__(value, "__dict__") if _has_attributes(value) else {}
    if attributes is not value and _answers(value):
        return
    made = type(value).__new__(type(value))
    memo[id(value)] = made
    if attributes is value:
        object.__setattr__(made, "__dict__", made)
    for key, entry in value.items():
        copy_by_hand(entry, memo)
        dict.__setitem__(made, key, copy.deepcopy(entry, memo))
    if attributes is not value and attributes:
        object.__getattribute__(made, "__dict__").update(copy.deepcopy(dict(attributes), memo))


def _has_attributes(value: Any) -> bool:
    return any("__dict__" in vars(kind) for kind in type(value).__mro__)


def _answers(value: Any) -> bool:
    """Whether an attribute that it lacks is told to be lacking."""
    try:
        getattr(value, "__deepcopy__", None)
    except LookupError:
        return False
    return True


def _can_be_copied(value: Any, memo: dict[int, Any]) -> bool:
    if isinstance(value, Tensor | nn.Module) or callable(value):
        return True
    if getattr(value, "__dict__", None):
        return True  # its attributes are looked at one by one
    try:
        copy.deepcopy(value, dict(memo))
    except (TypeError, RuntimeError, ValueError, NotImplementedError):
        return False
    return True
