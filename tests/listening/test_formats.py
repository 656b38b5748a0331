"""Files that other programs read: values, and their readers' own opinion."""

import json
from dataclasses import replace

import mir_eval
import numpy as np
import pretty_midi
import pytest

from mirtrim.listening.decoding import hearing_of
from mirtrim.listening.formats import ENDINGS, notes_of, write_heard
from mirtrim.listening.results import Chords, Events, PitchCurve, Tags
from mirtrim.tasks.registry import get_task
from mirtrim.utils.errors import ConfigError

DRUMS = Events(
    duration_seconds=2.5,
    times_seconds=np.array([0.0, 0.5, 0.53, 1.23456]),
    labels=np.array(["kick", "snare", "snare", "hihat"]),
    confidence=np.array([0.5, 0.75, 1.0, 0.25]),
    detectors=("kick", "snare", "hihat"),
)
NOTHING = {
    "times_seconds": np.zeros(0), "labels": np.zeros(0, dtype=str), "confidence": np.zeros(0),
}  # fmt: skip
PITCH = PitchCurve(
    duration_seconds=0.2,
    notes=("a note",),
    times_seconds=np.array([0.0, 0.1, 0.2]),
    frequency_hz=np.array([440.0, 100.0, 55.5]),
    confidence=np.array([0.75, 0.05, 0.5]),
    voiced=np.array([True, False, True]),
)
CHORDS = Chords(
    duration_seconds=3.0,
    intervals=np.array([[0, 1.5], [1.5, 2.25], [2.25, 3]]),
    labels=("C#:maj", "N", "Bb:min"),
)
TAGS = Tags(
    duration_seconds=4.0, classes=("flute", "piano"), probabilities=np.array([0.8125, 0.1875])
)
ONSETS = replace(DRUMS, labels=np.full(4, "onset"), detectors=("onset",))
EMPTY = replace(ONSETS, duration_seconds=1.0, **NOTHING)


def written(heard, path, form):
    write_heard(heard, path, form, "song", "mirtrim")
    return path


def test_which_formats_there_are():
    assert hearing_of(get_task("drums")).formats == ("midi", "csv", "jams")
    assert hearing_of(get_task("drums_five")).formats[0] == "midi"
    assert hearing_of(get_task("onset")).formats == ("csv", "jams")
    assert hearing_of(get_task("pitch")).formats == ("csv", "midi", "jams")
    assert hearing_of(get_task("chord")).formats == ("lab", "jams")
    assert hearing_of(get_task("genre")).formats == ("csv", "jams")
    with pytest.raises(ConfigError, match="cannot be listened with"):
        hearing_of(object.__new__(type("Odd", (), {"name": "odd", "hearing": None})))


def test_midi(tmp_path):
    path = written(DRUMS, tmp_path / "a.mid", "midi")
    (drums,) = pretty_midi.PrettyMIDI(str(path)).instruments
    assert drums.is_drum
    notes = sorted((note.start, note.pitch, note.end) for note in drums.notes)
    assert [pitch for _, pitch, _ in notes] == [36, 38, 38, 42]
    np.testing.assert_allclose([note[0] for note in notes], [0, 0.5, 0.53, 1.23456], atol=5e-4)
    assert notes[1][2] <= notes[2][0] + 1e-9
    # Status byte of a note on channel 10 (counted from 1).
    assert b"\x99" in path.read_bytes()


def test_an_empty_midi_file(tmp_path):
    empty = replace(DRUMS, duration_seconds=1.0, **NOTHING)
    path = written(empty, tmp_path / "a.mid", "midi")
    assert sum(len(part.notes) for part in pretty_midi.PrettyMIDI(str(path)).instruments) == 0


def test_csv(tmp_path):
    assert written(DRUMS, tmp_path / "a.csv", "csv").read_text() == (
        "# time_seconds,label\n0.0000,kick\n0.5000,snare\n0.5300,snare\n1.2346,hihat\n"
    )
    assert written(ONSETS, tmp_path / "a.csv", "csv").read_text() == (
        "# time_seconds\n0.0000\n0.5000\n0.5300\n1.2346\n"
    )
    assert written(PITCH, tmp_path / "a.csv", "csv").read_text() == (
        "# time_seconds,frequency_hz\n0.0000,440.0000\n0.1000,0.0000\n0.2000,55.5000\n"
    )
    assert written(TAGS, tmp_path / "a.csv", "csv").read_text() == (
        "# class,probability\nflute,0.8125\npiano,0.1875\n"
    )
    unsure = replace(TAGS, sure=False)
    assert written(unsure, tmp_path / "a.csv", "csv").read_text() == (
        "# unsure\n# class,probability\nflute,0.8125\npiano,0.1875\n"
    )
    assert written(EMPTY, tmp_path / "a.csv", "csv").read_text() == "# time_seconds\n"


@pytest.mark.filterwarnings("error")
def test_mir_eval_reads_csv(tmp_path):
    onsets = mir_eval.io.load_events(str(written(ONSETS, tmp_path / "a.csv", "csv")))
    np.testing.assert_allclose(onsets, [0.0, 0.5, 0.53, 1.2346])
    assert len(mir_eval.io.load_events(str(written(EMPTY, tmp_path / "a.csv", "csv")))) == 0
    times, labels = mir_eval.io.load_labeled_events(
        str(written(DRUMS, tmp_path / "a.csv", "csv")), delimiter=","
    )
    np.testing.assert_allclose(times, [0.0, 0.5, 0.53, 1.2346])
    assert labels == ["kick", "snare", "snare", "hihat"]
    times, hertz = mir_eval.io.load_time_series(
        str(written(PITCH, tmp_path / "a.csv", "csv")), delimiter=","
    )
    np.testing.assert_allclose(times, [0, 0.1, 0.2])
    np.testing.assert_allclose(hertz, [440, 0, 55.5])


def curve(*runs, hop=0.01):
    """A pitch curve of (frames, Hz) runs, 0 Hz for silence."""
    hertz = np.concatenate([np.full(frames, float(value)) for frames, value in runs])
    return PitchCurve(
        duration_seconds=(len(hertz) - 1) * hop,
        times_seconds=np.arange(len(hertz)) * hop,
        frequency_hz=np.maximum(hertz, 100.0),
        confidence=np.ones(len(hertz)),
        voiced=hertz > 0,
    )


@pytest.mark.parametrize(
    ("runs", "notes"),
    [
        ([(21, 440)], [(69, 0.0, 0.2)]),
        ([(10, 0), (20, 445), (10, 0)], [(69, 0.095, 0.295)]),
        # A slide goes to the note before it, a slip in silence is no note.
        ([(20, 220), (3, 233), (20, 247)], [(57, 0.0, 0.225), (59, 0.225, 0.42)]),
        ([(20, 220), (4, 0), (2, 880), (4, 0), (20, 220)], [(57, 0, 0.195), (57, 0.295, 0.49)]),
        ([(20, 220), (2, 233), (20, 220)], [(57, 0.0, 0.41)]),
        ([(30, 0)], []),
        ([(1, 440)], []),
    ],
)
def test_the_notes_of_a_melody(runs, notes):
    found = notes_of(curve(*runs))
    assert [number for number, *_ in found] == [number for number, *_ in notes]
    np.testing.assert_allclose(
        [times for _, *times in found] or [], [times for _, *times in notes] or [], atol=1e-9
    )


def test_pitch_as_midi(tmp_path):
    path = written(curve((30, 261.63), (10, 0), (40, 392.0)), tmp_path / "a.mid", "midi")
    (melody,) = pretty_midi.PrettyMIDI(str(path)).instruments
    assert not melody.is_drum
    assert [note.pitch for note in melody.notes] == [60, 67]
    np.testing.assert_allclose(melody.notes[1].start, 0.395, atol=5e-4)


def test_lab(tmp_path):
    path = written(CHORDS, tmp_path / "a.lab", "lab")
    assert path.read_text().splitlines()[0] == "0.0000\t1.5000\tC#:maj"
    intervals, labels = mir_eval.io.load_labeled_intervals(str(path))
    np.testing.assert_array_equal(intervals, CHORDS.intervals)
    assert labels == list(CHORDS.labels)


@pytest.mark.parametrize(
    ("heard", "namespaces"),
    [
        (DRUMS, ["onset"] * 3),
        (EMPTY, ["onset"]),
        (PITCH, ["pitch_contour"]),
        (CHORDS, ["chord"]),
        (TAGS, ["tag_open"]),
    ],
)
def test_jams_is_valid(tmp_path, heard, namespaces):
    jams = pytest.importorskip("jams", reason="the jams package is not installed")
    path = written(heard, tmp_path / "a.jams", "jams")
    read = jams.load(str(path), validate=True, strict=True)
    assert [annotation.namespace for annotation in read.annotations] == namespaces
    assert read.file_metadata.duration == heard.duration_seconds
    assert all(a.duration == heard.duration_seconds for a in read.annotations)


def test_jams_values(tmp_path):
    def document(heard):
        return json.loads(written(heard, tmp_path / "a.jams", "jams").read_text())

    snare = document(DRUMS)["annotations"][1]
    assert snare["sandbox"] == {"detector": "snare"}
    assert [event["time"] for event in snare["data"]] == [0.5, 0.53]
    assert [event["confidence"] for event in snare["data"]] == [0.75, 1.0]
    pitch = document(PITCH)
    assert pitch["sandbox"] == {"notes": ["a note"]}
    assert pitch["annotations"][0]["data"]["value"][1] == {
        "index": 0, "frequency": 100.0, "voiced": False,
    }  # fmt: skip
    assert document(CHORDS)["annotations"][0]["data"][1] == {
        "time": 1.5, "duration": 0.75, "value": "N", "confidence": None,
    }  # fmt: skip
    assert document(TAGS)["annotations"][0]["data"][0] == {
        "time": 0.0, "duration": 4.0, "value": "flute", "confidence": 0.8125,
    }  # fmt: skip
    odd = write_heard(TAGS, tmp_path / "odd.jams", "jams", "t\udce9n", "mirtrim")
    assert odd is None
    assert json.loads((tmp_path / "odd.jams").read_text())["file_metadata"]["title"] == "t?n"
    metadata = document(TAGS)["annotations"][0]["annotation_metadata"]
    assert metadata["annotation_tools"] == "mirtrim"


def test_summaries():
    assert DRUMS.summary == "1 kick, 2 snares, 1 hihat"
    assert EMPTY.summary == "0 onsets"
    assert PITCH.summary == "67% of 3 frames voiced, median 247.8 Hz"
    assert CHORDS.summary == "3 segments, 3 different chords"
    assert TAGS.summary == "flute (81%)"
    assert replace(TAGS, sure=False).summary == "unsure, perhaps flute (81%)"


def test_endings_are_of_one_format_each():
    assert len(set(ENDINGS.values())) == len(ENDINGS)
