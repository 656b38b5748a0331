"""What of a truth can be that of a recording as long as what was heard."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from mirtrim.corpora.annotations.checks import OVERHANG_SECONDS, check_mostly_inside, inside
from mirtrim.listening.recordings.truth import ChordTruth, EventTruth, PitchTruth, Truth
from mirtrim.utils.errors import CorpusError


def within(truth: Truth, name: str, duration_seconds: float) -> Truth:
    """A truth without what lies behind the end of its recording, as in training.

    A warning tells of events that are left out.

    Args:
        name: of the recording, for messages.

    Raises:
        CorpusError: most of it lies behind the end, as of times in milliseconds or samples.
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
