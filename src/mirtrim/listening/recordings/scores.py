"""Score results against the annotation of a recording of that length, for networks and rules."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from types import SimpleNamespace
from typing import Any

import numpy as np

from mirtrim.corpora.annotations.checks import OVERHANG_SECONDS, check_mostly_inside, inside
from mirtrim.listening.recordings.truth import (
    FRAME_SECONDS,
    THREE_OF_FIVE,
    ChordTruth,
    ClassTruth,
    EventTruth,
    PitchTruth,
    Truth,
)
from mirtrim.listening.results import Chords, Events, Heard, PitchCurve, Tags
from mirtrim.tasks.chord_scores import chord_scores
from mirtrim.tasks.f0 import f0_at, melody_scores
from mirtrim.tasks.onset import merge_close
from mirtrim.tasks.onset_scores import onset_scores
from mirtrim.utils.errors import CorpusError

MERGE_SECONDS = 0.03
# Largest constant lag between a recording and its annotation that can be removed.
SHIFTS = np.round(np.arange(-0.1, 0.1001, 0.005), 3)
# Registers of the fundamental, in Hz: C3 and C6 part them.
REGISTERS: Mapping[str, tuple[float, float]] = {
    "below_c3": (0.0, 130.8),
    "c3_to_c6": (130.8, 1046.6),
    "above_c6": (1046.6, np.inf),
}


def scores_of(heard: Heard, truth: Truth, *, remove_shift: bool = False) -> dict[str, float]:
    """Scores by name; the task's main score is one of them.

    Args:
        remove_shift: of events, take away the constant shift that gives the best F-measure, up to
            0.1 s in steps of 5 ms: some recordings are not aligned with their annotation.
    """
    if isinstance(truth, EventTruth):
        return _event_scores(heard, truth, remove_shift)
    return _scores(heard, truth)


@singledispatch
def _scores(heard: Heard, truth: Any) -> dict[str, float]:
    raise TypeError(f"{type(heard).__name__} cannot be scored")


def _event_scores(heard: Heard, truth: EventTruth, remove_shift: bool) -> dict[str, float]:
    """Onset F-measure within 50 ms of each detector, and their means."""
    assert isinstance(heard, Events)
    times = {name: heard.of(name)[0] for name in heard.detectors}
    reference = reference_of(truth, heard.detectors)
    best: dict[str, float] = {}
    for shift in sorted(SHIFTS, key=abs) if remove_shift else (0.0,):
        each = {
            name: onset_scores(reference[name], (found := times[name] + shift)[found >= 0])
            for name in heard.detectors
        }
        scores = {
            name: float(np.mean([of[name] for of in each.values()]))
            for name in ("f_measure", "precision", "recall")
        }
        if len(each) > 1:
            scores |= {f"f_measure_{name}": of["f_measure"] for name, of in each.items()}
        if remove_shift:
            scores["shift_ms"] = 1000 * float(shift)
        if not best or scores["f_measure"] > best["f_measure"]:
            best = scores
    return best


def reference_of(truth: EventTruth, detectors: Sequence[str]) -> dict[str, np.ndarray]:
    """Times of each detector; those of one closer than 30 ms are one.

    A single detector gets all events; `THREE_OF_FIVE` maps the five drums to three.
    """
    labels = np.array(truth.labels, dtype=object)
    if len(detectors) == 1:
        return {detectors[0]: merge_close(truth.times, MERGE_SECONDS)}
    if not set(labels) - {"other"} <= set(detectors):
        labels = np.array([THREE_OF_FIVE.get(label, label) for label in labels], dtype=object)
    return {name: merge_close(truth.times[labels == name], MERGE_SECONDS) for name in detectors}


@_scores.register
def _(heard: PitchCurve, truth: PitchTruth) -> dict[str, float]:
    """mir_eval's melody scores every 10 ms; raw pitch also by register."""
    end = min(truth.times[-1], heard.duration_seconds)
    at = np.arange(int(end / FRAME_SECONDS) + 1) * FRAME_SECONDS
    reference = f0_at(truth.times, truth.frequency_hz, at)
    edges = (heard.times_seconds[:-1] + heard.times_seconds[1:]) / 2
    nearest = np.searchsorted(edges, at)
    hertz, voiced = heard.frequency_hz[nearest], heard.voiced[nearest]
    scores = melody_scores(reference, hertz, voiced)
    for name, (low, high) in REGISTERS.items():
        within = (reference > low) & (reference <= high)
        if within.any():
            scores[f"raw_pitch_{name}"] = melody_scores(
                reference[within], hertz[within], voiced[within]
            )["raw_pitch"]
    return scores


@_scores.register
def _(heard: Chords, truth: ChordTruth) -> dict[str, float]:
    """mir_eval's chord scores."""
    found = chord_scores(
        (truth.intervals, list(truth.labels)), (heard.intervals, list(heard.labels))
    )
    return {name: value for name, value in found.items() if not name.startswith("seconds_")}


@_scores.register
def _(heard: Tags, truth: ClassTruth) -> dict[str, float]:
    """Whether the most probable class is the right one; equal ones are each right in part.

    `confidence` is its probability; `sure` whether the network calls it sure.
    """
    highest = heard.probabilities.max(initial=0.0)
    pairs = zip(heard.classes, heard.probabilities, strict=True)
    first = [name.lower() for name, share in pairs if share == highest]
    return {
        "accuracy": float(truth.label.lower() in first) / max(len(first), 1),
        "confidence": float(highest),
        "sure": float(heard.sure and bool(first)),
    }


def within(truth: Truth, name: str, duration_seconds: float) -> Truth:
    """An annotation without events after the end of its recording, as in training.

    A warning tells of events that are left out.

    Args:
        name: of the recording, for messages.

    Raises:
        CorpusError: most of it is after the end, as with times in milliseconds or samples.
    """
    track = SimpleNamespace(track_id=name)
    if isinstance(truth, EventTruth):
        return _events_within(truth, track, duration_seconds)
    if isinstance(truth, PitchTruth):
        check_mostly_inside(track, truth.times[[0, -1]][None], "f0", duration_seconds)
    if isinstance(truth, ChordTruth):
        check_mostly_inside(track, truth.intervals, "chords", duration_seconds)
        # What nobody could hear must not count as missed.
        kept = truth.intervals[:, 0] < duration_seconds
        intervals = np.minimum(truth.intervals[kept], duration_seconds)
        return ChordTruth(intervals, tuple(np.array(truth.labels, dtype=object)[kept]))
    return truth


def _events_within(truth: EventTruth, track: Any, duration_seconds: float) -> EventTruth:
    late = truth.times > duration_seconds + OVERHANG_SECONDS
    # In milliseconds all are late but one at 0.
    if 2 * late.sum() > len(late):
        raise CorpusError(
            f"track {track.track_id}: {late.sum()} of {len(late)} events lie behind the end of its "
            f"recording, the last at {truth.times.max():.3f} s of {duration_seconds:.3f} s; are "
            "the times in seconds, and of this recording?"
        )
    kept = inside(track, truth.times, "events", duration_seconds)
    labels = tuple(label for label, keep in zip(truth.labels, kept, strict=True) if keep)
    return replace(truth, times=truth.times[kept], labels=labels)
