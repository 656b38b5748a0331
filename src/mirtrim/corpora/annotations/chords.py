"""Audio and chords of a track, whichever loader it comes from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mirtrim.corpora.annotations.checks import check_times, unreadable
from mirtrim.utils.errors import CorpusError

ROUNDING_SECONDS = 0.001


def audio_path(track: Any) -> str:
    """The recording to analyse: GuitarSet's microphone, or the only one there is."""
    path = track.audio_mic_path if hasattr(track, "audio_mic_path") else track.audio_path
    if path is None:
        raise CorpusError(f"track {track.track_id} has no audio; leave it out of the corpus")
    return str(path)


def chord_annotation(track: Any, annotation: str) -> tuple[np.ndarray, Sequence[str]]:
    """Chord segments of a track: intervals in seconds, (segments, 2), and labels.

    Args:
        annotation: "played" or "lead_sheet"; other loaders than guitarset have only one.

    Raises:
        CorpusError: the annotation is missing, damaged, empty or not in the order of time.
    """
    name = "chords"
    if hasattr(track, "jams_path"):
        name = {"played": "inferred_chords", "lead_sheet": "leadsheet_chords"}[annotation]
    try:
        chords = getattr(track, name)
    except Exception as error:  # jams and the parsers of mirdata raise many types
        raise unreadable(track, "chords", error) from error
    if chords is None or len(chords.labels) == 0:
        raise CorpusError(f"track {track.track_id} has no chords; leave it out of the corpus")
    intervals = np.array(chords.intervals, dtype=np.float64)
    check_times(track, intervals.ravel(), "chord boundary")
    overlap = intervals[:-1, 1] - intervals[1:, 0]
    if np.any(overlap > ROUNDING_SECONDS) or np.any(intervals[:, 0] >= intervals[:, 1]):
        raise CorpusError(
            f"track {track.track_id}: its chords overlap or are not in the order of time; "
            "correct the annotation"
        )
    # The end of a chord is read as time plus duration, so it may pass the next beginning.
    intervals[:-1, 1] = np.minimum(intervals[:-1, 1], intervals[1:, 0])
    return intervals, list(chords.labels)
