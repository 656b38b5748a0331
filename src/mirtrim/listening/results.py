"""Results of listening to a file."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Heard(ABC):
    """Base of all results.

    Attributes:
        duration_seconds: of the file.
        notes: what users should know about this result, a sentence each.
    """

    duration_seconds: float
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def summary(self) -> str:
        """One line without a full stop."""


@dataclass(frozen=True, kw_only=True)
class Events(Heard):
    """Sounds with a start, such as onsets or drum strokes.

    Attributes:
        times_seconds: rising, (events,).
        labels: one of the detectors for each, (events,), text.
        confidence: activation at the peak, 0 to 1, (events,).
        detectors: all possible labels.
    """

    times_seconds: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    detectors: tuple[str, ...]

    def of(self, detector: str) -> tuple[np.ndarray, np.ndarray]:
        """Times and confidence of one detector."""
        kept = self.labels == detector
        return self.times_seconds[kept], self.confidence[kept]

    @property
    def summary(self) -> str:
        return ", ".join(counted((self.labels == name).sum(), name) for name in self.detectors)


def counted(count: int, noun: str) -> str:
    """A number with its noun, in the plural unless the number is 1."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def in_order(
    times: Mapping[str, np.ndarray], confidence: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times, labels and confidence of all detectors in the order of time, then of labels."""
    joined = np.concatenate([np.zeros(0), *times.values()])
    labels = np.array([name for name, of in times.items() for _ in of], dtype=np.str_)
    sure = np.concatenate([np.zeros(0), *(confidence[name] for name in times)])
    order = np.lexsort((labels, joined))
    return joined[order], labels[order], sure[order]


@dataclass(frozen=True, kw_only=True)
class PitchCurve(Heard):
    """One fundamental per frame; all arrays are (frames,).

    Attributes:
        times_seconds: centres of the frames.
        frequency_hz: a frequency in every frame, because pitch is scored separately from voicing.
        confidence: highest activation, 0 to 1.
        voiced: whether the frame sounds.
    """

    times_seconds: np.ndarray
    frequency_hz: np.ndarray
    confidence: np.ndarray
    voiced: np.ndarray

    @property
    def summary(self) -> str:
        if not self.voiced.any():
            return "nothing voiced"
        median_hz = np.median(self.frequency_hz[self.voiced])
        share = f"{self.voiced.mean():.0%} of {len(self.voiced)} frames voiced"
        return f"{share}, median {median_hz:.1f} Hz"


@dataclass(frozen=True, kw_only=True)
class Chords(Heard):
    """Segments that cover the file.

    Attributes:
        intervals: beginnings and ends in seconds, (segments, 2).
        labels: in Harte's notation, N for no chord.
    """

    intervals: np.ndarray
    labels: tuple[str, ...]

    @property
    def summary(self) -> str:
        chords = counted(len(set(self.labels)), "different chord")
        return f"{counted(len(self.labels), 'segment')}, {chords}"


@dataclass(frozen=True, kw_only=True)
class Tags(Heard):
    """What the whole file is.

    Attributes:
        classes: the most probable first; none in a file with too little sound.
        probabilities: mean over the windows of the file, (classes,).
        sure: whether the first one is probable enough to be an answer.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    sure: bool = True

    @property
    def summary(self) -> str:
        if not self.classes:
            return "no class"
        best = f"{self.classes[0]} ({self.probabilities[0]:.0%})"
        return best if self.sure else f"unsure, perhaps {best}"
