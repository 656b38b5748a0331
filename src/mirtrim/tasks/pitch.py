"""Task `pitch`: which fundamental sounds in a frame of samples? As CREPE has it.

Input: a frame of samples, brought to mean 0 and deviation 1. Target: 360 bins of 20 cents,
a Gaussian of 25 cents around the true pitch, nothing in silence. Loss: binary cross-entropy
with logits. Decoding: mean of the pitches of nine bins around the highest activation, weighted
with the activations; the frame sounds if that activation reaches a threshold chosen on
validation (Kim et al., ICASSP 2018). Scores: mir_eval.melody per track.
"""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.corpora.annotations.checks import check_mostly_inside
from mirtrim.corpora.annotations.f0 import f0_annotation
from mirtrim.models.crepe import FRAME_SAMPLES, SHORTEST_SAMPLES, Crepe
from mirtrim.tasks.audio import read_mono
from mirtrim.tasks.f0 import decode, f0_at, melody_scores, pitch_targets
from mirtrim.tasks.hearing import Hearing, hop_ms
from mirtrim.tasks.schema import SAMPLE_RATE, Schema, dropout, integer, number
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Decoding, Parameters, Predictions, Recording
from mirtrim.tasks.windowed import Cut, WindowedTask
from mirtrim.tasks.windows import gather, spaced_starts
from mirtrim.utils.errors import ConfigError

THRESHOLDS = np.round(np.arange(0.05, 0.96, 0.05), 2)
# 16 bits: a frame below one step of the converter is silence, not noise to be blown up.
SMALLEST_DEVIATION = 1.0
FULL_SCALE = 32767
SCHEMA: Schema = {
    "features": {
        "sample_rate": SAMPLE_RATE,
        "frame_samples": integer(
            "Samples of one example.",
            default=FRAME_SAMPLES,
            multipleOf=SHORTEST_SAMPLES,
            minimum=SHORTEST_SAMPLES,
        ),
        "hop": integer("Samples between frames; divides a frame."),
        "score_every_frames": integer("Of so many frames, one is predicted and scored.", default=1),
    },
    "network": {
        "capacity": integer(
            "Width of all convolutions; published are 4, 8, 16, 24 and 32.", default=4
        ),
        "first_kernel": integer("Taps of the first convolution.", default=512),
        "dropout": dropout("Probability of zeroing an activation.", default=0.25),
        "prior": number(
            "Mean activation before training: 0.5 as published; narrow networks need the mean "
            "of the targets, 0.0087.",
            default=0.5,
            exclusiveMinimum=0,
            exclusiveMaximum=1,
        ),
    },
    "training": {"examples_per_epoch": integer("Random frames per epoch.")},
}


HEARING = Hearing(
    "pitch",
    ("csv", "midi", "jams"),
    lambda features: f"finds the fundamental frequency, every {hop_ms(features):.0f} ms",
    lambda features: ("Several notes at once; fundamentals outside 55 to 2069 Hz.",),
    ("threshold",),
)


class Pitch(WindowedTask):
    """The fundamental of a monophonic recording, frame by frame.

    A recording is kept as blocks of `hop` samples; the frame that begins with block i is
    centred on i · hop / sample_rate seconds, as half a frame of silence stands before the
    first sample.
    """

    name = "pitch"
    main_score = "raw_pitch"
    schema = SCHEMA
    hearing = HEARING

    def recording(self, track: Any, features: Parameters) -> Recording:
        """Arrays blocks (blocks, hop), int16, and f0_hz (blocks,), 0 in silence.

        Value i of f0_hz belongs to the frame of the blocks from i on; behind the last whole
        frame it is 0. The reference has one row, the number of scored and sounding frames.
        """
        rate, hop = features["sample_rate"], features["hop"]
        per_frame = blocks_per_frame(features)
        samples = read_mono(track.audio_path, rate)
        frames = 1 + len(samples) // hop
        length = (frames + per_frame - 1) * hop
        before = features["frame_samples"] // 2
        padded = np.zeros(length, dtype=np.int16)
        whole = np.rint(FULL_SCALE * samples.clip(-1, 1)).astype(np.int16)[: length - before]
        padded[before : before + len(whole)] = whole
        f0_hz = np.zeros(length // hop, dtype=np.float32)
        times, annotated_hz = f0_annotation(track)
        check_mostly_inside(track, times[[0, -1]][None], "f0", len(samples) / rate)
        f0_hz[:frames] = f0_at(times, annotated_hz, np.arange(frames) * hop / rate)
        scored = f0_hz[: frames : features["score_every_frames"]]
        reference = pd.DataFrame(
            {"scored_frames": [len(scored)], "sounding_frames": [int((scored > 0).sum())]}
        )
        return Recording({"blocks": padded.reshape(-1, hop), "f0_hz": f0_hz}, reference)

    def network(self, features: Parameters, network: Parameters) -> nn.Module:
        return Crepe(samples=features["frame_samples"], **network)

    def example_input(self, features: Parameters) -> Tensor:
        return torch.zeros(1, 1, features["frame_samples"])

    def window_rows(self, parameters: Parameters) -> int:
        return blocks_per_frame(parameters)

    def inputs(self, store: FeatureStore, parameters: Parameters) -> Cut:
        return lambda starts: normalised_frames(store, starts, self.window_rows(parameters))

    def targets(self, store: FeatureStore, parameters: Parameters) -> Cut:
        return lambda starts: pitch_targets(store.arrays["f0_hz"][starts])

    def track_starts(self, track: pd.Series, parameters: Parameters) -> Tensor:
        """First blocks of the scored frames of a track, (frames,)."""
        length, step = self.window_rows(parameters), parameters["score_every_frames"]
        return spaced_starts(int(track["first"]), int(track["count"]), length, step)

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)

    def activation(self, outputs: Tensor, starts: Tensor, rows: int) -> np.ndarray:
        """Pitch in Hz and its activation per scored frame, (2, frames)."""
        return decode(outputs.sigmoid()).numpy()

    def tune(
        self, predictions: Predictions, store: FeatureStore, features: Parameters
    ) -> dict[str, float]:
        """The threshold of the activation with the best mean overall accuracy."""

        def accuracy(threshold: float) -> float:
            scores = self.score(predictions, store, features, {"threshold": threshold})
            return float(scores["overall_accuracy"].mean())

        return {"threshold": max((float(t) for t in THRESHOLDS), key=accuracy)}

    def score(
        self,
        predictions: Predictions,
        store: FeatureStore,
        features: Parameters,
        decoding: Decoding,
    ) -> pd.DataFrame:
        rows = {}
        for track_id, (estimate_hz, activation) in predictions.items():
            starts = self.track_starts(store.tracks.loc[track_id], features)
            reference_hz = store.arrays["f0_hz"][starts].numpy()
            sounding = activation >= decoding["threshold"]
            rows[track_id] = melody_scores(reference_hz, estimate_hz, sounding)
        return pd.DataFrame.from_dict(rows, orient="index")

    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        """Means over tracks."""
        return {name: float(pieces[name].mean()) for name in pieces.columns}


def blocks_per_frame(features: Parameters) -> int:
    """How many hops make a frame; a `ConfigError` if that is not a whole even number."""
    count, rest = divmod(features["frame_samples"], features["hop"])
    if rest or count % 2:
        raise ConfigError(
            f"features.hop {features['hop']}: two hops or a multiple must make a frame of "
            f"{features['frame_samples']} samples"
        )
    return int(count)


def normalised_frames(store: FeatureStore, starts: Tensor, per_frame: int) -> Tensor:
    """Frames of mean 0 and deviation 1, (batch, 1, samples)."""
    return normalised(gather(store.arrays["blocks"], starts, per_frame).flatten(1).float())


def normalised(frames: Tensor) -> Tensor:
    """Frames (batch, samples) as inputs of mean 0 and deviation 1, (batch, 1, samples)."""
    frames = frames - frames.mean(dim=1, keepdim=True)
    deviation = frames.square().mean(dim=1, keepdim=True).sqrt()
    return (frames / deviation.clamp(min=SMALLEST_DEVIATION)).unsqueeze(1)
