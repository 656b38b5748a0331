"""Shared base of the tasks that find events in time: onsets, drums.

Input: log-mel frames, normalised per band with training statistics, as patches of
`window_frames`. Target: 1 in the frame whose centre is nearest to an event. Loss: binary
cross-entropy with logits (cells are mostly 0, so positives may be weighted). Decoding: peaks
of the activation above a threshold chosen on validation. Score: mir_eval onset F-measure
per piece, times in seconds, 50 ms window.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.corpora.annotations.checks import inside
from mirtrim.corpora.annotations.chords import audio_path
from mirtrim.models.spectral import SpectralCNN
from mirtrim.tasks.audio import log_mel, read_mono
from mirtrim.tasks.hearing import Features, Hearing, hop_ms
from mirtrim.tasks.onset_scores import micro_f_measure, onset_scores, peak_times
from mirtrim.tasks.schema import (
    HOP,
    SAMPLE_RATE,
    Schema,
    choice,
    dropout,
    integer,
    number,
    positive,
)
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Decoding, Parameters, Predictions, Recording
from mirtrim.tasks.windowed import Cut, WindowedTask
from mirtrim.tasks.windows import as_images, gather, overlap_mean, tiled_starts

THRESHOLDS = np.round(np.arange(0.1, 0.95, 0.1), 2)
THRESHOLD_REFINEMENT = 0.05
FINE_THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
DROPOUT = 0.25

SCHEMA: Schema = {
    "features": {
        "sample_rate": SAMPLE_RATE,
        "window": integer("Samples of one Fourier window."),
        "hop": HOP,
        "mel_bands": integer("Number of mel bands."),
        "lowest_hz": number("Lower edge of the bands.", minimum=0),
        "highest_hz": number("Upper edge of the bands.", minimum=1),
        "window_frames": integer("Frames of one example."),
        "merge_seconds": number(
            "Onsets of one detector closer than this are one onset.", default=0.03, minimum=0
        ),
        "threshold": choice(
            "The threshold that is best on validation, or the middle of all that are as good as "
            "that within one standard error over pieces: for sounds unlike those of validation.",
            "best",
            "middle",
        ),
    },
    "network": {
        "channels": integer("Units of a convolution.", default=256),
        "hidden": integer("Units of a linear layer.", default=1024),
        "dropout": dropout(
            "Probability of zeroing a neuron of a linear stage; a channel of a convolution is "
            "zeroed with four fifths of it.",
            default=DROPOUT,
        ),
    },
    "training": {
        "examples_per_epoch": integer("Random crops per epoch."),
        "positive_weight": positive("Weight of frames with an event in the loss.", default=1),
    },
}


def hearing_of(detectors: Sequence[str], what: str, *formats: str) -> Hearing:
    """How networks with these detectors are listened with; `what` is what they find."""

    def limits(features: Features) -> list[str]:
        return [
            f"Timing finer than {hop_ms(features):.0f} ms; two events of one kind less than "
            f"{2 * hop_ms(features):.0f} ms apart count as one.",
            "Loudness, which is not estimated.",
        ]

    def says(features: Features) -> str:
        return f"finds {what}, in steps of {hop_ms(features):.0f} ms"

    decoding = tuple(f"threshold_{detector}" for detector in detectors)
    return Hearing("events", formats, says, limits, decoding)


class Transcription(WindowedTask):
    """Events of one or several classes; a subclass names the classes and reads the events."""

    main_score: ClassVar[str] = "f_measure"
    normalised_array: ClassVar[str | None] = "frames"
    schema = SCHEMA
    detectors: ClassVar[tuple[str, ...]]

    @abstractmethod
    def events(self, track: Any, features: Parameters) -> pd.DataFrame:
        """Events of a track: columns time_seconds (rising) and label (one of `detectors`)."""

    def recording(self, track: Any, features: Parameters) -> Recording:
        samples = read_mono(audio_path(track), features["sample_rate"])
        frames = log_mel(
            samples,
            features["sample_rate"],
            features["window"],
            features["hop"],
            features["mel_bands"],
            features["lowest_hz"],
            features["highest_hz"],
        )
        short = features["window_frames"] - len(frames)
        if short > 0:  # a piece shorter than one patch is continued with silence
            silence = np.full((short, frames.shape[1]), np.log(1e-5), dtype=np.float32)
            frames = np.concatenate([frames, silence])
        reference = self.events(track, features)
        duration_seconds = len(samples) / features["sample_rate"]
        kept = inside(track, reference.time_seconds.to_numpy(), "events", duration_seconds)
        reference = reference[kept].reset_index(drop=True)
        targets = self.frame_targets(reference, len(frames), features)
        return Recording({"frames": frames, "targets": targets}, reference)

    def frame_targets(self, events: pd.DataFrame, count: int, features: Parameters) -> np.ndarray:
        """0/1 per frame and detector, (count, detectors), uint8."""
        targets = np.zeros((count, len(self.detectors)), dtype=np.uint8)
        hop_seconds = features["hop"] / features["sample_rate"]
        frame = np.rint(events.time_seconds.to_numpy() / hop_seconds).astype(int)
        detector = events.label.map(self.detectors.index).to_numpy(dtype=int)
        inside = frame < count
        targets[frame[inside], detector[inside]] = 1
        return targets

    def network(self, features: Parameters, network: Parameters) -> nn.Module:
        widths = dict(network)
        linear = widths.pop("dropout", DROPOUT)
        # One number, so that it can be scaled with the width: a dropped channel is a sixteenth of
        # what 16 channels know, and a third of what 3 do. The published 0.2 and 0.25 are made for
        # 256 channels; their proportion is kept. A trimmed network keeps the dropout that it began
        # with, as does one of its shape from scratch, so that they differ in their weights alone.
        return SpectralCNN(
            frames=features["window_frames"],
            mel_bins=features["mel_bands"],
            detectors=len(self.detectors),
            convolution_dropout=0.8 * linear,
            linear_dropout=linear,
            **widths,
        )

    def example_input(self, features: Parameters) -> Tensor:
        return torch.zeros(1, 1, features["mel_bands"], features["window_frames"])

    def window_rows(self, parameters: Parameters) -> int:
        return int(parameters["window_frames"])

    def inputs(self, store: FeatureStore, parameters: Parameters) -> Cut:
        """Patches normalised per band, (batch, 1, bands, frames)."""
        mean = torch.tensor(store.statistics["mean"], dtype=torch.float32)
        deviation = torch.tensor(store.statistics["deviation"], dtype=torch.float32)

        def cut(starts: Tensor) -> Tensor:
            frames = gather(store.arrays["frames"], starts, self.window_rows(parameters))
            return as_images((frames - mean) / deviation)

        return cut

    def targets(self, store: FeatureStore, parameters: Parameters) -> Cut:
        """0 or 1, (batch, detectors, frames)."""

        def cut(starts: Tensor) -> Tensor:
            events = gather(store.arrays["targets"], starts, self.window_rows(parameters))
            return events.transpose(1, 2).float()

        return cut

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        weight = outputs.new_full((), float(training["positive_weight"]))
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets, pos_weight=weight)

    def predicted_starts(self, track: pd.Series, features: Parameters) -> Tensor:
        """Windows that overlap by half."""
        length = self.window_rows(features)
        return tiled_starts(int(track["first"]), int(track["count"]), length, length // 2)

    def activation(self, outputs: Tensor, starts: Tensor, rows: int) -> np.ndarray:
        """Probability per detector and frame, (detectors, frames)."""
        return overlap_mean(outputs.sigmoid().numpy(), starts.numpy(), rows)

    def tune(
        self, predictions: Predictions, store: FeatureStore, features: Parameters
    ) -> dict[str, float]:
        """One threshold per detector: the best mean F on a coarse grid, then its neighbours; with
        `threshold: middle` the middle of those within one standard error of the best."""
        return {
            f"threshold_{detector}": self._threshold(predictions, store, features, detector)
            for detector in self.detectors
        }

    def _threshold(
        self, predictions: Predictions, store: FeatureStore, features: Parameters, detector: str
    ) -> float:
        def of_pieces(threshold: float) -> np.ndarray:
            decode = {f"threshold_{detector}": threshold}
            scores = self._score_detector(predictions, store, features, decode, detector)
            return scores[f"f_measure_{detector}"].to_numpy(dtype=float)

        if features.get("threshold") == "middle":
            return middle_of_the_best({float(t): of_pieces(float(t)) for t in FINE_THRESHOLDS})
        coarse = {float(t): float(of_pieces(float(t)).mean()) for t in THRESHOLDS}
        best = max(coarse, key=lambda t: coarse[t])
        for near in (best - THRESHOLD_REFINEMENT, best + THRESHOLD_REFINEMENT):
            coarse[round(near, 2)] = float(of_pieces(round(near, 2)).mean())
        return max(coarse, key=lambda t: coarse[t])

    def score(
        self,
        predictions: Predictions,
        store: FeatureStore,
        features: Parameters,
        decoding: Decoding,
    ) -> pd.DataFrame:
        scores = pd.concat(
            [
                self._score_detector(predictions, store, features, decoding, detector)
                for detector in self.detectors
            ],
            axis=1,
        )
        for name in ("f_measure", "precision", "recall"):
            scores[name] = scores[[f"{name}_{d}" for d in self.detectors]].mean(axis=1)
        return scores

    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        """Means over pieces, and F from the hits of all pieces together (`micro_f_measure`)."""
        mean_columns = [c for c in pieces.columns if not c.startswith("count_")]
        summary = {name: float(pieces[name].mean()) for name in mean_columns}
        summary["micro_f_measure"] = micro_f_measure(pieces, self.detectors)
        return summary

    def _score_detector(
        self,
        predictions: Predictions,
        store: FeatureStore,
        features: Parameters,
        decoding: Decoding,
        detector: str,
    ) -> pd.DataFrame:
        index = self.detectors.index(detector)
        reference = store.reference[store.reference.label == detector]
        times = {k: v.to_numpy() for k, v in reference.groupby("track_id").time_seconds}
        hop_seconds = features["hop"] / features["sample_rate"]
        rows = {}
        for track_id, activation in predictions.items():
            found = peak_times(activation[index], decoding[f"threshold_{detector}"], hop_seconds)
            rows[track_id] = onset_scores(times.get(track_id, np.zeros(0)), found)
        return pd.DataFrame.from_dict(rows, orient="index").add_suffix(f"_{detector}")


def middle_of_the_best(scores: Mapping[float, np.ndarray]) -> float:
    """The middle of the thresholds around the best one that are as good within its standard error.

    The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984), which
    takes the simplest of equally good models, for a choice in which none is simpler.

    Args:
        scores: rising thresholds → F-measure of each piece.
    """
    thresholds, means = list(scores), [float(of.mean()) for of in scores.values()]
    best = int(np.argmax(means))
    of_best = scores[thresholds[best]]
    error = float(of_best.std(ddof=1)) / len(of_best) ** 0.5 if len(of_best) > 1 else 0.0
    low = high = best
    while low > 0 and means[low - 1] >= means[best] - error:
        low -= 1
    while high < len(means) - 1 and means[high + 1] >= means[best] - error:
        high += 1
    return round((thresholds[low] + thresholds[high]) / 2, 3)
