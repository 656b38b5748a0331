"""What a few lines without a neural network reach, scored exactly as the networks are.

A network that is worse than such a rule is a weak baseline for its own trimmed versions, so both
are reported together. Each rule reads the features that the network reads, predicts in the
network's form, and is decoded by the task (thresholds and penalties chosen on validation). Nothing
is chosen on test, and no constant below was fitted to these corpora.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
import torch

from mirtrim.tasks.chord import BINS_PER_SEMITONE, Chord
from mirtrim.tasks.chord_labels import CLASSES, NO_CHORD
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.f0 import LOWEST_HZ
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import FULL_SCALE, Pitch
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import FeatureStore, open_store
from mirtrim.tasks.task import Parameters, Task
from mirtrim.utils.errors import ConfigError

Predictions = dict[str, np.ndarray]
Rule = Callable[[Any, FeatureStore, str, Parameters], Predictions]
OCTAVES = 6  # from the lowest bin of the networks, C1, to their highest
WINDOW_SECONDS = 2048 / 22050  # librosa's default window at its default rate
A4_MIDI, A4_HZ = 69, 440.0
SHARPNESS = 20.0  # of template scores, before the softmax
BANDS = 32  # of the spectrum of a window, evenly spaced in log frequency
FLOOR = 1e-8


def yin(task: Pitch, store: FeatureStore, split: str, features: Parameters) -> Predictions:
    """YIN (de Cheveigné & Kawahara 2002) as librosa has it: threshold and window at its defaults.

    It does not detect silence: every frame counts as voiced, which raw pitch ignores.
    """
    found = {}
    step = features["hop"] * features["score_every_frames"]
    for track_id, track in store.of_split(split).iterrows():
        blocks = store.rows("blocks", track_id).numpy().ravel()
        # The store has half a frame of silence before the first sample.
        samples = blocks[features["frame_samples"] // 2 :].astype(np.float32) / FULL_SCALE
        f0_hz = librosa.yin(
            samples,
            fmin=LOWEST_HZ,
            fmax=LOWEST_HZ * 2**OCTAVES,
            sr=features["sample_rate"],
            frame_length=round(WINDOW_SECONDS * features["sample_rate"]),
            hop_length=step,
        )
        frames = len(task.track_starts(track, features))
        found[str(track_id)] = np.stack([f0_hz[:frames], np.ones(frames)])
    return found


def spectral_flux(
    task: Onset, store: FeatureStore, split: str, features: Parameters
) -> Predictions:
    """Rise of log-mel energy from frame to frame, summed over bands, the piece's highest as 1."""
    found = {}
    for track_id in store.of_split(split).index:
        frames = store.rows("frames", track_id).numpy()
        rise = np.diff(frames, axis=0, prepend=frames[:1]).clip(min=0).sum(axis=1)
        found[str(track_id)] = (rise / max(float(rise.max()), FLOOR))[None]
    return found


def triad_templates(
    task: Chord, store: FeatureStore, split: str, features: Parameters
) -> Predictions:
    """Correlation of the chroma of a patch with 24 triads; 0 for no chord."""
    fold = pitch_classes(features["bins"], features["lowest_hz"])
    templates = triads()
    found = {}
    length = task.window_rows(features)
    for track_id, track in store.of_split(split).iterrows():
        starts = task.predicted_starts(track, features)
        frames = store.arrays["frames"].numpy()
        patches = np.stack([frames[int(s) : int(s) + length].mean(axis=0) for s in starts])
        chroma = patches @ fold
        chroma -= chroma.mean(axis=1, keepdims=True)
        chroma /= np.linalg.norm(chroma, axis=1, keepdims=True).clip(min=FLOOR)
        scores = torch.from_numpy(SHARPNESS * chroma @ templates.T)
        found[str(track_id)] = scores.log_softmax(1).numpy()
    return found


def pitch_classes(bins: int, lowest_hz: float) -> np.ndarray:
    """Share of each constant-Q bin in each pitch class from C, (bins, 12).

    A bin between two semitones belongs to both by halves.
    """
    midi = A4_MIDI + 12 * np.log2(lowest_hz / A4_HZ) + np.arange(bins) / BINS_PER_SEMITONE
    fold = np.zeros((bins, 12))
    for place, pitch in enumerate(np.round(midi * BINS_PER_SEMITONE) / BINS_PER_SEMITONE):
        for near in (np.floor(pitch), np.ceil(pitch)):
            fold[place, int(near) % 12] += 0.5
    return fold


def triads() -> np.ndarray:
    """Chroma of the chord classes, of mean 0 and length 1; zeros for no chord: (classes, 12)."""
    templates = np.zeros((CLASSES, 12))
    for root in range(12):
        for kind, third in enumerate((4, 3)):
            templates[12 * kind + root, [root, (root + third) % 12, (root + 7) % 12]] = 1
    templates[:NO_CHORD] -= templates[:NO_CHORD].mean(axis=1, keepdims=True)
    return templates / np.linalg.norm(templates, axis=1, keepdims=True).clip(min=FLOOR)


def nearest_mean_spectrum(
    task: Classification, store: FeatureStore, split: str, features: Parameters
) -> Predictions:
    """The class whose training tracks' mean log spectrum is nearest, by training deviations."""
    training = _spectra(task, store, "train", features)
    labels = store.reference.set_index("track_id").label
    everything = np.concatenate(list(training.values()))
    deviation = everything.std(axis=0).clip(min=FLOOR)
    means = np.stack(
        [
            np.concatenate([of for k, of in training.items() if labels[k] == name]).mean(axis=0)
            for name in features["classes"]
        ]
    )
    found = {}
    for track_id, spectra in _spectra(task, store, split, features).items():
        distance = np.square((spectra[:, None] - means) / deviation).mean(axis=2)
        found[track_id] = torch.from_numpy(-distance).softmax(1).numpy()
    return found


def _spectra(
    task: Classification, store: FeatureStore, split: str, features: Parameters
) -> dict[str, np.ndarray]:
    """Log energy in `BANDS` bands of every window, (windows, bands), by track."""
    cut = task.inputs(store, features)
    bins = features["window_samples"] // 2 + 1
    edges = np.unique(np.geomspace(1, bins, BANDS + 1).round().astype(int))
    found = {}
    for track_id, track in store.of_split(split).iterrows():
        windows = cut(task.track_starts(track, features))[:, 0].numpy()
        power = np.square(np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]))))
        bands = np.add.reduceat(power, edges[:-1], axis=1)
        found[str(track_id)] = np.log(bands + FLOOR)
    return found


# Task → name of its rule, and the rule. There is none for the five kinds of drums. The workflow #
# has the names as `WITH_BASELINE`, to avoid importing this module.
RULES: Mapping[str, tuple[str, Rule]] = {
    "pitch": ("YIN, untuned", yin),
    "onset": ("spectral flux", spectral_flux),
    "chord": ("triad templates", triad_templates),
    "instrument": ("nearest mean spectrum", nearest_mean_spectrum),
    "genre": ("nearest mean spectrum", nearest_mean_spectrum),
}
COLUMNS = ("task", "corpus", "baseline", "track_id", "score", "data_digest")


def measure(task_name: str, corpus: str, store_folder: Path, features: Parameters) -> pd.DataFrame:
    """Scores of a task's rule on every test piece; columns as in `COLUMNS`.

    Raises:
        ConfigError: there is no rule for the task.
    """
    if task_name not in RULES:
        raise ConfigError(f"task {task_name}: no baseline; there are {', '.join(RULES)}")
    name, rule = RULES[task_name]
    task: Task = get_task(task_name)
    store = open_store(store_folder)
    decoding = task.tune(rule(task, store, "validation", features), store, features)
    pieces = task.score(rule(task, store, "test", features), store, features, decoding)
    scores = pieces[task.main_score].rename("score").rename_axis("track_id").reset_index()
    return scores.assign(task=task_name, corpus=corpus, baseline=name, data_digest=store.digest)[
        list(COLUMNS)
    ]
