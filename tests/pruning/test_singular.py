"""Singular directions of weights beside those that they had, with numbers worked out by hand."""

import math

import pytest
import torch
from torch import nn

from mirtrim.pruning.methods.low_rank import factored
from mirtrim.pruning.singular import compared, effective_rank, matrices_of
from mirtrim.units.pairs import LayerPair, product


def test_a_turn_by_45_degrees_is_an_intruder_above_its_cosine_only() -> None:
    """Before: axes. After: 2 · [[1, 1], [1, 1]] / 2 + [[1, −1], [−1, 1]] / 2, the diagonals."""
    before = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    after = torch.tensor([[1.5, 0.5], [0.5, 1.5]])
    at = {threshold: compared(after, before, threshold) for threshold in (0.70, 0.71)}
    assert at[0.70].intruders == 0  # cos 45° = 0.7071
    assert at[0.71].intruders == 2
    assert (at[0.71].leading, at[0.71].leading_intruders) == (1, 1)
    # Values 2 and 1: energy 4 of 5; p = 2/3, 1/3.
    assert at[0.71].leading_energy == pytest.approx(0.8)
    entropy = 2 / 3 * math.log(3 / 2) + 1 / 3 * math.log(3)
    assert at[0.71].effective_rank == pytest.approx(math.exp(entropy))


def test_a_scaled_weight_and_one_with_its_directions_swapped_have_no_intruders() -> None:
    before = torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    for after in (-0.1 * before, before.flip(0).flip(1), before[:, :2]):
        found = compared(after, before, 0.99)
        assert (found.intruders, found.leading_intruders) == (0, 0)


def test_a_new_direction_beside_old_ones_is_the_only_intruder() -> None:
    """Before: the first two of four axes. After: the first, and the sum of the last two."""
    before = torch.zeros(4, 4)
    before[0, 0], before[1, 1] = 5.0, 4.0
    after = torch.zeros(4, 4)
    after[0, 0] = 2.0
    after[2, 2] = after[3, 2] = 1.0
    found = compared(after, before)
    assert (found.directions, found.intruders) == (2, 1)
    # The leading tenth of four is one: the old one, 4 of 4 + 2.
    assert (found.leading, found.leading_intruders) == (1, 0)
    assert found.leading_energy == pytest.approx(2 / 3)


def test_the_leading_tenth_is_of_the_shorter_side_rounded_up() -> None:
    for side, expected in ((1, 1), (10, 1), (11, 2), (20, 2), (21, 3)):
        weight = torch.eye(side, side + 3)
        assert compared(weight, weight).leading == expected
    # What rounding leaves is no direction.
    thin = torch.ones(20, 1) @ torch.rand(1, 30, generator=torch.Generator().manual_seed(0))
    assert compared(thin, thin).directions == 1
    assert compared(thin, thin).leading == 1


def test_effective_rank_counts_equal_values_and_few_large_ones() -> None:
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0])) == pytest.approx(3)
    assert effective_rank(torch.tensor([7.0, 0.0])) == pytest.approx(1)
    assert effective_rank(torch.tensor([3.0, 1.0])) == pytest.approx(1.7548, abs=1e-4)
    assert effective_rank(torch.zeros(3)) == 0


def test_rows_that_differ_and_weights_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="3 outputs cannot be compared with 2"):
        compared(torch.eye(3), torch.eye(2))
    with pytest.raises(ValueError, match="not finite"):
        compared(torch.tensor([[math.nan, 1.0], [0.0, 1.0]]), torch.eye(2))


def test_a_pair_is_one_matrix_under_the_name_of_its_layer() -> None:
    torch.manual_seed(0)
    conv, linear = nn.Conv1d(3, 5, 4), nn.Linear(7, 6)
    network = nn.Sequential(factored(conv, 5), nn.ReLU(), nn.Sequential(linear))
    found = matrices_of(network)
    assert list(found) == ["0", "2.0"]
    torch.testing.assert_close(found["0"], conv.weight.detach().flatten(1), atol=1e-5, rtol=0)
    assert torch.equal(found["2.0"], linear.weight)
    grouped = LayerPair(nn.Conv1d(3, 3, 4, groups=3, bias=False), nn.Conv1d(3, 5, 1))
    with pytest.raises(ValueError, match="grouped"):
        product(grouped)
