"""Quotients, by hand."""

import pytest

from mirtrim.deploy.speed import (
    gmacs_per_second,
    measured_speed_up,
    real_time_factor,
    share_reached,
    theoretical_speed_up,
)


def test_ten_milliseconds_for_a_quarter_of_a_second() -> None:
    assert real_time_factor(latency_ms=10, audio_seconds=0.25) == pytest.approx(0.04)


def test_thirty_million_macs_in_two_milliseconds() -> None:
    assert gmacs_per_second(30e6, 2.0) == pytest.approx(15.0)


def test_a_tenth_of_the_macs_in_a_quarter_of_the_time_reaches_two_fifths() -> None:
    theoretical, measured = theoretical_speed_up(5_000, 500), measured_speed_up(8.0, 2.0)
    assert (theoretical, measured) == (10.0, 4.0)
    assert share_reached(theoretical, measured) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (real_time_factor, (1.0, 0.0)),
        (gmacs_per_second, (1.0, 0.0)),
        (theoretical_speed_up, (1.0, 0)),
        (measured_speed_up, (0.0, 1.0)),
        (share_reached, (1.0, float("nan"))),
    ],
)
def test_what_cannot_be_is_refused(function, arguments) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        function(*arguments)
