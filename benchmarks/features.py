"""Decoding, mel and constant-Q features beside librosa, in seconds of audio per second.

python benchmarks/features.py

Every function is the one that a task calls; the rival is what one would write with librosa. CPU
time on one thread, medians of calls that take turns over several pieces, so that none of them is
in the cache when its turn comes. The audio is made here: plucked chords and a drum.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
import torch
from timing import interleaved, print_table, take_no_arguments

from mirtrim.tasks.audio import log_mel, read_mono
from mirtrim.tasks.constant_q import log_constant_q

PIECES = 4
REPEATS = 9
CHORDS = ((110.0, 138.6, 164.8), (146.8, 185.0, 220.0), (164.8, 207.7, 246.9))
NOTE_SECONDS = 0.4
GAIN = 100.0

Action = Callable[[Any], object]  # of samples, or of a path


@lru_cache
def piece(seed: int, sample_rate: int, seconds: float) -> np.ndarray:
    """Chords with eight partials that die away, and a burst of noise with each, (samples,)."""
    rng = np.random.default_rng(seed)
    note = np.arange(int(NOTE_SECONDS * sample_rate)) / sample_rate
    fade = np.exp(-6 * note)
    notes = []
    for _ in range(int(np.ceil(seconds / NOTE_SECONDS))):
        partials = [
            np.sin(2 * np.pi * hz * k * note) / k
            for hz in CHORDS[rng.integers(len(CHORDS))]
            for k in range(1, 9)
        ]
        notes.append(fade * np.sum(partials, axis=0) + fade**4 * rng.standard_normal(len(note)))
    samples = np.concatenate(notes)[: int(seconds * sample_rate)]
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def speeds(pieces: Sequence[Any], seconds: float, actions: Sequence[Action]) -> list[float]:
    """Seconds of audio per CPU second of several functions."""

    def over_all(action: Action) -> Callable[[], None]:
        def run() -> None:
            for one in pieces:
                action(one)

        return run

    times = interleaved([over_all(action) for action in actions], REPEATS)
    return [len(pieces) * seconds / time for time in times]


def line(what: str, seconds: float, ours: float, rival: float) -> list[str]:
    """A line of the table."""
    return [what, f"{seconds:g}", f"{ours:,.0f}", f"{rival:,.0f}", f"{ours / rival:.2f}"]


def mel(
    profile: str, rate: int, hop: int, bands: int, highest_hz: float, seconds: float
) -> list[str]:
    """Log-mel frames of windows of 2048 samples."""
    pieces = [piece(seed, rate, seconds) for seed in range(PIECES)]
    ours, rival = speeds(
        pieces,
        seconds,
        [
            lambda x: log_mel(x, rate, 2048, hop, bands, 20.0, highest_hz),
            lambda x: np.log(
                librosa.feature.melspectrogram(
                    y=x, sr=rate, n_fft=2048, hop_length=hop, n_mels=bands, fmin=20, fmax=highest_hz
                )
                + 1e-5
            ),
        ],
    )
    return line(f"mel, {bands} bands, {rate} Hz, hop {hop} ({profile})", seconds, ours, rival)


def constant_q(profile: str, rate: int, hop: int, lowest_hz: float, seconds: float) -> list[str]:
    """105 bins, two per semitone."""
    pieces = [piece(seed, rate, seconds) for seed in range(PIECES)]
    ours, rival = speeds(
        pieces,
        seconds,
        [
            lambda x: log_constant_q(x, rate, hop, lowest_hz, 105, 24, GAIN),
            lambda x: np.log1p(
                GAIN
                * np.abs(
                    librosa.cqt(
                        x, sr=rate, hop_length=hop, fmin=lowest_hz, n_bins=105, bins_per_octave=24
                    )
                )
            ),
        ],
    )
    return line(f"CQT, 105 bins, {rate} Hz, hop {hop} ({profile})", seconds, ours, rival)


def decoding(channels: int, ending: str, folder: Path, seconds: float = 30.0) -> list[str]:
    """A file of 44.1 kHz to mono samples at 22.05 kHz."""
    paths = []
    for seed in range(PIECES):
        path = folder / f"{seed}.{ending}"
        sides = [piece((seed + side) % PIECES, 44_100, seconds) for side in range(channels)]
        soundfile.write(path, np.stack(sides, axis=1), 44_100)
        paths.append(str(path))
    ours, rival = speeds(
        paths,
        seconds,
        [lambda path: read_mono(path, 22_050), lambda path: librosa.load(path, sr=22_050)],
    )
    sound = "mono" if channels == 1 else "stereo"
    return line(f"{ending.upper()}, {sound}, 44100 → 22050 Hz", seconds, ours, rival)


def main() -> None:
    """Print the table."""
    take_no_arguments(__doc__)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        rows = [
            mel("paper", 22_050, 1024, 64, 5512.0, 30),
            mel("paper", 22_050, 1024, 64, 5512.0, 120),
            mel("default", 16_000, 768, 32, 8000.0, 15),
            constant_q("librosa's settings", 22_050, 512, 32.7, 30),
            constant_q("paper", 44_100, 512, 65.4064, 30),
            constant_q("default", 16_000, 1024, 55.0, 16),
            *(decoding(n, ending, Path(place)) for n in (1, 2) for ending in ("flac", "wav")),
        ]
    print_table(["what", "seconds of a piece", "ours, x real time", "librosa", "ratio"], rows)


if __name__ == "__main__":
    main()
