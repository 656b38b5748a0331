"""The 25 chord classes: reading labels into them, smoothing them, writing segments.

Classes 0 to 11 are the major chords from C upwards, 12 to 23 the minor ones, 24 is no chord.
Labels follow Harte et al. (ISMIR 2005); the reduction is that of mir_eval's `majmin`.
"""

from collections.abc import Sequence

import numpy as np

from mirtrim.corpora.rendering.chords.harmony import PITCH_NAMES
from mirtrim.utils.errors import CorpusError

CLASSES = 25
NO_CHORD = 24
# Neither major nor minor (suspended, diminished …): not learnt, and ignored by the score.
OUTSIDE = -1
MAJOR = np.array([1, 0, 0, 0, 1, 0, 0, 1])
MINOR = np.array([1, 0, 0, 1, 0, 0, 0, 1])
LABELS = (*(f"{name}:maj" for name in PITCH_NAMES), *(f"{name}:min" for name in PITCH_NAMES), "N")


def class_of(label: str) -> int:
    """Class of a label, or `OUTSIDE`; an invalid label raises a `CorpusError`."""
    import mir_eval  # not at the top: see `onset_scores`

    try:
        root, tones, _ = mir_eval.chord.encode(label)
    except mir_eval.chord.InvalidChordException as error:
        raise CorpusError(
            f"{label!r} is not a chord label in Harte's notation; correct the annotation"
        ) from error
    # mir_eval compares the third and the fifth, and nothing above them.
    if root >= 0 and np.array_equal(tones[:8], MAJOR):
        return int(root)
    if root >= 0 and np.array_equal(tones[:8], MINOR):
        return 12 + int(root)
    return NO_CHORD if root < 0 and not np.any(tones) else OUTSIDE


def transposed(classes: np.ndarray, semitones: np.ndarray) -> np.ndarray:
    """Classes of the same chords `semitones` higher; no chord and `OUTSIDE` stay."""
    moved = (classes % 12 + semitones) % 12 + 12 * (classes // 12)
    chord = (classes >= 0) & (classes < NO_CHORD)
    return np.where(chord, moved, classes)


def frame_classes(intervals: np.ndarray, labels: Sequence[str], times: np.ndarray) -> np.ndarray:
    """Class at each of `times`, (times,) int64; `OUTSIDE` where nothing is annotated.

    Args:
        intervals: beginnings and ends in seconds, rising, (segments, 2); an end is outside.
    """
    known = {label: class_of(label) for label in dict.fromkeys(labels)}
    codes = np.array([known[label] for label in labels], dtype=np.int64)
    segment = np.searchsorted(intervals[:, 0], times, side="right") - 1
    inside = (segment >= 0) & (times < intervals[np.maximum(segment, 0), 1])
    return np.where(inside, codes[np.maximum(segment, 0)], OUTSIDE)


def smoothest_path(log_probability: np.ndarray, change_penalty: float) -> np.ndarray:
    """Most probable sequence of classes when every change costs `change_penalty` nats.

    Viterbi decoding with the same cost for all changes; 0 gives the best class of each frame.

    Args:
        log_probability: (frames, classes).

    Returns:
        (frames,) int64.
    """
    frames, classes = log_probability.shape
    score = log_probability[0].astype(np.float64)
    before = np.zeros((frames, classes), dtype=np.int64)
    for frame in range(1, frames):
        best = int(score.argmax())
        stays = score >= score[best] - change_penalty
        before[frame] = np.where(stays, np.arange(classes), best)
        score = np.where(stays, score, score[best] - change_penalty) + log_probability[frame]
    path = np.zeros(frames, dtype=np.int64)
    path[-1] = score.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = before[frame, path[frame]]
    return path


def segments(path: np.ndarray, step_seconds: float) -> tuple[np.ndarray, list[str]]:
    """Intervals in seconds, (segments, 2), and labels of a path whose frames are
    `step_seconds` apart, the first centred on 0. A boundary lies midway between two frames.
    """
    starts = np.flatnonzero(np.diff(path, prepend=-2))
    edges = np.append(starts, len(path)) - 0.5
    edges[0] = 0.0
    intervals = step_seconds * np.stack([edges[:-1], edges[1:]], axis=1)
    return intervals, [LABELS[path[start]] for start in starts]
