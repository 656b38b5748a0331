"""What one unit of a layer costs in time, measured in the runtime that will run the network."""

from collections.abc import Callable, Mapping
from typing import Any

from mirtrim.deploy.latency import Call, interleaved
from mirtrim.utils.errors import ConfigError

DENSE = ""
# A price of zero would make a unit priceless; noise can even make it negative.
LEAST_SHARE = 0.01


def microseconds_per_unit(
    units: Mapping[str, int],
    without: Callable[[str, int], Call],
    dense: Call,
    *,
    share: float = 0.5,
    seconds: float = 1.0,
    **timing: Any,
) -> dict[str, float]:
    """How much quicker the network gets per unit of a layer that it loses.

    All networks are timed in turn, so drift cancels. Kernels work in steps, so half of a layer
    goes rather than one unit, and the price is the mean over that half.

    Args:
        units: removable units of each layer, by its name.
        without: makes the call that runs the network with that many units of that layer gone.
        dense: runs the whole network.
        share: of each layer that is cut away to find its price.
        seconds: per network.
        timing: passed on to `interleaved`.

    Returns:
        Microseconds per unit, by layer; at least a hundredth of the dearest layer's.

    Raises:
        ConfigError: the share is not between 0 and 1, a layer has fewer than two units, or no
            cut makes the network quicker.
    """
    if not 0 < share < 1:
        raise ConfigError(f"share {share}: must be between 0 and 1")
    if DENSE in units or any(count < 2 for count in units.values()):
        raise ConfigError("units: only named layers of two units or more have a price")
    gone = {name: min(count - 1, max(1, round(count * share))) for name, count in units.items()}
    calls = {DENSE: dense, **{name: without(name, count) for name, count in gone.items()}}
    measured = interleaved(calls, seconds=seconds, **timing)
    # Disturbances only ever add to a time, so a low percentile is the kernels' own.
    whole = measured[DENSE].p5_ms
    prices = {name: (whole - measured[name].p5_ms) * 1e3 / count for name, count in gone.items()}
    dearest = max(prices.values(), default=0.0)
    if dearest <= 0:
        raise ConfigError("no layer's units cost any measurable time; nothing can be gained")
    return {name: max(price, LEAST_SHARE * dearest) for name, price in prices.items()}
