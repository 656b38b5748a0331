"""Task `chord`: which of 24 major and minor chords, or none, sounds at the centre of a patch.

Input: 15 frames of a constant-Q transform with two bins per semitone. Training draws frames
at random and transposes them by shifting bins (Carsault, Nika & Esling, ISMIR 2018). Decoding:
the most probable path under a cost of changing, chosen on validation. Score: mir_eval.chord,
weighted by duration.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.corpora.annotations.checks import check_mostly_inside
from mirtrim.corpora.annotations.chords import audio_path, chord_annotation
from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.tasks.audio import at_level, read_mono
from mirtrim.tasks.chord_labels import (
    CLASSES,
    OUTSIDE,
    frame_classes,
    segments,
    smoothest_path,
    transposed,
)
from mirtrim.tasks.chord_scores import SCORES, chord_scores
from mirtrim.tasks.constant_q import log_constant_q, shifted
from mirtrim.tasks.hearing import Hearing
from mirtrim.tasks.schema import (
    HOP,
    SAMPLE_RATE,
    Schema,
    array,
    choice,
    dropout,
    integer,
    number,
    positive,
    switch,
)
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Decoding, Parameters, Predictions, Recording
from mirtrim.tasks.windowed import Cut, WindowedTask
from mirtrim.tasks.windows import as_images, gather, spaced_starts
from mirtrim.utils.errors import CorpusError

BINS_PER_SEMITONE = 2
CHANGE_PENALTIES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)

SCHEMA: Schema = {
    "features": {
        "sample_rate": SAMPLE_RATE,
        "hop": HOP,
        "lowest_hz": positive("Frequency of the lowest bin."),
        "bins": integer("Bins of a frame, two per semitone.", default=105),
        "window_frames": integer(
            "Frames of one example; the chord is that of the middle one.", default=15
        ),
        "gain": positive("g in log(1 + g · magnitude).", default=100),
        "annotation": choice(
            "Chords as played, or as instructed, where a corpus has both.", "played", "lead_sheet"
        ),
        "score_every_frames": integer(
            "Distance of the frames at which pieces are decoded.", default=1
        ),
    },
    "network": {
        "widths": array(
            "Units of the three convolutions.",
            {"type": "integer", "minimum": 1},
            minItems=3,
            maxItems=3,
            default=[16, 20, 24],
        ),
        "hidden": integer("Units of a linear layer.", default=200),
        "noise": number(
            "Deviation of the training noise, relative to each input value.",
            default=0.3,
            minimum=0,
        ),
        "dropout": dropout("Probability of zeroing an activation.", default=0.6),
        "affine_input": switch(
            "Gain and offset of the first batch norm; without them it is faster.", default=True
        ),
    },
    "training": {
        "examples_per_epoch": integer("Random frames per epoch."),
        "transpose_semitones": integer(
            "Examples are transposed by up to this, down and up.",
            default=4,
            minimum=0,
            maximum=11,
        ),
    },
}


HEARING = Hearing(
    "chords",
    ("lab", "jams"),
    lambda features: "names one of 24 major and minor chords, or none",
    lambda features: (
        "Sevenths, suspended, diminished and augmented chords, inversions: they get "
        "the major or minor name that fits best.",
    ),
    ("change_penalty",),
)


class Chord(WindowedTask):
    """Major and minor chords of a track with chord annotations."""

    name: ClassVar[str] = "chord"
    main_score: ClassVar[str] = "majmin"
    schema: ClassVar[Schema] = SCHEMA
    hearing = HEARING

    def recording(self, track: Any, features: Parameters) -> Recording:
        samples = read_mono(audio_path(track), features["sample_rate"])
        frames = log_constant_q(
            at_level(samples),
            features["sample_rate"],
            features["hop"],
            features["lowest_hz"],
            features["bins"],
            12 * BINS_PER_SEMITONE,
            features["gain"],
        )
        intervals, labels = chord_annotation(track, features["annotation"])
        check_mostly_inside(track, intervals, "chords", len(samples) / features["sample_rate"])
        times = np.arange(len(frames)) * features["hop"] / features["sample_rate"]
        try:
            targets = frame_classes(intervals, labels, times).astype(np.int8)
        except CorpusError as error:
            raise CorpusError(f"track {track.track_id}: {error}") from error
        # Silence around the track, so that its first and last frames are centres too.
        before = features["window_frames"] // 2
        around = (before, features["window_frames"] - 1 - before)
        return Recording(
            {
                "frames": np.pad(frames, (around, (0, 0))),
                "targets": np.pad(targets, around, constant_values=OUTSIDE),
            },
            pd.DataFrame(
                {
                    "start_seconds": intervals[:, 0],
                    "end_seconds": intervals[:, 1],
                    "label": list(labels),
                }
            ),
        )

    def network(self, features: Parameters, network: Parameters) -> nn.Module:
        return ChordConvNet(
            bins=features["bins"],
            frames=features["window_frames"],
            classes=CLASSES,
            **{**network, "widths": tuple(network["widths"])} if "widths" in network else network,
        )

    def example_input(self, features: Parameters) -> Tensor:
        return torch.zeros(1, 1, features["bins"], features["window_frames"])

    def window_rows(self, parameters: Parameters) -> int:
        return int(parameters["window_frames"])

    def inputs(self, store: FeatureStore, parameters: Parameters) -> Cut:
        return lambda starts: as_images(self._patches(store, starts, parameters))

    def targets(self, store: FeatureStore, parameters: Parameters) -> Cut:
        middle = self.window_rows(parameters) // 2
        return lambda starts: store.arrays["targets"][starts + middle].long()

    def split_starts(
        self, store: FeatureStore, split: str, parameters: Parameters, step: int | None = None
    ) -> Tensor:
        """First frames of every `step`-th patch whose middle has a class, (patches,).

        Without a step, patches lie side by side.
        """
        length = self.window_rows(parameters)
        starts = torch.cat(
            [
                spaced_starts(int(first), int(count), length, step or length)
                for first, count in store.of_split(split)[["first", "count"]].to_numpy()
            ]
        )
        return starts[self.targets(store, parameters)(starts) != OUTSIDE]

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Patches drawn from all that have a class, transposed at random."""
        reach, targets = training["transpose_semitones"], self.targets(store, training)
        starts = self.split_starts(store, "train", training, step=1)
        for _ in range(self.steps_per_epoch(store, training)):
            drawn = starts[torch.from_numpy(rng.integers(len(starts), size=training["batch_size"]))]
            semitones = rng.integers(-reach, reach + 1, size=len(drawn))
            patches = self._patches(store, drawn, training).numpy()
            yield (
                as_images(torch.from_numpy(shifted(patches, BINS_PER_SEMITONE * semitones))),
                torch.from_numpy(transposed(targets(drawn).numpy(), semitones)),
            )

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)

    def predicted_starts(self, track: pd.Series, features: Parameters) -> Tensor:
        length, step = self.window_rows(features), features["score_every_frames"]
        return spaced_starts(int(track["first"]), int(track["count"]), length, step)

    def activation(self, outputs: Tensor, starts: Tensor, rows: int) -> np.ndarray:
        """Log-probability of every class at every scored frame, (frames, 25)."""
        return outputs.log_softmax(1).numpy()

    def tune(
        self, predictions: Predictions, store: FeatureStore, features: Parameters
    ) -> dict[str, float]:
        """The cost of a chord change, in nats, with the best score; the lower of equal ones."""

        def quality(penalty: float) -> float:
            decoding = {"change_penalty": penalty}
            pieces = self.score(predictions, store, features, decoding)
            return self.summarise(pieces)[self.main_score]

        return {"change_penalty": max(CHANGE_PENALTIES, key=quality)}

    def score(
        self,
        predictions: Predictions,
        store: FeatureStore,
        features: Parameters,
        decoding: Decoding,
    ) -> pd.DataFrame:
        step_seconds = features["score_every_frames"] * features["hop"] / features["sample_rate"]
        references = dict(iter(store.reference.groupby("track_id")))
        rows = {}
        for track_id, log_probability in predictions.items():
            reference = references[track_id]
            intervals = reference[["start_seconds", "end_seconds"]].to_numpy()
            path = smoothest_path(log_probability, decoding["change_penalty"])
            rows[track_id] = chord_scores(
                (intervals, reference.label.tolist()), segments(path, step_seconds)
            )
        return pd.DataFrame.from_dict(rows, orient="index")

    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        """Shares of the judged time of all pieces together; segmentation as mean of pieces."""
        summary = {}
        for name in SCORES:
            seconds = pieces[f"seconds_{name}"]
            total = float(seconds.sum())
            summary[name] = float((pieces[name] * seconds).sum() / total) if total > 0 else 0.0
        for name in ("segmentation", "over_segmentation", "under_segmentation"):
            summary[name] = float(pieces[name].mean())
        return summary

    def _patches(self, store: FeatureStore, starts: Tensor, parameters: Parameters) -> Tensor:
        """Patches that begin at `starts`, (batch, frames, bins)."""
        return gather(store.arrays["frames"], starts, self.window_rows(parameters))
