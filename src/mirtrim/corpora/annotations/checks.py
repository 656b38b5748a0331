"""Whether times of an annotation can be those of a recording."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from mirtrim.utils.errors import CorpusError

# Events may ring out behind the end of a recording, and files are cut by hand.
OVERHANG_SECONDS = 0.5
BLANK_BYTES = 100


def unreadable(track: Any, what: str, error: Exception) -> CorpusError:
    """The error for an annotation that a parser fails on; names the file if it is empty."""
    for name, value in vars(track).items():
        if name.endswith("_path") and isinstance(value, str) and _is_blank(Path(value)):
            return CorpusError(
                f"track {track.track_id}: {value} is empty; fetch or write the annotation again, "
                "or leave the track out"
            )
    return CorpusError(
        f"track {track.track_id}: its {what} cannot be read "
        f"({' '.join(str(error).split()) or type(error).__name__}); "
        "fetch or generate the annotation again"
    )


def _is_blank(path: Path) -> bool:
    try:
        return path.stat().st_size < BLANK_BYTES and not path.read_bytes().strip()
    except OSError:
        return False


def check_times(track: Any, times: np.ndarray, what: str) -> None:
    """Raise a `CorpusError` that names the first of `times` that is no time in seconds.

    Args:
        what: one of the things that happen at these times, for the message.
    """
    wrong = np.flatnonzero(~np.isfinite(times) | (times < 0))
    if len(wrong):
        raise CorpusError(
            f"track {track.track_id}: {what} {int(wrong[0]) + 1} is at {times[wrong[0]]:g} s; "
            "correct the annotation"
        )


def inside(track: Any, times: np.ndarray, what: str, duration_seconds: float) -> np.ndarray:
    """Which of `times` can be those of a recording, (times,); a warning names the others.

    Raises:
        CorpusError: none is, as of times in milliseconds.
    """
    late = times > duration_seconds + OVERHANG_SECONDS
    if late.any():
        message = (
            f"track {track.track_id}: {int(late.sum())} of {len(times)} {what} lie behind the end "
            f"of its recording, the last at {times.max():.3f} s of {duration_seconds:.3f} s"
        )
        if late.all():
            raise CorpusError(f"{message}; are the times in seconds, and of this recording?")
        warnings.warn(f"{message}; they are left out", stacklevel=2)
    kept: np.ndarray = ~late
    return kept


def check_mostly_inside(
    track: Any, intervals: np.ndarray, what: str, duration_seconds: float
) -> None:
    """Raise a `CorpusError` if less than half of the annotated time is that of the recording.

    Args:
        intervals: beginnings and ends in seconds, (segments, 2).
    """
    share = np.diff(np.minimum(intervals, duration_seconds)).sum()
    if share < np.diff(intervals).sum() / 2:
        raise CorpusError(
            f"track {track.track_id}: its annotation of {what} goes on to "
            f"{intervals.max():.3f} s, but its recording ends after {duration_seconds:.3f} s; are "
            "the times in seconds, and of this recording?"
        )
