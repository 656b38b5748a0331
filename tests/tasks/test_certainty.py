"""Calibration: numbers worked out by hand, and what each kind of task states."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.tasks.certainty import (
    NO_CLASS,
    Statements,
    reliability,
    reliability_of_equal_mass,
    statements,
    worst_class,
)
from mirtrim.tasks.registry import TASKS, get_task
from mirtrim.tasks.store import FeatureStore


def said(probability: list[float], true: list[int], classes: list[str] | None = None) -> Statements:
    names = classes or [NO_CLASS] * len(true)
    return Statements(np.array(probability), np.array(true, dtype=bool), np.array(names))


def test_the_expected_calibration_error_by_hand() -> None:
    """Two bins of width ½: (0.1, 0.3 | one of two true) and (0.6, 0.8, 1.0 | one of three true).

    |0.5 − 0.2| · 2/5 + |1/3 − 0.8| · 3/5 = 0.12 + 0.28 = 0.40.
    """
    found = reliability(said([0.1, 0.3, 0.6, 0.8, 1.0], [0, 1, 0, 0, 1]), bins=2)
    assert found.counts.tolist() == [2, 3]
    assert found.probability == pytest.approx([0.2, 0.8])
    assert found.share == pytest.approx([0.5, 1 / 3])
    assert found.calibration_error == pytest.approx(0.40)


def test_bins_are_closed_above_and_zero_is_in_the_first() -> None:
    found = reliability(said([0.0, 0.5, 0.50001, 1.0], [1, 1, 0, 0]), bins=2)
    assert found.counts.tolist() == [2, 2]
    assert found.share.tolist() == [1.0, 0.0]


def test_fifteen_bins_and_empty_ones_are_left_out() -> None:
    """0.95 is in the last of 15 bins (above 14/15), 0.92 in the one before.

    Together they would have no error: mean 0.935, and all but 0.065 true of none.
    """
    found = reliability(said([0.95, 0.92], [1, 0]))
    assert found.counts.tolist() == [1, 1]
    assert found.calibration_error == pytest.approx((0.05 + 0.92) / 2)


def test_equal_mass_by_hand() -> None:
    """Halves of 0.9, 0.6, 0.8, 0.7: (0.6, 0.7 | none true), (0.8, 0.9 | both true).

    0.65 · ½ + 0.15 · ½ = 0.40; with equal width all would be in one bin: |0.5 − 0.75| = 0.25.
    """
    four = said([0.9, 0.6, 0.8, 0.7], [1, 0, 1, 0])
    assert reliability_of_equal_mass(four, bins=2).calibration_error == pytest.approx(0.40)
    assert reliability(four, bins=2).calibration_error == pytest.approx(0.25)


def test_a_network_that_is_as_sure_as_it_is_right_has_no_error() -> None:
    sure = said([0.75] * 4 + [0.2] * 5, [1, 1, 1, 0, 1, 0, 0, 0, 0])
    assert reliability(sure).calibration_error == pytest.approx(0)


def test_the_worst_class_needs_enough_statements() -> None:
    names = ["a"] * 4 + ["b"] * 4 + ["c"] + [NO_CLASS] * 4
    one = said([0.5] * 13, [1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0], names)
    assert worst_class(one, at_least=2) == ("b", 0.5)
    assert worst_class(one, at_least=1) == ("c", 0.0)
    name, share = worst_class(one, at_least=5)
    assert name == "-"
    assert np.isnan(share)


def test_twenty_statements_are_enough_to_be_the_worst_class() -> None:
    few, enough = ["few"] * 19, ["enough"] * 20
    found = said([0.5] * 39, [0] * 19 + [1] * 5 + [0] * 15, [*few, *enough])
    assert worst_class(found) == ("enough", 0.25)
    assert worst_class(said([0.5] * 19, [0] * 19, few))[0] == "-"


def test_statements_must_agree_in_number() -> None:
    with pytest.raises(ValueError, match="one shape"):
        Statements(np.zeros(2), np.zeros(3, dtype=bool), np.array(["", ""]))
    with pytest.raises(ValueError, match="one shape"):
        said([], [])


def test_every_task_states_something() -> None:
    for name in TASKS:
        assert statements.dispatch(type(get_task(name))) is not statements.dispatch(object)


class Store(SimpleNamespace):
    """What `statements` looks at of a feature store."""

    rows = FeatureStore.rows


def store(counts: list[int], **arrays: Any) -> Any:
    firsts = np.cumsum([0, *counts[:-1]])
    tracks = pd.DataFrame({"first": firsts, "count": counts}, index=["one", "two"][: len(counts)])
    return Store(tracks=tracks, arrays={name: torch.as_tensor(a) for name, a in arrays.items()})


def test_an_instrument_is_named_once_per_track() -> None:
    """Mean probabilities (0.7, 0.3) and (0.4, 0.6): flute, rightly, and piano, wrongly."""
    tracks = store([1, 1])
    tracks.reference = pd.DataFrame({"track_id": ["one", "two"], "label": ["flute", "flute"]})
    predictions = {
        "one": np.array([[0.9, 0.1], [0.5, 0.5]]),
        "two": np.array([[0.4, 0.6]]),
    }
    features = {"classes": ["flute", "piano"]}
    found = statements(get_task("instrument"), predictions, tracks, features)
    assert found.probability == pytest.approx([0.7, 0.6])
    assert found.true.tolist() == [True, False]
    assert found.classes.tolist() == ["flute", "flute"]


def test_chords_of_no_class_are_left_out() -> None:
    """Windows of three rows; the class of a frame stands in the middle one."""
    targets = np.array([-1, 0, 12, -1, -1], dtype=np.int8)  # C:maj, C:min, outside
    probability = np.full((3, 25), 0.01)
    probability[0, 0], probability[1, 0], probability[2, 5] = 0.76, 0.76, 0.76
    found = statements(
        get_task("chord"),
        {"one": np.log(probability)},
        store([5], targets=targets),
        {"window_frames": 3, "score_every_frames": 1},
    )
    assert found.probability == pytest.approx([0.76, 0.76])
    assert found.true.tolist() == [True, False]
    assert found.classes.tolist() == ["C:maj", "C:min"]


def test_a_pitch_is_right_within_a_quarter_tone_and_never_in_silence() -> None:
    """A quarter tone up is 440 · 2^(50/1200) = 452.9 Hz."""
    f0_hz = np.array([440, 440, 440, 0, 110], dtype=np.float32)  # the last begins no whole frame
    estimate = np.array([[440, 452, 454, 300], [0.9, 0.8, 0.7, 0.1]])
    features = {"frame_samples": 128, "hop": 64, "score_every_frames": 1}
    found = statements(get_task("pitch"), {"one": estimate}, store([5], f0_hz=f0_hz), features)
    assert found.probability.tolist() == [0.9, 0.8, 0.7, 0.1]
    assert found.true.tolist() == [True, True, False, False]
    assert found.classes.tolist() == ["octave 4"] * 3 + [NO_CLASS]


def test_frames_and_detectors_of_a_transcription_are_statements() -> None:
    targets = np.array([[0, 1], [1, 0], [0, 0]], dtype=np.uint8)  # of the second track the last
    predictions = {"two": np.array([[0.1], [0.4]]), "one": np.array([[0.2, 0.9], [0.8, 0.3]])}
    found = statements(get_task("drums"), predictions, store([2, 1], targets=targets), {})
    assert found.probability == pytest.approx([0.1, 0.4, 0.2, 0.8, 0.9, 0.3])
    assert found.true.tolist() == [False, False, False, True, True, False]
    assert set(found.classes) == {NO_CLASS}
