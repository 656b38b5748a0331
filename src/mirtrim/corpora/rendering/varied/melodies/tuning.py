"""Which notes of a program have the pitch that they are called by, and how they are tuned.

Banks transpose samples over octaves, tune some of them badly, and label some sounds with another
octave. Every program is therefore measured note by note before it is used: the period of a note is
the first lag at which its autocorrelation is nearly as high as anywhere (as in de Cheveigné &
Kawahara, JASA 2002), and must be that of its name.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.synth import render

STEP = 3  # semitones between notes that are heard; those beside one are taken to be like it
SPACING_SECONDS, NOTE_SECONDS = 0.6, 0.5
HEARD = (0.10, 0.40)  # seconds of each note
LEAST_PERIODIC = 0.8
NEARLY = 0.93
FARTHEST_CENTS = 60.0
HIGHEST_HZ = 4500.0
QUIET = 3e-4
LONG_LAG = 900  # samples over which periods are counted for a finer measure


def hertz(pitch: float) -> float:
    """Equal temperament at 440 Hz."""
    return float(440.0 * 2 ** ((pitch - 69) / 12))


@lru_cache(maxsize=512)
def tuning_of(bank: Bank, program: int, lowest: int, highest: int) -> Mapping[int, float]:
    """Pitch → cents above equal temperament, of the notes that have their pitch; maybe of none."""
    pitches = list(range(lowest, highest + 1, STEP))
    notes = [
        Note(i * SPACING_SECONDS, i * SPACING_SECONDS + NOTE_SECONDS, pitch, 96)
        for i, pitch in enumerate(pitches)
    ]
    samples = render([Part(0, program, notes)], len(pitches) * SPACING_SECONDS, bank)
    found: dict[int, float] = {}
    for note in notes:
        first, last = (round((note.start_seconds + s) * RENDERER_RATE) for s in HEARD)
        cents = deviation(samples[first:last], hertz(note.pitch))
        if cents is not None:
            found |= {note.pitch + k: cents for k in range(-(STEP // 2), STEP // 2 + 1)}
    return found


def deviation(samples: np.ndarray, expected_hz: float) -> float | None:
    """Cents of a note at 48 kHz above the pitch that it should have, None if it has another one or
    none, (samples,)."""
    if float(np.sqrt(np.mean(np.square(samples)))) < QUIET:
        return None
    period = RENDERER_RATE / expected_hz
    longest = int(max(2.3 * period, LONG_LAG + period)) + 2
    if longest >= len(samples):
        return None
    similarity = autocorrelation(samples, longest)
    shortest = int(RENDERER_RATE / HIGHEST_HZ)
    heard = similarity[shortest : int(2.3 * period) + 2]
    rising = (heard[1:-1] >= heard[:-2]) & (heard[1:-1] > heard[2:])
    peaks = shortest + 1 + np.flatnonzero(rising)
    if len(peaks) == 0:
        return None
    height = similarity[peaks]
    best = float(height.max())
    lag = int(peaks[np.argmax(height >= NEARLY * best)])
    if best < LEAST_PERIODIC:
        return None
    place = finer(similarity, lag)
    cents = 1200 * np.log2(period / place)
    if abs(cents) > FARTHEST_CENTS:
        return None
    # The same over several periods, of which a sample is a smaller part.
    count = max(1, int(LONG_LAG / place))
    around = round(count * place)
    reach = max(1, round(place / 4))
    window = similarity[around - reach : around + reach + 1]
    lag = around - reach + int(np.argmax(window))
    if 0 < lag < longest - 1:
        cents = 1200 * np.log2(period / (finer(similarity, lag) / count))
    return float(cents) if abs(cents) <= FARTHEST_CENTS else None


def autocorrelation(samples: np.ndarray, longest: int) -> np.ndarray:
    """Similarity of samples and the same samples later, (longest,), at most 1."""
    count = len(samples)
    samples = samples.astype(np.float64) - samples.mean()
    spectrum = rfft(samples, next_fast_len(count + longest, real=True))
    products = irfft(spectrum * spectrum.conj())[:longest]
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])
    lags = np.arange(longest)
    norm = np.sqrt(energy[count - lags] * (energy[count] - energy[lags]))
    result: np.ndarray = products / np.maximum(norm, 1e-12)
    return result


def finer(values: np.ndarray, index: int) -> float:
    """Place of the top of the parabola through a peak and its neighbours."""
    low, top, high = values[index - 1 : index + 2]
    bend = low - 2 * top + high
    return index + (0.5 * float((low - high) / bend) if bend < 0 else 0.0)
