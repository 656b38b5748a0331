"""Computed tones: harmonics with drawn spectra, as no bank has them, and with exact f0."""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from mirtrim.sound.effects import Curve, amplitude, noise

MOST_PARTIALS = 80
BLOCK = 4096


@dataclass(frozen=True)
class Tone:
    """How a computed voice sounds.

    Attributes:
        fall_db: of partials, per octave.
        uneven_db: deviation of single partials.
        even_db: of even partials, relative to odd ones.
        fundamental_db: of the first partial, relative to the others.
        stiffness: partial k lies at k · f0 · sqrt(1 + stiffness · k²), relative to the first.
        formants: (Hz, dB, deviation in octaves) that stay where they are.
        attack_seconds: rise of a note.
        decay_seconds: fall of a struck note by 60 dB, 0 for one that is held.
        damping: how much faster high partials of a struck note decay, per partial.
        release_seconds: fall of any note behind its end.
        breath_db: of noise, relative to the tone.
        tremolo: share of the level, at 3 to 8 Hz.
    """

    fall_db: float
    uneven_db: float
    even_db: float
    fundamental_db: float
    stiffness: float
    formants: tuple[tuple[float, float, float], ...]
    attack_seconds: float
    decay_seconds: float
    damping: float
    release_seconds: float
    breath_db: float
    tremolo: float


def draw_tone(rng: np.random.Generator) -> Tone:
    """Any tone, from a flute's to a harpsichord's and beyond."""
    struck = rng.random() < 0.4
    return Tone(
        fall_db=float(rng.uniform(-2, 14)),
        uneven_db=float(rng.uniform(0, 9)),
        even_db=float(-rng.uniform(8, 40)) if rng.random() < 0.25 else 0.0,
        fundamental_db=float(-rng.uniform(0, 30)) if rng.random() < 0.35 else 0.0,
        stiffness=float(10 ** rng.uniform(-5, -3.3)) if struck and rng.random() < 0.6 else 0.0,
        formants=tuple(
            (
                float(np.exp(rng.uniform(np.log(200), np.log(4000)))),
                float(rng.uniform(3, 18)),
                float(rng.uniform(0.08, 0.5)),
            )
            for _ in range(int(rng.integers(0, 4)))
        ),
        attack_seconds=float(rng.uniform(0.002, 0.01) if struck else rng.uniform(0.01, 0.1)),
        decay_seconds=float(np.exp(rng.uniform(np.log(0.6), np.log(6)))) if struck else 0.0,
        damping=float(rng.uniform(0, 0.15)),
        release_seconds=float(rng.uniform(0.03, 0.3)),
        breath_db=float(-rng.uniform(12, 45)) if rng.random() < 0.5 else -90.0,
        tremolo=float(rng.uniform(0, 0.4)) if rng.random() < 0.3 else 0.0,
    )


def sing(
    tone: Tone,
    notes: list[tuple[float, float, float]],
    f0_hz: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Notes in a computed voice, float32, (samples,).

    Args:
        notes: (start, end in seconds, level between 0 and 1); a note ends when the next begins.
        f0_hz: of every sample, above 0, (samples,).
    """
    count = len(f0_hz)
    result = np.zeros(count, dtype=np.float32)
    time = np.arange(count) / sample_rate
    phase = 2 * np.pi * np.cumsum(f0_hz) / sample_rate
    starts = [start for start, _, _ in notes[1:]] + [count / sample_rate]
    shape_db = tone.uneven_db * rng.standard_normal(MOST_PARTIALS)
    rate = rng.uniform(3, 8)
    for (start, end, level), following in zip(notes, starts, strict=True):
        first, last = round(start * sample_rate), min(count, round(following * sample_rate))
        if last <= first:
            continue
        here = slice(first, last)
        since, held = time[here] - start, end - start
        rise = np.clip(since / tone.attack_seconds, 0, 1)
        fall = 10 ** (-3 * np.clip(since - held, 0, None) / tone.release_seconds)
        envelope = (
            level * rise * fall * (1 - tone.tremolo * (0.5 + 0.5 * np.sin(rate * 6.3 * since)))
        )
        # So that the next note does not begin with a click of this one.
        ending = np.clip((last - np.arange(first, last)) / (0.004 * sample_rate), 0, 1)
        result[here] += (
            envelope
            * ending
            * partials(tone, phase[here], f0_hz[here], since, shape_db, sample_rate, rng)
        )
    if tone.breath_db > -80:
        result = breathing(tone, result, sample_rate, rng)
    return result


def partials(
    tone: Tone,
    phase: np.ndarray,
    f0_hz: np.ndarray,
    since: np.ndarray,
    shape_db: np.ndarray,
    sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The sum of a note's partials, of unit root mean square while it is undamped, (samples,)."""
    typical = float(np.median(f0_hz))
    number = np.arange(1, MOST_PARTIALS + 1)
    stretch = np.sqrt((1 + tone.stiffness * number**2) / (1 + tone.stiffness))
    number = number[number * stretch * f0_hz.max() < 0.48 * sample_rate]
    if len(number) == 0:
        return np.zeros(len(phase), dtype=np.float32)
    level_db = -tone.fall_db * np.log2(number) + shape_db[: len(number)]
    level_db = level_db + np.where(number % 2 == 0, tone.even_db, 0.0)
    level_db = level_db + np.where(number == 1, tone.fundamental_db, 0.0)
    level_db = level_db + Curve(bumps=tone.formants).gain_db(number * typical)
    level = amplitude(level_db - level_db.max())
    audible = level > 1e-3
    number, level = number[audible], level[audible]
    level = level / np.sqrt(np.sum(level**2) / 2)
    offsets = rng.uniform(0, 2 * np.pi, len(number))
    total = np.zeros(len(phase), dtype=np.float32)
    phase, since = phase.astype(np.float64), since.astype(np.float32)
    for k, size, offset in zip(number.tolist(), level.tolist(), offsets.tolist(), strict=True):
        wave = np.sin(((k * stretch[k - 1] * phase + offset) % (2 * np.pi)).astype(np.float32))
        wave *= np.float32(size)
        if tone.decay_seconds:
            speed = np.float32(-6.9 / tone.decay_seconds * (1 + tone.damping * (k - 1)))
            wave *= np.exp(speed * since)
        total += wave
    return total


def breathing(
    tone: Tone, samples: np.ndarray, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """The tone with noise that swells with it and has its formants."""
    air = noise(samples.shape, np.array([rng.uniform(0, 1.5)]), sample_rate, rng)
    length = next_fast_len(len(samples), real=True)
    gain = amplitude(Curve(bumps=tone.formants).gain_db(rfftfreq(length, 1 / sample_rate)))
    air = irfft(rfft(air, length) * gain.astype(np.float32), length)[: len(samples)]
    air /= max(float(np.sqrt(np.mean(air**2))), 1e-9)
    window = round(0.02 * sample_rate)
    power = np.convolve(samples**2, np.ones(window) / window, mode="same")
    result: np.ndarray = samples + amplitude(tone.breath_db) * np.sqrt(power) * air
    return result.astype(np.float32)
