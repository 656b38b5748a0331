"""The cubic ramp, at steps worked by hand."""

import pytest

from mirtrim.pruning.schedule import Ramp, RampHyperparameters


def test_sparsity_at_start_middle_and_end() -> None:
    schedule = Ramp(final=0.8, begin=10, end=50)
    assert schedule.sparsity(0) == 0
    assert schedule.sparsity(10) == 0
    assert schedule.sparsity(30) == pytest.approx(0.8 * (1 - 0.5**3))  # 0.7
    assert schedule.sparsity(50) == 0.8
    assert schedule.sparsity(1000) == 0.8


def test_refreshes_at_exactly_every_sixteenth_step_and_at_the_end() -> None:
    schedule = Ramp(final=0.5, begin=4, end=60)
    assert [step for step in range(200) if schedule.refreshes(step)] == [4, 20, 36, 52, 60]


def test_a_training_is_ramped_over_three_quarters() -> None:
    schedule = RampHyperparameters().ramp(4, steps=400)
    assert (schedule.begin, schedule.end, schedule.period) == (0, 300, 16)
    assert schedule.final == 0.75
