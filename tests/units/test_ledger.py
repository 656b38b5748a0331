"""The ledger: unions, pins, equations and barriers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirtrim.units.ledger import Constraints, Ledger
from mirtrim.utils.errors import TraceError


def solved(ledger: Ledger) -> list[int]:
    return ledger.solve(Constraints()).component.tolist()


def test_unions_are_transitive_and_named_by_their_smallest_id():
    ledger = Ledger()
    a, b, c = ledger.fresh(2), ledger.fresh(2), ledger.fresh(2)
    ledger.unite(c, b, "")
    ledger.unite(a, b[::-1], "")
    # 5–3, 6–4, 1–4, 2–3
    assert solved(ledger) == [0, 1, 2, 2, 1, 2, 1]


def test_meeting_an_immortal_pins_with_the_reason():
    ledger = Ledger()
    a, b = ledger.fresh(2), ledger.fresh(1)
    ledger.unite(a, np.array([0, 3]), "sum")
    solution = ledger.solve(Constraints())
    assert solution.component.tolist() == [0, 0, 2, 2]
    assert b.tolist() == [3]
    assert solution.reason == {1: "sum"}


def test_pieces_unite_position_by_position():
    ledger = Ledger()
    ledger.unite_pieces(ledger.fresh(6), 3, "")
    assert solved(ledger) == [0, 1, 2, 1, 2, 1, 2]


def test_equation_that_balances_leaves_units_free():
    ledger = Ledger()
    a = ledger.fresh(4)
    ledger.equate(np.repeat(a, 3), ((a, Fraction(3)),), "size")
    assert solved(ledger) == [0, 1, 2, 3, 4]


def test_equation_of_unequal_counts_pins_what_does_not_balance():
    ledger = Ledger()
    a, b = ledger.fresh(2), ledger.fresh(2)
    ledger.unite(a[:1], b[:1], "")
    ledger.equate(a, ((b, Fraction(1)),), "size")
    # Unit 1 = 3 balances; 2 stands against 4.
    assert solved(ledger) == [0, 1, 0, 1, 0]


def test_barrier_raises_unless_it_reaches_something_immortal():
    ledger = Ledger()
    label = ledger.barrier(ledger.fresh(2), "softmax is refused")
    with pytest.raises(TraceError, match="softmax is refused"):
        solved(ledger)
    ledger.pin(label.ids, "output")
    solution = ledger.solve(Constraints())
    assert solution.component.tolist() == [0, 0, 0, 0]
    assert solution.reason[1] == "output"


def test_barrier_is_open_if_everything_behind_it_is_immortal():
    ledger = Ledger()
    units = ledger.fresh(2)
    first = ledger.barrier(units, "mean is refused")
    ledger.barrier(first.ids, "sort is refused")
    ledger.pin(units, "protected")
    assert solved(ledger) == [0] * 5


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), max_size=30))
def test_components_agree_with_a_plain_search(pairs):
    ledger = Ledger()
    ledger.fresh(20)
    for a, b in pairs:
        ledger.unite(np.array([a]), np.array([b]), "")
    expected = list(range(21))
    for _ in range(21):
        for a, b in pairs:
            expected[a] = expected[b] = min(expected[a], expected[b])
    assert solved(ledger) == expected


def test_what_lives_with_units_that_stay_stays() -> None:
    """So do halves of which one meets a constant."""
    ledger = Ledger()
    ids, others = ledger.fresh(4), ledger.fresh(2)
    ledger.unite_pieces(ids, 2, "halves")
    assert not ledger.stays(ids[:2])
    ledger.unite(ids[2:], np.zeros(1, dtype=np.int64), "a constant")
    assert ledger.stays(ids[:2])
    assert ledger.stays(ids)
    assert not ledger.stays(others)
