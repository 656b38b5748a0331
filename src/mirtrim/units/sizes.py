"""Sizes that follow the network: integers that remember which units they count.

`x.shape[1]` of a tensor with 64 units along dimension 1 is 64 now and fewer after a cut, while
a 64 typed in the code stays 64. Tracing hands out `AdaptiveInt` so that the two can be told
apart where they are used. Arithmetic that keeps the connection returns another `AdaptiveInt`;
any other use fixes the number, so the units it counts become immortal.
"""

import operator
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import nn

from mirtrim.units.labels import Ids
from mirtrim.units.ledger import Ledger, Terms


class AdaptiveInt(int):
    """Σ scale · (units counted) + a constant, and its value before any cut."""

    ledger: Ledger
    where: Callable[[], str]

    def __new__(
        cls,
        value: int,
        terms: Terms | Callable[[], Terms],
        ledger: Ledger,
        where: Callable[[], str],
    ) -> "AdaptiveInt":
        self = super().__new__(cls, value)
        self._terms, self.ledger, self.where = terms, ledger, where
        return self

    @property
    def terms(self) -> Terms:
        """What is counted: unit ids of each labelled dimension, and how often it counts.

        Nothing once the pass is over: then this is a number like any other.
        """
        if self.ledger.closed:
            return ()
        if callable(self._terms):
            self._terms = self._terms()
        return self._terms

    _terms: Terms | Callable[[], Terms]

    def _like(self, value: int, terms: Terms) -> int:
        terms = merged(terms)
        if self.ledger.closed or not terms:
            return value
        return AdaptiveInt(value, terms, self.ledger, self.where)

    @property
    def settled(self) -> bool:
        """Whether nothing that is counted can be removed any more."""
        return all(not ids.any() or self.ledger.fixes(ids) for ids, _ in self.terms)

    def __deepcopy__(self, memo: Any) -> int:
        return self.plain if self.ledger.closed else self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return int, (self.plain,)

    @property
    def plain(self) -> int:
        """The value as an ordinary int, without consequences."""
        return int.__index__(self)

    @property
    def whole(self) -> Ids | None:
        """The ids counted, if this is exactly the size of one labelled dimension."""
        if len(self.terms) == 1 and self.terms[0][1] == 1 and len(self.terms[0][0]) == self.plain:
            return self.terms[0][0]
        return None

    @property
    def _divided(self) -> bool:
        return any(scale.denominator != 1 for _, scale in self.terms)

    def _divide_exactly(self) -> None:
        """(n // k) * k is n only as long as k divides n."""
        for ids, scale in self.terms:
            if scale.denominator != 1:
                self.ledger.unite_pieces(ids, scale.denominator, f"// in {self.where()}")

    def fix(self, use: str) -> int:
        """Give up: the code depends on the number itself, so its units must stay."""
        if self.terms:
            self.ledger.fix(self.terms, f"their number is used in {use} in {self.where()}")
        return self.plain

    def _linear(self, other: Any, sign: int, symbol: str) -> int:
        if type(other) is int and not other:
            return self  # where a running sum begins
        if not isinstance(other, int) or (self._divided and not isinstance(other, AdaptiveInt)):
            return self.fix(symbol) + sign * size_after(other, symbol)
        terms = self.terms
        if isinstance(other, AdaptiveInt):
            terms += tuple((ids, sign * scale) for ids, scale in other.terms)
            self._divide_exactly()
            other._divide_exactly()
        return self._like(self.plain + sign * int.__index__(other), terms)

    def __add__(self, other: Any) -> int:
        return self._linear(other, 1, "+")

    __radd__ = __add__

    def __sub__(self, other: Any) -> int:
        return self._linear(other, -1, "-")

    def __rsub__(self, other: Any) -> int:
        return self._linear(other, -1, "-") * -1

    def __neg__(self) -> int:
        return self * -1

    def __mul__(self, other: Any) -> int:
        if isinstance(other, AdaptiveInt):
            # The product of two sizes: one of them stays, if possible one that does anyway.
            if self.settled and not other.settled:
                return other * self.fix("*")
            other = other.fix("*")
        if type(other) is not int:
            return self.fix("*") * size_after(other, "*")
        self._divide_exactly()
        return self._like(self.plain * other, tuple((i, s * other) for i, s in self.terms))

    __rmul__ = __mul__

    def _in_runs(self, pieces: Any) -> bool:
        """Whether this is a whole number of equal runs, for each of what `pieces` counts.

        So channels are cut into heads: a head goes with its channels, and as many channels
        belong to a head as before.
        """
        if not isinstance(pieces, AdaptiveInt) or not pieces.plain or self.ledger.typed_divisors:
            return False
        if self.whole is None or len(pieces.terms) != 1 or self.plain % pieces.plain:
            return False
        counted, scale = pieces.terms[0]
        if scale.denominator != 1 or scale * len(counted) != pieces.plain:
            return False
        each = Fraction(len(self.whole), len(counted))
        self.ledger.equate(
            self.whole, ((counted, each),), f"// in {self.where()}", unite=True, late=True
        )
        self.ledger.runs.append(self.whole)
        return True

    def _divisor(self, other: Any, symbol: str) -> Any:
        """What this is divided by, a plain number where such sizes stay."""
        return size_after(other, symbol) if self.ledger.typed_divisors else other

    def __floordiv__(self, other: Any) -> int:
        if self._in_runs(other):
            return self.plain // size_after(other.plain, "//")
        other = self._divisor(other, "//")
        exact = type(other) is int and other > 0 and self.plain % other == 0
        offset = self.plain - sum(s * len(ids) for ids, s in self.terms)
        if not exact or offset or len(self.terms) != 1:
            return self.fix("//") // size_after(other, "//")
        return self._like(
            self.plain // other, tuple((i, s * Fraction(1, other)) for i, s in self.terms)
        )

    def __mod__(self, other: Any) -> int:
        if self._in_runs(other):
            return 0
        other = self._divisor(other, "%")
        if type(other) is int and other > 1 and self.plain % other == 0 and self.whole is not None:
            # Equal pieces keep the size divisible, so the remainder stays what it is.
            self.ledger.unite_pieces(self.whole, other, f"% {other} in {self.where()}")
            return 0
        return self.fix("%") % size_after(other, "%")

    def _compare(self, other: Any, relation: Callable[[Any, Any], Any], symbol: str) -> bool:
        # torch's own modules check shapes against attributes that are cut along with them.
        caller = sys._getframe(2).f_globals.get("__name__", "")
        # A transformer's width is read nowhere but where it is compared.
        if caller.partition(".")[0] == "torch" and caller != nn.Transformer.__module__:
            return bool(relation(self.plain, plain_sizes(other)))
        if isinstance(other, AdaptiveInt):
            mine, theirs = self.whole, other.whole
            if symbol in ("==", "!=") and mine is not None and theirs is not None:
                if mine is theirs:
                    return symbol == "=="
                if mine.shape == theirs.shape:
                    self.ledger.unite(mine, theirs, f"{symbol} in {self.where()}")
                    return symbol == "=="
            return bool(relation(self.fix(symbol), other.fix(symbol)))
        if type(other) is int and other != self.plain and self.whole is not None:
            # Sizes only shrink: the answer is the same as long as so many are left.
            left = other + (symbol not in ("<", ">=")) if other < self.plain else 0
            self.ledger.pin(self.whole[: max(left, 0)], f"they are compared with {other}")
            return bool(relation(self.plain, other))
        return bool(relation(self.fix(symbol), other))

    __hash__ = int.__hash__


def merged(terms: Terms) -> Terms:
    """The same sum with each size once, and without those that cancel."""
    found: list[tuple[Ids, Fraction]] = []
    for ids, scale in terms:
        same = [i for i, (other, _) in enumerate(found) if np.array_equal(other, ids)]
        if same:
            found[same[0]] = ids, found[same[0]][1] + scale
        else:
            found.append((ids, scale))
    return tuple((ids, scale) for ids, scale in found if scale)


def size_after(value: Any, use: str) -> Any:
    """An ordinary number out of `value`; an adaptive one gets its units pinned."""
    return value.fix(use) if isinstance(value, AdaptiveInt) else value


def _fixing(name: str) -> Callable[..., Any]:
    plain = getattr(int, name)

    def method(self: AdaptiveInt, *others: Any) -> Any:
        return plain(self.fix(name.strip("_")), *(size_after(o, name) for o in others))

    return method


_FIXING = """
    __int__ __float__ __truediv__ __rtruediv__ __rfloordiv__ __rmod__ __pow__ __rpow__ __divmod__
    __rdivmod__ __round__ __trunc__ __floor__ __ceil__ __and__ __rand__ __or__ __ror__ __xor__
    __rxor__ __lshift__ __rlshift__ __rshift__ __rrshift__ __abs__ __invert__ bit_length
"""
for _word in _FIXING.split():
    setattr(AdaptiveInt, _word, _fixing(_word))


def _comparing(name: str, symbol: str) -> Callable[[AdaptiveInt, Any], bool]:
    relation = getattr(operator, name)
    return lambda self, other: self._compare(other, relation, symbol)


_COMPARED = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
for _word, _symbol in _COMPARED.items():
    setattr(AdaptiveInt, f"__{_word}__", _comparing(_word, _symbol))


def plain_sizes(value: Any) -> Any:
    """`value` with ordinary ints in place of adaptive ones, one level deep."""
    if isinstance(value, AdaptiveInt):
        return value.plain
    if type(value) in (tuple, list, torch.Size) and any(isinstance(v, AdaptiveInt) for v in value):
        return type(value)([v.plain if isinstance(v, AdaptiveInt) else v for v in value])
    if type(value) is slice:
        return slice(*map(plain_sizes, (value.start, value.stop, value.step)))
    return value
