"""What a recording does to sound: its response, its room, noise, overload, a codec, level, tuning.

Every function takes samples as (…, samples), or as (samples,) where it says so, and gives back as
many. Nothing is drawn here but rooms and noise, from a generator that is passed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

LOWEST_HZ = 20.0  # below it responses are what they are there
LIMIT_DB = 24.0
QUIETEST = 1e-7


@dataclass(frozen=True)
class Curve:
    """A frequency response without phase.

    Attributes:
        tilt_db: change per octave, 0 dB at 1 kHz.
        bumps: (Hz, dB, deviation in octaves) of resonances and notches, Gaussian over octaves.
        lowest_hz, highest_hz: outside, the response falls by 24 dB per octave, 3 dB at these;
            0 and infinity do nothing.
    """

    tilt_db: float = 0.0
    bumps: Sequence[tuple[float, float, float]] = ()
    lowest_hz: float = 0.0
    highest_hz: float = float("inf")

    def gain_db(self, frequency_hz: np.ndarray) -> np.ndarray:
        """Gain at each frequency; tilt and bumps are held within ±24 dB."""
        octaves = np.log2(np.maximum(frequency_hz, LOWEST_HZ) / 1000)
        gain = self.tilt_db * octaves
        for hz, decibels, width in self.bumps:
            gain += decibels * np.exp(-0.5 * ((octaves - np.log2(hz / 1000)) / width) ** 2)
        gain = gain.clip(-LIMIT_DB, LIMIT_DB)
        # Butterworth of order 4.
        if self.lowest_hz > 0:
            ratio = self.lowest_hz / np.maximum(frequency_hz, 1e-3)
            gain -= 10 * np.log10(1 + ratio**8)
        if np.isfinite(self.highest_hz):
            gain -= 10 * np.log10(1 + (frequency_hz / self.highest_hz) ** 8)
        return gain


def amplitude(level_db: float | np.ndarray) -> np.ndarray:
    """Factor of a level in decibels."""
    return np.power(10.0, np.asarray(level_db) / 20)


def rms(samples: np.ndarray) -> np.ndarray:
    """Root mean square over the last axis, (…, 1)."""
    return np.sqrt(np.mean(np.square(samples), axis=-1, keepdims=True))


def equalise(samples: np.ndarray, sample_rate: int, curve: Curve) -> np.ndarray:
    """Samples through a response; onsets stay where they are."""
    length = next_fast_len(samples.shape[-1] + sample_rate // 20, real=True)
    gain = amplitude(curve.gain_db(rfftfreq(length, 1 / sample_rate))).astype(samples.dtype)
    return irfft(rfft(samples, length) * gain, length)[..., : samples.shape[-1]]


def room(
    decay_seconds: float, level_db: float, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Impulse response of a room, float32: the direct sound at sample 0, a few echoes, decay.

    Args:
        decay_seconds: in which the reverberation falls by 60 dB; as long is the response.
        level_db: energy of echoes and reverberation together, relative to the direct sound.
    """
    count = max(2, round(decay_seconds * sample_rate))
    time = np.arange(count) / sample_rate
    tail = rng.normal(size=count) * 10 ** (-3 * time / decay_seconds)
    # High frequencies are damped, more so in some rooms.
    spectrum = rfft(tail)
    octaves = np.log2(np.maximum(rfftfreq(count, 1 / sample_rate), 500.0) / 500)
    tail = irfft(spectrum * amplitude(-rng.uniform(1, 6) * octaves), count)
    tail[: min(count - 1, round(rng.uniform(0.003, 0.02) * sample_rate))] = 0
    size = np.sqrt(np.sum(tail**2))
    for _ in range(int(rng.integers(2, 7))):
        late = int(min(count - 1, max(1, rng.uniform(0.001, 0.03) * sample_rate)))
        tail[late] += rng.choice([-1, 1]) * rng.uniform(0.1, 0.5) * size
    tail *= amplitude(level_db) / max(np.sqrt(np.sum(tail**2)), QUIETEST)
    tail[0] = 1.0
    return tail.astype(np.float32)


def noise(
    shape: tuple[int, ...], slope: np.ndarray, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Noise of unit root mean square, `shape` (…, samples), float32.

    Args:
        slope: its power falls as frequency to this power: 0 white, 1 pink, 2 brown; one for each
            row, (…, 1).
    """
    length = next_fast_len(shape[-1], real=True)
    octaves = np.log2(np.maximum(rfftfreq(length, 1 / sample_rate), 40.0)).astype(np.float32)
    spectrum = rfft(rng.standard_normal((*shape[:-1], length), dtype=np.float32))
    coloured = irfft(spectrum * np.exp2(-0.5 * slope.astype(np.float32) * octaves), length)
    coloured = coloured[..., : shape[-1]]
    return coloured / rms(coloured)


def clipped(samples: np.ndarray, share: float | np.ndarray, soft: bool = False) -> np.ndarray:
    """Samples as an amplifier passes them that gives no more than `share` of their peak.

    Args:
        soft: bend towards that (hyperbolic tangent) instead of cutting.
    """
    limit = np.abs(samples).max(axis=-1, keepdims=True) * share
    limit = np.maximum(limit, QUIETEST).astype(samples.dtype)
    if soft:
        return limit * np.tanh(samples / limit)
    return np.clip(samples, -limit, limit)


def quantised(samples: np.ndarray, bits: float | np.ndarray) -> np.ndarray:
    """Samples in steps, 2 to the power of `bits` of them between the peaks, as small codecs."""
    step = 2 * np.abs(samples).max(axis=-1, keepdims=True) / np.exp2(bits)
    step = np.maximum(step, QUIETEST).astype(samples.dtype)
    return step * np.rint(samples / step)


def at_level(samples: np.ndarray, level_db: float | np.ndarray) -> np.ndarray:
    """Samples whose largest one is `level_db` relative to full scale, which is 1."""
    peak = np.maximum(np.abs(samples).max(axis=-1, keepdims=True), QUIETEST)
    return samples * (amplitude(level_db) / peak).astype(samples.dtype)


def retuned(samples: np.ndarray, cents: float | np.ndarray, centre: int = 0) -> np.ndarray:
    """Samples played faster, so that they sound `cents` higher; sample `centre` stays in place.

    Cubic interpolation (Catmull-Rom). Beyond the ends the last sample is held.

    Args:
        cents: one number, or one for each row, (rows, 1), of samples (rows, samples).
    """
    count = samples.shape[-1]
    speed = np.power(2.0, np.asarray(cents, dtype=np.float64) / 1200)
    place = (centre + (np.arange(count) - centre) * speed).clip(0, count - 1)
    left = np.floor(place).astype(np.int64)
    t = np.broadcast_to((place - left).astype(samples.dtype), samples.shape)
    a, b, c, d = (
        np.take_along_axis(
            samples, np.broadcast_to((left + k).clip(0, count - 1), samples.shape), axis=-1
        )
        for k in (-1, 0, 1, 2)
    )
    bend = t * (3 * (b - c) + d - a) + (2 * a - 5 * b + 4 * c - d)
    return b + 0.5 * t * (c - a + t * bend)
