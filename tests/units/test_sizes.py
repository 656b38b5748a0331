"""Sizes that remember which units they count."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from mirtrim.units.ledger import Constraints, Ledger
from mirtrim.units.sizes import AdaptiveInt, plain_sizes


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def size(ledger: Ledger, units: int = 6) -> AdaptiveInt:
    return AdaptiveInt(units, ((ledger.fresh(units), Fraction(1)),), ledger, lambda: "a test")


def pinned(ledger: Ledger) -> int:
    component = ledger.solve(Constraints()).component
    return int((component[1:] == 0).sum())


@pytest.mark.parametrize(
    ("compute", "value", "scale"),
    [
        (lambda c: c * 4, 24, Fraction(4)),
        (lambda c: 4 * c, 24, Fraction(4)),
        (lambda c: c // 2, 3, Fraction(1, 2)),
        (lambda c: c // 3 // 2, 1, Fraction(1, 6)),
        (lambda c: c + 1, 7, Fraction(1)),
        (lambda c: 10 - c, 4, Fraction(-1)),
        (lambda c: -c, -6, Fraction(-1)),
        (lambda c: math.prod((c, 5)), 30, Fraction(5)),
    ],
)
def test_linear_arithmetic_keeps_the_connection(ledger, compute, value, scale):
    result = compute(size(ledger))
    assert isinstance(result, AdaptiveInt)
    assert result.plain == value
    assert sum(s for _, s in result.terms) == scale
    assert pinned(ledger) == 0


@pytest.mark.parametrize(
    ("compute", "value"),
    [
        (lambda c: c / 4, 1.5),
        (lambda c: c**2, 36),
        (lambda c: c // 4, 1),
        (lambda c: c % 4, 2),
        (lambda c: math.sqrt(c + 3), 3.0),
        (lambda c: int(c), 6),
        (lambda c: c // 2 * 2, 6),
        (lambda c: c == 6, True),
        (lambda c: c < 6, False),
        (lambda c: c >= 6, True),
        (lambda c: c * c, 36),
        (lambda c: divmod(c, 4), (1, 2)),
    ],
)
def test_other_uses_give_plain_numbers_and_pin(ledger, compute, value):
    assert compute(size(ledger)) == value
    assert pinned(ledger) == 6


@pytest.mark.parametrize(
    ("compare", "value", "stay"),
    [
        (lambda c: c == 2, False, 3),
        (lambda c: c != 1, True, 2),
        (lambda c: c < 3, False, 3),
        (lambda c: c <= 3, False, 4),
        (lambda c: c > 3, True, 4),
        (lambda c: c >= 3, True, 3),
        (lambda c: c == 9, False, 0),
        (lambda c: c < 9, True, 0),
        (lambda c: c > 9, False, 0),
        (lambda c: c > -1, True, 0),
        (lambda c: max(c, 3), 6, 3),
        (lambda c: min(c, 9), 6, 0),
    ],
)
def test_a_comparison_pins_as_many_as_decide_it(ledger, compare, value, stay):
    assert plain_sizes(compare(size(ledger))) == value
    assert pinned(ledger) == stay


def test_divisible_remainder_binds_pieces(ledger):
    assert size(ledger) % 3 == 0
    assert ledger.solve(Constraints()).component.tolist() == [0, 1, 2, 1, 2, 1, 2]


def test_torch_size_keeps_them(ledger):
    shape = torch.Size([2, size(ledger), 4])
    assert isinstance(shape[1:][0], AdaptiveInt)
    assert plain_sizes(shape) == torch.Size([2, 6, 4])
    assert np.zeros(shape[::2]).shape == (2, 4)
