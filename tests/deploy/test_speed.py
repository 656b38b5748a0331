"""Multiply-accumulates per second, by hand."""

import pytest

from mirtrim.deploy.speed import gmacs_per_second


def test_thirty_million_macs_in_two_milliseconds() -> None:
    assert gmacs_per_second(30e6, 2.0) == pytest.approx(15.0)


@pytest.mark.parametrize("arguments", [(1.0, 0.0), (0.0, 1.0), (1.0, float("nan"))])
def test_what_cannot_be_is_refused(arguments: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        gmacs_per_second(*arguments)
