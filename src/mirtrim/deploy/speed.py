"""Speed in operations: GMAC/s, needed to interpret a speed-up.

A dense network that is slow for its multiply-accumulates (MACs) flatters the speed-up of its
trimmed versions.

No energy is measured: the counters of the processor (RAPL) are hidden from virtual machines and
from ordinary users, and libraries that go on without them multiply the time by an assumed power,
which says nothing that the time does not say.
"""


def gmacs_per_second(macs: float, latency_ms: float) -> float:
    """10⁹ multiply-accumulates per second."""
    if not (macs > 0 and latency_ms > 0):
        raise ValueError(f"macs {macs} and latency_ms {latency_ms} must be above 0")
    return macs / latency_ms / 1e6
