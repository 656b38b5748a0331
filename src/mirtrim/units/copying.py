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
        if isinstance(value, Tensor):
            if not value.is_leaf and id(value) not in memo:
                memo[id(value)] = value.detach().clone()
        elif id(value) not in memo and not _can_be_copied(value, memo):
            memo[id(value)] = value
    try:
        return copy.deepcopy(model, memo)
    except (TypeError, RuntimeError, ValueError) as error:
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
