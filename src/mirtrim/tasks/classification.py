"""Shared base of the tasks that name what a whole track is: instruments, genres.

Input: windows of raw samples, scaled to unit root-mean-square. Training windows are drawn
anew every epoch; at evaluation a track is tiled with windows and their class probabilities are
averaged, so that it gets one answer. Loss: cross-entropy. Score: accuracy over tracks.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.models.waveform import WaveformCNN
from mirtrim.tasks.audio import read_mono
from mirtrim.tasks.hearing import Hearing
from mirtrim.tasks.schema import SAMPLE_RATE, Schema, array, dropout, integer, positive
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Decoding, Parameters, Predictions, Recording
from mirtrim.tasks.windowed import Cut, WindowedTask
from mirtrim.tasks.windows import gather
from mirtrim.utils.errors import CorpusError

SILENCE_FRAME = 1024
SMALLEST_RMS = 1e-4

SCHEMA: Schema = {
    "features": {
        "sample_rate": SAMPLE_RATE,
        "window_samples": integer("Samples of one example."),
        "silence_db": positive(
            "Frames this far below the loudest one of a track are cut out.", default=40
        ),
        "classes": array(
            "The classes as the loader names them; their order is the output's.",
            {"type": "string"},
            minItems=2,
            uniqueItems=True,
        ),
    },
    "network": {
        "kernel": integer(
            "Samples under each filter; the stride is a sixteenth of it.",
            default=64,
            minimum=16,
            multipleOf=16,
        ),
        "channels": integer("Units of a convolution.", default=64),
        "hidden": integer("Units of a linear layer.", default=512),
        "bottleneck_channels": integer("Channels of the last convolution.", default=1),
        "dropout": dropout(
            "Probability of zeroing a channel or a neuron in training.", default=0.25
        ),
    },
    "training": {"examples_per_epoch": integer("Random windows per epoch.")},
}


HEARING = Hearing(
    "classes",
    ("csv", "jams"),
    lambda features: f"names the class of a file, one of: {', '.join(features['classes'])}",
    lambda features: ("Sounds of no class: it may still name one of its classes.",),
)


class Classification(WindowedTask):
    """One class per track; subclasses read it from the loader's track."""

    main_score: ClassVar[str] = "accuracy"
    schema = SCHEMA
    hearing = HEARING

    @abstractmethod
    def label(self, track: Any) -> str | None:
        """The class of a track as named by the loader, None if it has none."""

    def recording(self, track: Any, features: Parameters) -> Recording:
        label = self.label(track)
        if label not in features["classes"]:
            raise CorpusError(
                f"track {track.track_id} is a {label!r}, which is not in `classes` of task "
                f"{self.name}; add it there"
            )
        samples = read_mono(track.audio_path, features["sample_rate"])
        samples = without_silence(samples, features["silence_db"])
        short = features["window_samples"] - len(samples)
        if short > 0:  # a track shorter than one window is continued with silence
            samples = np.pad(samples, (0, short))
        peak = float(np.abs(samples).max())
        if peak == 0:
            raise CorpusError(f"{track.audio_path}: only silence; fetch or render it again")
        pulses = np.rint(samples * (32767 / peak)).astype(np.int16)
        return Recording({"samples": pulses}, pd.DataFrame({"label": [label]}))

    def network(self, features: Parameters, network: Parameters) -> nn.Module:
        return WaveformCNN(
            samples=features["window_samples"], classes=len(features["classes"]), **network
        )

    def example_input(self, features: Parameters) -> Tensor:
        return torch.zeros(1, 1, features["window_samples"])

    def window_rows(self, parameters: Parameters) -> int:
        return int(parameters["window_samples"])

    def inputs(self, store: FeatureStore, parameters: Parameters) -> Cut:
        return lambda starts: windows(store, starts, self.window_rows(parameters))

    def targets(self, store: FeatureStore, parameters: Parameters) -> Cut:
        classes = class_indices(store, store.tracks, parameters)
        # A store holds its tracks in the order in which they begin.
        firsts = torch.tensor(store.tracks["first"].tolist())
        return lambda starts: classes[torch.searchsorted(firsts, starts, right=True) - 1]

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def activation(self, outputs: Tensor, starts: Tensor, rows: int) -> np.ndarray:
        """Probability per window and class, (windows, classes)."""
        return outputs.softmax(1).numpy()

    def tune(
        self, predictions: Predictions, store: FeatureStore, features: Parameters
    ) -> dict[str, float]:
        """Nothing: the most probable class needs no threshold."""
        return {}

    def score(
        self,
        predictions: Predictions,
        store: FeatureStore,
        features: Parameters,
        decoding: Decoding,
    ) -> pd.DataFrame:
        """One row per track: true and predicted class, and the share of windows that agree."""
        label_of = store.reference.set_index("track_id").label
        rows = {}
        for track_id, probability in predictions.items():
            true = str(label_of[track_id])
            predicted = features["classes"][int(probability.mean(0).argmax())]
            of_windows = probability.argmax(1) == features["classes"].index(true)
            rows[track_id] = {
                "accuracy": float(predicted == true),
                "window_accuracy": float(of_windows.mean()),
                "true": true,
                "predicted": predicted,
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        """Accuracies, macro F, and the tracks of class a called b as `confusion/a/b` (if any)."""
        counts = pieces.groupby(["true", "predicted"]).size()
        confusion = {f"confusion/{true}/{called}": float(n) for (true, called), n in counts.items()}
        return {
            "accuracy": float(pieces["accuracy"].mean()),
            "window_accuracy": float(pieces["window_accuracy"].mean()),
            "macro_f_measure": macro_f_measure(pieces["true"], pieces["predicted"]),
            **confusion,
        }


def without_silence(samples: np.ndarray, silence_db: float) -> np.ndarray:
    """Cut out the frames of 1024 samples that are `silence_db` below the loudest one.

    Args:
        samples: (samples,).

    Returns:
        What is left, joined; the last, incomplete frame goes with the one before it.
    """
    whole = len(samples) // SILENCE_FRAME
    if whole < 2:
        return samples
    frames = samples[: whole * SILENCE_FRAME].reshape(whole, SILENCE_FRAME)
    power = np.square(frames, dtype=np.float64).mean(1)
    kept = power >= power.max() * 10 ** (-silence_db / 10)
    rest = samples[whole * SILENCE_FRAME :] if kept[-1] else samples[:0]
    return np.concatenate([frames[kept].ravel(), rest])


def windows(store: FeatureStore, starts: Tensor, length: int) -> Tensor:
    """Windows of unit root-mean-square that begin at `starts`, (batch, 1, length)."""
    return at_unit_level(gather(store.arrays["samples"], starts, length).float() / 32767)


def at_unit_level(samples: Tensor) -> Tensor:
    """Samples (batch, length) as inputs of unit root-mean-square, (batch, 1, length)."""
    level = samples.square().mean(1, keepdim=True).sqrt()
    return (samples / level.clamp(min=SMALLEST_RMS)).unsqueeze(1)


def class_indices(store: FeatureStore, tracks: pd.DataFrame, features: Parameters) -> Tensor:
    """Place of each track's class in `classes`, (tracks,)."""
    labels = store.reference.set_index("track_id").label.loc[tracks.index]
    return torch.tensor([features["classes"].index(label) for label in labels])


def macro_f_measure(true: pd.Series, predicted: pd.Series) -> float:
    """Mean over the classes that occur of 2 · hits / (tracks of the class + tracks called so)."""
    scores = []
    for label in sorted({*true, *predicted}):
        hits = int(((true == label) & (predicted == label)).sum())
        scores.append(2 * hits / (int((true == label).sum()) + int((predicted == label).sum())))
    return float(np.mean(scores))
