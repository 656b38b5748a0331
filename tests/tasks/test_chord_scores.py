"""Chord scores by hand, and to the bit those of mir_eval where a reference has no gaps."""

import mir_eval
import numpy as np
import pytest

from mirtrim.tasks.chord_labels import LABELS
from mirtrim.tasks.chord_scores import chord_scores


def of(*segments: tuple[float, float, str]) -> tuple[np.ndarray, list[str]]:
    return np.array([s[:2] for s in segments], dtype=float), [s[2] for s in segments]


def test_gaps_are_not_judged():
    """1 of the 2 annotated seconds is right."""
    reference = of((0, 1, "C"), (9, 10, "C"))
    scores = chord_scores(reference, of((0, 1, "C:maj"), (1, 10, "G:maj")))
    assert scores["majmin"] == scores["root"] == pytest.approx(0.5)
    assert scores["seconds_majmin"] == pytest.approx(2.0)
    # Each stretch is one segment in both.
    assert scores["segmentation"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("reference", "estimate", "majmin", "seconds"),
    [
        # What is estimated in a gap does not count, nor where the gap lies within a segment.
        ([(0, 2, "C"), (5, 8, "A:min")], [(0, 3, "C"), (3, 8, "A:min")], 1.0, 5),
        ([(0, 2, "C"), (5, 8, "A:min")], [(0, 6, "C"), (6, 8, "A:min")], 0.8, 5),
        ([(2, 4, "N"), (6, 8, "D")], [(0, 3, "N"), (3, 9, "D")], 0.75, 4),
        # Chords that majmin does not know are not judged either.
        ([(0, 2, "C:dim"), (5, 8, "E")], [(0, 5, "C"), (5, 8, "E")], 1.0, 3),
        # An annotation that goes on behind the recording.
        ([(0, 200, "C"), (200, 300, "G")], [(0, 200, "C"), (200, 244, "G")], 1.0, 244),
        ([(0, 200, "C"), (250, 300, "G")], [(0, 244, "C")], 1.0, 200),
        ([(0, 100, "C"), (100, 300, "G")], [(0, 100, "C"), (100, 244, "A")], 100 / 244, 244),
    ],
)
def test_scores_by_hand(reference, estimate, majmin, seconds):
    scores = chord_scores(of(*reference), of(*estimate))
    assert scores["majmin"] == pytest.approx(majmin)
    assert scores["seconds_majmin"] == pytest.approx(seconds)


def test_half_a_second_counts_as_much_as_a_song():
    scores = chord_scores(of((0, 0.5, "C")), of((0, 0.25, "C"), (0.25, 0.5, "G")))
    assert scores["majmin"] == pytest.approx(0.5)
    assert scores["seconds_majmin"] == pytest.approx(0.5)


def test_an_annotation_that_lies_wholly_behind_the_recording_scores_nothing():
    scores = chord_scores(of((50, 60, "C")), of((0, 10, "C")))
    assert (scores["majmin"], scores["seconds_majmin"]) == (0.0, 10.0)


def plain(reference, estimate):
    """mir_eval, with nothing put right."""
    intervals, labels = mir_eval.util.adjust_intervals(
        *estimate, reference[0].min(), reference[0].max(), "N", "N"
    )
    merged = mir_eval.util.merge_labeled_intervals(*reference, intervals, labels)
    durations = mir_eval.util.intervals_to_durations(merged[0])
    agreement = mir_eval.chord.majmin(*merged[1:])
    judged = durations * (agreement >= 0)
    merge = mir_eval.chord.merge_chord_intervals
    pair = merge(*reference), merge(intervals, labels)
    return (
        float((judged * agreement).sum() / judged.sum()),
        float(mir_eval.chord.overseg(*pair)),
        float(mir_eval.chord.underseg(*pair)),
    )


@pytest.mark.parametrize("seed", range(20))
def test_without_gaps_they_are_those_of_mir_eval_to_the_bit(seed):
    rng = np.random.default_rng(seed)

    def drawn(count: int, end: float) -> tuple[np.ndarray, list[str]]:
        edges = np.sort(np.append(rng.uniform(0, end, count - 1), [0, end]))
        return np.stack([edges[:-1], edges[1:]], 1), [
            LABELS[index] for index in rng.integers(len(LABELS), size=count)
        ]

    # An end that is read as time plus duration may miss the next beginning by a rounding.
    reference = drawn(12, 16.0)
    reference[0][:-1, 1] += rng.uniform(-1e-9, 0, 11)
    estimate = drawn(9, 16.0 - rng.uniform(0, 0.2))
    scores = chord_scores(reference, estimate)
    found = tuple(scores[n] for n in ("majmin", "over_segmentation", "under_segmentation"))
    assert found == plain(reference, estimate)
