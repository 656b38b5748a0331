"""Prices of units in a world where time is known."""

import pytest

from mirtrim.deploy.fast import microseconds_per_unit
from mirtrim.utils.errors import ConfigError


class World:
    """Every call takes 1 ms and so much per unit that is left."""

    def __init__(self, drift: float = 0.0) -> None:
        self.units = {"front": 8, "back": 5, "idle": 2}
        self.prices = {"front": 30e-6, "back": 10e-6, "idle": 0.0}
        self.now, self.calls, self.drift = 0.0, 0, drift
        self.asked: list[tuple[str, int]] = []

    def without(self, name: str, count: int):
        self.asked.append((name, count))
        left = {**self.units, name: self.units[name] - count} if name else self.units
        seconds = 1e-3 + sum(self.prices[layer] * left[layer] for layer in left)

        def call() -> None:
            self.now += seconds * (1 + self.drift * self.calls)
            self.calls += 1

        return call

    def measure(self, **options: object) -> dict[str, float]:
        timing = {"seconds": 0.05, "warm_up": 1, "clock": lambda: self.now}
        return microseconds_per_unit(
            self.units, self.without, self.without("", 0), **{**timing, **options}
        )


def test_half_of_each_layer_goes_and_the_price_is_per_unit() -> None:
    world = World()
    found = world.measure()
    assert world.asked[1:] == [("front", 4), ("back", 2), ("idle", 1)]
    # What costs nothing gets a hundredth of the dearest price.
    assert found == pytest.approx({"front": 30.0, "back": 10.0, "idle": 0.3})


def test_some_of_every_layer_goes_and_some_stays() -> None:
    world = World()
    world.measure(share=0.01)
    assert world.asked[1:] == [("front", 1), ("back", 1), ("idle", 1)]
    world = World()
    world.measure(share=0.99)
    assert world.asked[1:] == [("front", 7), ("back", 4), ("idle", 1)]


def test_drift_cancels() -> None:
    """A slow-down of 0.02 % per call doubles the time of a call within the measurement."""
    found = World(drift=2e-4).measure(seconds=2.0)
    assert found["front"] / found["back"] == pytest.approx(3, rel=0.1)


def test_what_has_no_price_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"share 1\.5: must be between"):
        World().measure(share=1.5)
    with pytest.raises(ConfigError, match="two units or more"):
        microseconds_per_unit({"a": 1}, lambda name, count: lambda: None, lambda: None)
    world = World()
    world.prices = dict.fromkeys(world.units, 0.0)
    with pytest.raises(ConfigError, match="no layer's units cost any measurable time"):
        world.measure()
