"""Annotations that go on behind the end of their recording."""

import numpy as np
import pytest

from mirtrim.listening.recordings.scores import within
from mirtrim.listening.recordings.truth import ChordTruth, ClassTruth, EventTruth, PitchTruth
from mirtrim.utils.errors import CorpusError

TIMES = np.array([0.0, 0.5, 1.0, 2.5])
LABELS = ("kick", "snare", "tom", "other")
HERTZ = np.array([0.0, 220.0, 220.0, 0.0])
INTERVALS = np.array([[0.0, 1.0], [1.0, 3.0]])


def truths(factor):
    return [
        EventTruth(factor * TIMES, LABELS),
        PitchTruth(factor * TIMES, HERTZ),
        ChordTruth(factor * INTERVALS, ("C", "G")),
    ]


@pytest.mark.parametrize("truth", [*truths(1000), *truths(44100)], ids=repr)
def test_milliseconds_and_samples_are_refused_although_the_first_is_0(truth):
    with pytest.raises(CorpusError) as caught:
        within(truth, "a.wav", 3.0)
    message = str(caught.value)
    assert message.startswith("track a.wav: ")
    assert message.endswith("are the times in seconds, and of this recording?")


def test_what_lies_inside_is_kept():
    for truth in [*truths(1), ClassTruth("piano")]:
        kept = within(truth, "a.wav", 3.0)
        assert repr(kept) == repr(truth)
    none = EventTruth(np.zeros(0), ())
    assert within(none, "a.wav", 3.0).labels == ()


def test_what_lies_behind_the_end_is_no_miss():
    events, pitch, chords = truths(1)
    with pytest.warns(UserWarning, match=r"track a\.wav: 1 of 4 events lie behind the end"):
        kept = within(events, "a.wav", 1.5)
    assert (kept.times.tolist(), kept.labels) == ([0.0, 0.5, 1.0], LABELS[:3])
    assert within(pitch, "a.wav", 1.5) is pitch
    kept = within(chords, "a.wav", 2.0)
    assert (kept.intervals.tolist(), kept.labels) == ([[0, 1], [1, 2]], ("C", "G"))
    behind = ChordTruth(np.array([[0.0, 2.0], [2.0, 3.0]]), ("C", "G"))
    assert within(behind, "a.wav", 2.0).labels == ("C",)
