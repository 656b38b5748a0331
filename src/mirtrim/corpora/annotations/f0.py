"""Fundamental frequencies of a track, whichever loader it comes from."""

from typing import Any

import numpy as np

from mirtrim.corpora.annotations.checks import check_times, unreadable
from mirtrim.utils.errors import CorpusError


def f0_annotation(track: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds, rising, and frequencies in Hz, 0 in silence; (values,) each.

    Raises:
        CorpusError: the annotation is missing or damaged, has less than two values, or values
            that are no numbers or not in the order of time.
    """
    try:
        annotated = track.f0
        times = np.asarray(annotated.times, dtype=np.float64)
        hertz = np.asarray(annotated.frequencies, dtype=np.float64)
    except Exception as error:  # the parsers of mirdata raise many types
        raise unreadable(track, "f0", error) from error
    if times.ndim != 1 or len(times) < 2 or times.shape != hertz.shape:
        raise CorpusError(
            f"track {track.track_id}: its f0 has {times.size} times and {hertz.size} values, two "
            "at least are needed; leave the track out or correct the annotation"
        )
    check_times(track, times, "f0 value")
    wrong = np.flatnonzero(~np.isfinite(hertz))
    if len(wrong):
        raise CorpusError(
            f"track {track.track_id}: its f0 at {times[wrong[0]]:.3f} s is {hertz[wrong[0]]:g}; "
            "correct the annotation"
        )
    back = np.flatnonzero(np.diff(times) <= 0)
    if len(back):
        raise CorpusError(
            f"track {track.track_id}: its f0 at {times[back[0] + 1]:.3f} s does not follow that at "
            f"{times[back[0]]:.3f} s; correct the annotation"
        )
    return times, hertz
