"""Scores of a chord annotation, weighted by duration (mir_eval.chord)."""

from collections.abc import Sequence

import numpy as np

from mirtrim.tasks.chord_labels import LABELS

SCORES = ("majmin", "root", "sevenths")


def chord_scores(
    reference: tuple[np.ndarray, Sequence[str]], estimate: tuple[np.ndarray, Sequence[str]]
) -> dict[str, float]:
    """mir_eval's scores of one piece, weighted by duration.

    `majmin`, `root` and `sevenths` are shares of the time that they can judge;
    `seconds_<score>` is that time. `segmentation` is mir_eval's `seg`, the smaller of
    `over_segmentation` and `under_segmentation` (1 is perfect in all three).
    """
    import mir_eval  # not at the top: see `onset_scores`

    reference_intervals, reference_labels = reference[0], list(reference[1])
    intervals, labels = mir_eval.util.adjust_intervals(
        *estimate, reference_intervals.min(), reference_intervals.max(), LABELS[-1], LABELS[-1]
    )
    merged = mir_eval.util.merge_labeled_intervals(
        reference_intervals, reference_labels, intervals, labels
    )
    durations = mir_eval.util.intervals_to_durations(merged[0])
    scores = {}
    for name in SCORES:
        agreement = getattr(mir_eval.chord, name)(*merged[1:])
        judged = durations * (agreement >= 0)
        total = float(judged.sum())
        scores[name] = float((judged * agreement).sum() / total) if total > 0 else 0.0
        scores[f"seconds_{name}"] = total
    merge = mir_eval.chord.merge_chord_intervals
    ours, theirs = merge(reference_intervals, reference_labels), merge(intervals, labels)
    scores["over_segmentation"] = float(mir_eval.chord.overseg(ours, theirs))
    scores["under_segmentation"] = float(mir_eval.chord.underseg(ours, theirs))
    scores["segmentation"] = min(scores["over_segmentation"], scores["under_segmentation"])
    return scores
