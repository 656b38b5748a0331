"""Places of labels, computed by hand."""

import pytest

from mirtrim.analysis.figures.placing import columns, spread


def test_places_that_are_far_enough_apart_stay() -> None:
    assert spread([5.0, 1.0, 3.0], 2.0) == [5.0, 1.0, 3.0]


def test_equal_places_move_apart_around_their_middle() -> None:
    assert spread([1.0, 1.0, 1.0], 2.0) == pytest.approx([-1.0, 1.0, 3.0])


def test_neighbours_push_each_other_and_no_others() -> None:
    # 0 and 1 become −0.5 and 1.5 around 0.5; 10 is out of their reach.
    assert spread([10.0, 1.0, 0.0], 2.0) == pytest.approx([10.0, 1.5, -0.5])


def test_a_pair_that_is_pushed_apart_pushes_the_next() -> None:
    # Without gaps 0, −2, −2.5: all three share the mean −1.5.
    assert spread([0.0, 0.0, 1.5], 2.0) == pytest.approx([-1.5, 0.5, 2.5])


def test_columns_are_chains_of_neighbours() -> None:
    assert columns([4.0, 1.0, 1.3, 1.6, 9.0], 0.5) == [[1, 2, 3], [0], [4]]
    assert columns([], 0.5) == []
