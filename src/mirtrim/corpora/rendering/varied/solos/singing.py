"""A computed singer: a voice source with falling partials through the formants of vowels.

Formants of a woman's vowels are round numbers near those of Peterson & Barney (JASA 1952).
"""

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter

from mirtrim.corpora.rendering.soundbank import Note
from mirtrim.sound.effects import amplitude

# (Hz, bandwidth in Hz) of three formants; the singers' fourth and fifth are added to all.
VOWELS = (
    ((850, 90), (1200, 110), (2800, 170)),
    ((600, 80), (2300, 120), (3000, 170)),
    ((310, 60), (2800, 140), (3300, 180)),
    ((590, 80), (920, 100), (2700, 170)),
    ((370, 60), (950, 90), (2650, 170)),
    ((500, 80), (1600, 110), (2700, 170)),
)
HIGHER = ((3600, 250), (4500, 300))
PARTIALS = 40
SMOOTH_SECONDS = 0.06


def sung(
    notes: Sequence[Note],
    bends: Sequence[tuple[float, float]],
    tuning_semitones: float,
    seconds: float,
    sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Notes on changing vowels, (samples,) float32; the pitch slides from note to note.

    Args:
        bends: (seconds, semitones) of vibrato and glides.
    """
    count = round(seconds * sample_rate)
    time = np.arange(count) / sample_rate
    starts = np.array([note.start_seconds for note in notes])
    index = np.searchsorted(starts, time, side="right") - 1
    pitch = np.array([note.pitch for note in notes], dtype=float)[index.clip(min=0)]
    pole = np.exp(-1 / (rng.uniform(0.01, 0.06) * sample_rate))
    pitch = lfilter([1 - pole], [1, -pole], pitch - pitch[0]) + pitch[0]
    at, semitones = np.array(bends).T if len(bends) else (np.zeros(1), np.zeros(1))
    drift = np.cumsum(rng.normal(0, 0.002, count // 160 + 2))
    wander = np.interp(np.arange(count), np.arange(len(drift)) * 160, drift - drift.mean())
    pitch = pitch + np.interp(time, at, semitones) + tuning_semitones + wander
    f0_hz = 440 * 2 ** ((pitch - 69) / 12)
    vowel = rng.integers(len(VOWELS), size=len(notes))
    size = float(rng.uniform(0.92, 1.15))  # of the singer's head
    phase = np.cumsum(f0_hz) / sample_rate
    level = _levels(notes, count, sample_rate)
    fall = rng.uniform(8, 15)
    voice = np.zeros(count, dtype=np.float32)
    for k in range(1, PARTIALS + 1):
        hertz = k * f0_hz
        if float(hertz.min()) > 0.48 * sample_rate:
            break
        gain = amplitude(-fall * np.log2(k)) * (hertz < 0.48 * sample_rate)
        wave = np.sin(2 * np.pi * ((k * phase) % 1)).astype(np.float32)
        voice += (gain * wave).astype(np.float32)
    breath = rng.normal(0, amplitude(-rng.uniform(22, 45)), count).astype(np.float32)
    source = (voice + breath) * level
    return _through_vowels(source, index, vowel, size, sample_rate, rng)


def _levels(notes: Sequence[Note], count: int, sample_rate: int) -> np.ndarray:
    """Loudness over time; consonants are not sung, notes swell and fall."""
    level = np.zeros(count)
    for note in notes:
        first, last = round(note.start_seconds * sample_rate), round(note.end_seconds * sample_rate)
        level[first:last] = (note.velocity / 127) ** 1.5
    window = np.hanning(max(3, round(SMOOTH_SECONDS * sample_rate)))
    return np.convolve(level, window / window.sum(), mode="same").astype(np.float32)


def _through_vowels(
    source: np.ndarray,
    index: np.ndarray,
    vowel: np.ndarray,
    size: float,
    sample_rate: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """All vowels are computed throughout; the audible one changes slowly."""
    result = np.zeros(len(source), dtype=np.float32)
    now = vowel[index.clip(min=0)]
    window = np.hanning(max(3, round(SMOOTH_SECONDS * sample_rate)))
    for number in np.unique(now):
        heard = np.convolve(now == number, window / window.sum(), mode="same")
        filtered = source.astype(np.float64)
        for hertz, width in (*VOWELS[int(number)], *HIGHER):
            radius = np.exp(-np.pi * width / sample_rate)
            angle = 2 * np.pi * min(hertz * size, 0.47 * sample_rate) / sample_rate
            poles = [1, -2 * radius * np.cos(angle), radius**2]
            filtered = lfilter([sum(poles)], poles, filtered)
        result += (heard * filtered).astype(np.float32)
    # The singer's mouth takes less of the high frequencies than five resonances in a row.
    return lfilter([1, -rng.uniform(0.5, 0.9)], [1], result).astype(np.float32)
