"""Chord labels, constant-Q frames and chord scores, with literal numbers."""

import itertools

import numpy as np
import pytest

from mirtrim.tasks.audio import at_level
from mirtrim.tasks.chord_labels import (
    LABELS,
    NO_CHORD,
    OUTSIDE,
    class_of,
    frame_classes,
    segments,
    smoothest_path,
    transposed,
)
from mirtrim.tasks.chord_scores import chord_scores
from mirtrim.tasks.constant_q import log_constant_q, shifted
from mirtrim.utils.errors import CorpusError


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("C:maj", 0),
        ("G", 7),
        ("Bb:7/b7", 10),
        ("G:maj7/1", 7),
        ("F:9", 5),
        ("C:min", 12),
        ("Eb:min7", 15),
        ("B:min6", 23),
        ("N", NO_CHORD),
        ("X", OUTSIDE),
        ("G:sus4", OUTSIDE),
        ("B:hdim7", OUTSIDE),
        ("A:aug", OUTSIDE),
        ("D:5", OUTSIDE),
    ],
)
def test_classes_of_labels(label: str, expected: int) -> None:
    assert class_of(label) == expected


def test_every_class_has_a_label_that_means_it() -> None:
    assert [class_of(label) for label in LABELS] == list(range(25))


def test_what_is_no_label_is_named() -> None:
    with pytest.raises(CorpusError, match="'D#:min7b5' is not a chord label"):
        class_of("D#:min7b5")


def test_transposing_classes_goes_round_and_keeps_the_mode() -> None:
    classes = np.array([0, 9, 23, 12, NO_CHORD, OUTSIDE])
    semitones = np.array([4, 4, 1, -1, 3, 3])
    assert transposed(classes, semitones).tolist() == [4, 1, 12, 23, NO_CHORD, OUTSIDE]


def test_shifting_fills_with_zeros() -> None:
    patches = np.array([[[1.0, 2, 3, 4]]] * 3)
    expected = [[[0, 0, 1, 2]], [[1, 2, 3, 4]], [[2, 3, 4, 0]]]
    assert shifted(patches, np.array([2, 0, -1])).tolist() == expected
    assert shifted(patches, np.zeros(3, dtype=int)).tolist() == patches.tolist()


def tone(hz: float, seconds: float = 2.0) -> np.ndarray:
    time = np.arange(round(16_000 * seconds)) / 16_000
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def constant_q(samples: np.ndarray) -> np.ndarray:
    return log_constant_q(samples, 16_000, 1024, 55.0, 105, 24, 100.0)


def test_a_tone_stands_in_the_bin_of_its_frequency() -> None:
    frames = constant_q(tone(440.0))  # three octaves above 55 Hz
    assert frames.shape == (1 + 32_000 // 1024, 105)
    assert frames.dtype == np.float32
    assert (frames[5:-5].argmax(axis=1) == 72).all()
    assert constant_q(np.zeros(32_000, dtype=np.float32)).max() == 0.0


def test_shifting_bins_is_transposing_the_sound() -> None:
    low, high = (constant_q(tone(hz))[None, 10:20] for hz in (220.0, 220.0 * 2 ** (3 / 12)))
    # The partial itself; below −40 dB of it the filters of the octaves differ.
    around = slice(52, 58)
    np.testing.assert_allclose(
        shifted(low, np.array([6]))[..., around], high[..., around], atol=0.2
    )
    assert np.abs(low - high)[..., around].max() > 3


def test_levels_are_evened_out_and_silence_is_not_amplified() -> None:
    loud = tone(220.0)
    np.testing.assert_allclose(at_level(loud), at_level(0.02 * loud), rtol=1e-4, atol=1e-6)
    assert np.sqrt(np.mean(at_level(loud) ** 2)) == pytest.approx(0.1, rel=1e-4)
    assert np.abs(at_level(1e-4 * loud)).max() == pytest.approx(100 * 3e-5, rel=1e-3)
    assert not at_level(np.zeros(10, dtype=np.float32)).any()


def test_frames_take_the_chord_that_sounds_then() -> None:
    intervals = np.array([[0.5, 1.0], [1.0, 2.0], [2.5, 3.0]])
    times = np.array([0.0, 0.5, 0.999, 1.0, 2.2, 2.5, 3.0])
    classes = frame_classes(intervals, ["C:maj", "A:min7", "N"], times)
    assert classes.tolist() == [OUTSIDE, 0, 0, 21, OUTSIDE, NO_CHORD, OUTSIDE]


def test_a_short_doubt_is_smoothed_away() -> None:
    # Leaving and coming back costs 2 changes and gains 1.0 nat.
    likely, unlikely = np.log(0.7), np.log(0.7) - 1.0
    rows = [[likely, unlikely], [unlikely, likely], [likely, unlikely]]
    assert smoothest_path(np.array(rows), 0.0).tolist() == [0, 1, 0]
    assert smoothest_path(np.array(rows), 0.49).tolist() == [0, 1, 0]
    assert smoothest_path(np.array(rows), 0.51).tolist() == [0, 0, 0]


@pytest.mark.parametrize("seed", range(8))
def test_the_smoothest_path_is_the_best_of_all_paths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_probability = np.log(rng.dirichlet(np.ones(3), size=6))
    penalty = float(rng.uniform(0, 2))

    def total(path: tuple[int, ...]) -> float:
        changes = sum(a != b for a, b in itertools.pairwise(path))
        return float(log_probability[np.arange(6), path].sum()) - penalty * changes

    best = max(itertools.product(range(3), repeat=6), key=total)
    assert tuple(smoothest_path(log_probability, penalty)) == best


def test_boundaries_lie_midway_between_frames() -> None:
    intervals, labels = segments(np.array([24, 24, 0, 0, 0, 21]), 0.2)
    assert labels == ["N", "C:maj", "A:min"]
    np.testing.assert_allclose(intervals, [[0, 0.3], [0.3, 0.9], [0.9, 1.1]])


def test_scores_of_a_piece_by_hand() -> None:
    reference = (np.array([[0.0, 2], [2, 4], [4, 5], [5, 6]]), ["C:maj7", "A:min", "G:sus4", "N"])
    estimate = (np.array([[0.0, 3], [3, 5]]), ["C:maj", "A:maj"])
    scores = chord_scores(reference, estimate)
    # Judged by majmin: 0 to 4 s and 5 to 6 s. Right: C for 2 s, and N, which fills the end.
    assert scores["majmin"] == pytest.approx(3 / 5)
    assert scores["seconds_majmin"] == 5
    # Roots: C for 2 s, A from 3 to 4 s, N at the end; G is missed.
    assert scores["root"] == pytest.approx(4 / 6)
    # Of the sevenths, C:maj7 and A:min are missed and G:sus4 is not judged.
    assert scores["sevenths"] == pytest.approx(1 / 5)
    # 0–3 holds 1 s of the second chord, 3–5 holds 1 s of either: 2 of 6 s are lost. Seen from
    # the reference only 2–4 is cut, by 1 s.
    assert scores["under_segmentation"] == pytest.approx(4 / 6)
    assert scores["over_segmentation"] == pytest.approx(5 / 6)
    assert scores["segmentation"] == pytest.approx(4 / 6)
