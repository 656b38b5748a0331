"""The same random numbers for a network and for the smaller one made from it.

A generator that starts from the same state gives a unit other numbers once fewer are drawn. So
the numbers of the full network are kept, and the smaller one gets those of the units that it
still has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mirtrim.units.gated_calls import named

F = nn.functional

_NAMES = """
    dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout feature_dropout
    feature_alpha_dropout
"""
_FILLING = """
    normal_ uniform_ exponential_ cauchy_ log_normal_ geometric_ random_ bernoulli_ bernoulli
"""
_DRAWING = "rand randn rand_like randn_like randint randint_like bernoulli normal poisson"
_DROPOUTS = {*named(_NAMES, torch, F)}
RANDOM = {*_DROPOUTS, *named(_FILLING, torch.Tensor), *named(_DRAWING, torch)}


@dataclass(frozen=True)
class Draw:
    """Random numbers of one call: the generators before and after it, and its result."""

    before: tuple[Tensor, ...]
    after: tuple[Tensor, ...]
    result: Tensor


class Drawing(TorchFunctionMode):
    """Keeps what is drawn, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[Draw] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func not in RANDOM:
            return func(*args, **(kwargs or {}))
        before = _states()
        result = func(*args, **(kwargs or {}))
        kept = result.detach().clone() if isinstance(result, Tensor) else torch.empty(0)
        self.draws.append(Draw(before, _states(), kept))
        return result


class Replaying(TorchFunctionMode):
    """Draws for fewer units what was drawn for all.

    Args:
        draws: what the full network drew.
        units: for each of them, the dimension of units and which of its positions are left;
            None where there are none.
    """

    def __init__(self, draws: list[Draw], units: list[tuple[int | None, np.ndarray]]) -> None:
        super().__init__()
        self._draws = iter(zip(draws, units, strict=False))

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in RANDOM:
            return func(*args, **kwargs)
        draw, (axis, left) = next(self._draws, (None, (None, np.zeros(0))))
        given = args[0].clone() if args and isinstance(args[0], Tensor) else None
        result = func(*args, **kwargs)
        if draw is None or axis is None or not isinstance(result, Tensor):
            return result
        expected = list(draw.result.shape)
        if axis >= len(expected) or result.shape == draw.result.shape:
            return result
        expected[axis] = len(left)
        if list(result.shape) != expected:
            return result
        positions = torch.as_tensor(left, device=result.device)
        numbers = draw.result.to(result.dtype)
        if func in _DROPOUTS and given is not None:
            # Whatever a dropout does, it is linear in each entry once the numbers are drawn.
            factor, offset = _affine(func, args, kwargs, draw)
            values = given * factor.index_select(axis, positions)
            values = values + offset.index_select(axis, positions)
        elif func is torch.normal and any(isinstance(a, Tensor) for a in args[:2]):
            _restore(draw.before)
            noise = torch.normal(torch.zeros_like(numbers), torch.ones_like(numbers))
            values = args[0] + args[1] * noise.index_select(axis, positions)
        else:
            values = numbers.index_select(axis, positions)
        _restore(draw.after)
        if args and result is args[0]:
            return result.copy_(values)
        return values


def _affine(
    func: Callable[..., Any], args: Any, kwargs: dict[str, Any], draw: Draw
) -> tuple[Tensor, Tensor]:
    """Slope and value at 0 of a dropout, for each entry."""
    found = []
    for value in (0.0, 1.0):
        _restore(draw.before)
        found.append(func(torch.full_like(draw.result, value), *args[1:], **kwargs))
    return found[1] - found[0], found[0]


def _states() -> tuple[Tensor, ...]:
    states = [torch.get_rng_state()]
    if torch.cuda.is_initialized():
        states += torch.cuda.get_rng_state_all()
    return tuple(states)


def _restore(states: tuple[Tensor, ...]) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state_all(list(states[1:]))
