"""Which onsets of a finished recording can be heard in it.

A soft note under a loud chord, in noise, or in the reverberation of the last stroke is in the MIDI
file but inaudible. A network that is trained on it learns to find onsets where there are none.
"""

from collections.abc import Sequence

import librosa
import numpy as np

from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.soundbank import Note

# Nine of ten places of a rendered recording without an onset rise less in every band but one;
# one band is often the noise.
LEAST_RISE_DB = 8.0
BANDS, WINDOW, HOP = 40, 512, 128
FLOOR_DB = -70.0  # against the loudest band and moment
# Frames before and after an onset that are compared, 8 ms each.
BEFORE, AFTER = range(-6, -2), range(6)


def rises_db(samples: np.ndarray, times_seconds: Sequence[float]) -> np.ndarray:
    """By how many decibels a recording rises at each time, in the band with the second most.

    The loudest of the 48 ms that follow is compared with the mean of the 32 ms before.

    Args:
        samples: mono at `SAMPLE_RATE`, (samples,).
        times_seconds: of the onsets, (onsets,).

    Returns:
        (onsets,) float, in dB.
    """
    power = librosa.feature.melspectrogram(
        y=samples, sr=SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS,
        fmin=30, fmax=SAMPLE_RATE / 2,
    )  # fmt: skip
    level = 10 * np.log10(np.maximum(power, 1e-12))
    level = np.maximum(level, level.max() + FLOOR_DB)
    centre = np.rint(np.asarray(times_seconds) * SAMPLE_RATE / HOP).astype(int)
    last = level.shape[1] - 1
    before = level[:, np.clip(centre[:, None] + np.array(BEFORE), 0, last)].mean(axis=2)
    after = level[:, np.clip(centre[:, None] + np.array(AFTER), 0, last)].max(axis=2)
    rise: np.ndarray = np.sort(after - before, axis=0)[-2]
    return rise


def audible(notes: Sequence[Note], samples: np.ndarray) -> list[Note]:
    """The notes at whose beginning the recording rises by `LEAST_RISE_DB` or more."""
    if not notes:
        return []
    rise = rises_db(samples, [note.start_seconds for note in notes])
    return [note for note, db in zip(notes, rise, strict=True) if db >= LEAST_RISE_DB]
