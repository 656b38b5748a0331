"""What latencies and multiply-accumulates (MACs) say together.

A theoretical speed-up is a quotient of MACs, a measured one a quotient of latencies; the share
of the first that the second reaches tells how well small kernels are used. A dense network that
is slow for its MACs flatters that share, so GMAC/s belongs beside it.

No energy is measured: the counters of the processor (RAPL) are hidden from virtual machines and
from ordinary users, and libraries that go on without them multiply the time by an assumed power,
which says nothing that the time does not say.
"""


def real_time_factor(latency_ms: float, audio_seconds: float) -> float:
    """Seconds of computing per second of audio; below 1 is faster than the music.

    Args:
        latency_ms: of everything that has to be done for the audio, features included.
        audio_seconds: new audio that one call deals with: the hop between calls, not the
            window.
    """
    _check(latency_ms=latency_ms, audio_seconds=audio_seconds)
    return latency_ms / 1e3 / audio_seconds


def gmacs_per_second(macs: float, latency_ms: float) -> float:
    """10⁹ multiply-accumulates per second."""
    _check(macs=macs, latency_ms=latency_ms)
    return macs / latency_ms / 1e6


def theoretical_speed_up(dense_macs: float, macs: float) -> float:
    """MACs of the dense network / MACs now."""
    _check(dense_macs=dense_macs, macs=macs)
    return dense_macs / macs


def measured_speed_up(dense_ms: float, latency_ms: float) -> float:
    """Latency of the dense network / latency now, both from one interleaved measurement."""
    _check(dense_ms=dense_ms, latency_ms=latency_ms)
    return dense_ms / latency_ms


def share_reached(theoretical: float, measured: float) -> float:
    """Measured speed-up / theoretical speed-up: 1 if time falls like the MACs."""
    _check(theoretical=theoretical, measured=measured)
    return measured / theoretical


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
