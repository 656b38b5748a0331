"""What was heard in a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Base of all results.

    Attributes:
        duration_seconds: of the file.
        notes: what a person should know about this result, a sentence each.
    """

    duration_seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Events(Heard):
    """Things that begin to sound.

    Attributes:
        times_seconds: rising, (events,).
        labels: one of the detectors for each, (events,), text.
        confidence: activation at the peak, 0 to 1, (events,).
        detectors: every label that there can be.
    """

    times_seconds: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    detectors: tuple[str, ...]

    @property
    def table(self) -> "pd.DataFrame":
        """The same as a table: columns time_seconds, label, confidence."""
        import pandas as pd  # whose import takes longer than to listen to a song

        return pd.DataFrame(
            {
                "time_seconds": self.times_seconds,
                "label": self.labels.astype(object),
                "confidence": self.confidence,
            }
        )

    def of(self, detector: str) -> tuple[np.ndarray, np.ndarray]:
        """Times and confidence of one detector."""
        kept = self.labels == detector
        return self.times_seconds[kept], self.confidence[kept]


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
        frequency_hz: a frequency in every frame, for pitch is judged apart from voicing.
        confidence: highest activation, 0 to 1.
        voiced: whether the frame sounds.
    """

    times_seconds: np.ndarray
    frequency_hz: np.ndarray
    confidence: np.ndarray
    voiced: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Chords(Heard):
    """Segments that cover the file.

    Attributes:
        intervals: beginnings and ends in seconds, (segments, 2).
        labels: in Harte's notation, N for no chord.
    """

    intervals: np.ndarray
    labels: tuple[str, ...]


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


@singledispatch
def summary_of(heard: Heard) -> str:
    """One line without a full stop."""
    raise TypeError(f"{type(heard).__name__} has no summary")


@summary_of.register
def _(heard: Events) -> str:
    return ", ".join(f"{int((heard.labels == name).sum())} {name}" for name in heard.detectors)


@summary_of.register
def _(heard: PitchCurve) -> str:
    if not heard.voiced.any():
        return "nothing voiced"
    sounding = heard.frequency_hz[heard.voiced]
    return (
        f"{heard.voiced.mean():.0%} of {len(heard.voiced)} frames voiced, "
        f"median {np.median(sounding):.1f} Hz"
    )


@summary_of.register
def _(heard: Chords) -> str:
    different = len(set(heard.labels))
    return f"{len(heard.labels)} segments, {different} different chords"


@summary_of.register
def _(heard: Tags) -> str:
    if not heard.classes:
        return "no class"
    best = f"{heard.classes[0]} ({heard.probabilities[0]:.0%})"
    return best if heard.sure else f"unsure, perhaps {best}"
