"""Scores of a chord annotation, weighted by duration (mir_eval.chord)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mirtrim.corpora.annotations.chords import ROUNDING_SECONDS
from mirtrim.tasks.chord_labels import LABELS

SCORES = ("majmin", "root", "sevenths")
# An estimate ends with the last frame that is scored, so a reference may go on for a while.
OVERHANG_SECONDS = 1.0


def chord_scores(
    reference: tuple[np.ndarray, Sequence[str]], estimate: tuple[np.ndarray, Sequence[str]]
) -> dict[str, float]:
    """mir_eval's scores of one piece, weighted by duration.

    `majmin`, `root` and `sevenths` are shares of the time that they can judge;
    `seconds_<score>` is that time. `segmentation` is mir_eval's `seg`, the smaller of
    `over_segmentation` and `under_segmentation` (1 is perfect in all three).

    Parts without annotation are not scored, just as they are not learnt: gaps of the reference are
    left out, and its part after the end of the estimate, if a recording ends long before its
    annotation.
    """
    import mir_eval  # not at the top: see `onset_scores`

    end = float(estimate[0].max()) if len(estimate[0]) else 0.0
    runs = [
        _compared(run, estimate) for run in _without_gaps(_until(reference, end + OVERHANG_SECONDS))
    ]
    scores = {}
    durations = np.concatenate([run.durations for run in runs])
    for name in SCORES:
        judge = getattr(mir_eval.chord, name)
        agreement = np.concatenate([judge(*run.labels) for run in runs])
        judged = durations * (agreement >= 0)
        total = float(judged.sum())
        scores[name] = float((judged * agreement).sum() / total) if total > 0 else 0.0
        scores[f"seconds_{name}"] = total
    scores["over_segmentation"] = _mean(runs, "over_segmentation")
    scores["under_segmentation"] = _mean(runs, "under_segmentation")
    scores["segmentation"] = min(scores["over_segmentation"], scores["under_segmentation"])
    return scores


@dataclass(frozen=True)
class _Compared:
    """A stretch of the reference without gaps, against what was estimated for it.

    `labels` are those of reference and estimate for each of `durations`.
    """

    durations: np.ndarray
    labels: tuple[list[str], list[str]]
    over_segmentation: float
    under_segmentation: float


def _compared(
    reference: tuple[np.ndarray, list[str]], estimate: tuple[np.ndarray, Sequence[str]]
) -> _Compared:
    import mir_eval

    reference_intervals, reference_labels = reference
    intervals, labels = mir_eval.util.adjust_intervals(
        *estimate, reference_intervals.min(), reference_intervals.max(), LABELS[-1], LABELS[-1]
    )
    # A segment that begins with the end of the reference is kept without any duration.
    lasting = intervals[:, 1] > intervals[:, 0]
    intervals = intervals[lasting]
    labels = [label for label, lasts in zip(labels, lasting, strict=True) if lasts]
    merged = mir_eval.util.merge_labeled_intervals(
        reference_intervals, reference_labels, intervals, labels
    )
    merge = mir_eval.chord.merge_chord_intervals
    ours, theirs = merge(reference_intervals, reference_labels), merge(intervals, labels)
    return _Compared(
        mir_eval.util.intervals_to_durations(merged[0]),
        merged[1:],
        float(mir_eval.chord.overseg(ours, theirs)),
        float(mir_eval.chord.underseg(ours, theirs)),
    )


def _until(
    reference: tuple[np.ndarray, Sequence[str]], end_seconds: float
) -> tuple[np.ndarray, list[str]]:
    """The reference up to a time; all of it if it does not reach that far."""
    intervals, labels = reference[0], list(reference[1])
    if intervals.max() <= end_seconds:
        return intervals, labels
    end_seconds -= OVERHANG_SECONDS
    kept = intervals[:, 0] < end_seconds
    if not kept.any():
        return intervals, labels
    return (
        np.minimum(intervals[kept], end_seconds),
        [label for label, keep in zip(labels, kept, strict=True) if keep],
    )


def _without_gaps(
    reference: tuple[np.ndarray, list[str]],
) -> list[tuple[np.ndarray, list[str]]]:
    """Stretches of the reference, each without a gap."""
    intervals, labels = reference
    gaps = intervals[1:, 0] - intervals[:-1, 1] > ROUNDING_SECONDS
    edges = [0, *(np.flatnonzero(gaps) + 1).tolist(), len(intervals)]
    return [(intervals[a:b], labels[a:b]) for a, b in pairwise(edges)]


def _mean(runs: Sequence[_Compared], name: str) -> float:
    """Mean over runs, weighted by duration; of one run its own value, to the bit."""
    values = [float(getattr(run, name)) for run in runs]
    if len(values) == 1:
        return values[0]
    return float(np.average(values, weights=[run.durations.sum() for run in runs]))
