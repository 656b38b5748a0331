"""Constant-Q frames against librosa, which designs its filters again for every piece."""

import librosa
import numpy as np
import pytest

from mirtrim.tasks.constant_q import _decimation, constant_q_filters, log_constant_q
from mirtrim.utils.errors import ConfigError


def chirp(rate: int, seconds: float) -> np.ndarray:
    """A sweep through all octaves, and noise."""
    tone = librosa.chirp(fmin=50, fmax=0.45 * rate, sr=rate, duration=seconds)
    noise = np.random.default_rng(0).standard_normal(len(tone))
    return (0.3 * tone + 0.01 * noise).astype(np.float32)


@pytest.mark.parametrize(
    ("rate", "hop", "highest_hz", "octaves", "factor"),
    [
        # Half the rate is 2.46 octaves above 4000 Hz, rounded up 3, less the octave of room and
        # the one that the highest bins take: 1.
        (44_100, 512, 4000.0, 7, 2),
        # 4.46 octaves above 1000 Hz leave 3, but a hop of 2 ** 6 may be halved 6 − 6 + 1 times.
        (44_100, 64, 1000.0, 6, 2),
        (44_100, 512, 1000.0, 6, 8),
        (44_100, 64, 1000.0, 7, 1),
        (44_100, 64, 1000.0, 9, 1),
        (44_100, 512, 12_000.0, 3, 1),
    ],
)
def test_the_rate_falls_before_the_highest_octave_by_powers_of_two(
    rate: int, hop: int, highest_hz: float, octaves: int, factor: int
) -> None:
    assert _decimation(rate, hop, highest_hz, octaves) == factor


@pytest.mark.parametrize(
    ("rate", "hop", "lowest_hz", "bins", "per_octave"),
    [
        (16_000, 1024, 55.0, 105, 24),
        (22_050, 512, 32.7, 84, 12),
        (44_100, 4096, 65.4, 30, 12),  # eight halvings of the hop, three octaves
        (16_000, 1000, 55.0, 105, 24),  # a hop that turns odd before the lowest octave
    ],
)
def test_values_are_those_of_librosa(
    rate: int, hop: int, lowest_hz: float, bins: int, per_octave: int
) -> None:
    samples = chirp(rate, 3.3)
    expected = librosa.cqt(
        samples, sr=rate, hop_length=hop, fmin=lowest_hz, n_bins=bins, bins_per_octave=per_octave
    )
    # Twice: the second time with filters that are there already.
    for _ in range(2):
        frames = log_constant_q(samples, rate, hop, lowest_hz, bins, per_octave, 100.0)
        assert frames.shape == (1 + len(samples) // hop, bins)
        np.testing.assert_allclose(frames, np.log1p(100 * np.abs(expected.T)), atol=5e-6)


def test_filters_are_designed_once() -> None:
    settings = (16_000, 1024, 55.0, 105, 24)
    assert constant_q_filters(*settings) is constant_q_filters(*settings)
    assert constant_q_filters(*settings) is not constant_q_filters(22_050, *settings[1:])


def test_bins_up_to_half_the_sample_rate_are_taken() -> None:
    """The last of 139 bins lies at 55 · 2 ** (138 / 24) = 2960 Hz, beyond a third of the rate."""
    filters = constant_q_filters(8000, 512, 55.0, 139, 24)
    assert sum(octave.filters.shape[0] for octave in filters.octaves) == 139


def test_bins_above_the_sample_rate_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"240 bins above 55 Hz reach \d+ Hz.*8000 Hz"):
        constant_q_filters(16_000, 1024, 55.0, 240, 24)
