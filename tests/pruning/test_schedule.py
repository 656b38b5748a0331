"""The cubic ramp, at steps worked by hand."""

import pytest

from mirtrim.pruning.methods import settings_of
from mirtrim.pruning.schedule import Ramp, RampHyperparameters
from mirtrim.utils.errors import ConfigError


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


def test_a_mask_may_be_refreshed_at_every_step_and_no_oftener() -> None:
    assert settings_of({"method": "feedback", "period": 1}).name == "feedback_local_period_1"
    with pytest.raises(ConfigError, match="period"):
        settings_of({"method": "feedback", "period": 0})


@pytest.mark.parametrize("steps", [2, 3, 80])
def test_a_ramp_over_the_whole_training_ends_before_its_last_step(steps: int) -> None:
    """Steps count from 0: the last one is steps − 1."""
    schedule = RampHyperparameters(ramp_end=1.0).ramp(4, steps=steps)
    assert schedule.end == steps - 1
    assert schedule.refreshes(steps - 1)
    assert schedule.sparsity(steps - 1) == 0.75
