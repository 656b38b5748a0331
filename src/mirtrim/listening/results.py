"""What was heard in a file."""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
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
        table: columns time_seconds (rising), label, confidence (activation at the peak, 0 to 1).
        detectors: every label that there can be.
    """

    table: pd.DataFrame
    detectors: tuple[str, ...]


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
    counts = heard.table.label.value_counts()
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in heard.detectors)


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
