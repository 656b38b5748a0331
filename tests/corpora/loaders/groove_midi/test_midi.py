"""Everything that a MIDI file says is read; whole files are read as pretty_midi reads them."""

from pathlib import Path
from types import SimpleNamespace

import mido
import numpy as np
import pretty_midi
import pytest

from mirtrim.corpora.annotations.drums import drum_onsets, read_midi
from mirtrim.corpora.rendering.drums.recording import drum_notes
from mirtrim.utils.errors import CorpusError

TICKS = 480


def file_of(path: Path, *tracks: list[tuple[int, mido.Message | mido.MetaMessage]]) -> Path:
    """A file of tracks of (absolute tick, message)."""
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    for events in tracks:
        track, before = mido.MidiTrack(), 0
        for tick, message in events:
            track.append(message.copy(time=tick - before))
            before = tick
        midi.tracks.append(track)
    midi.save(str(path))
    return path


def on(tick: int, pitch: int = 38, velocity: int = 90) -> tuple[int, mido.Message]:
    return tick, mido.Message("note_on", channel=9, note=pitch, velocity=velocity)


def off(tick: int, pitch: int = 38) -> tuple[int, mido.Message]:
    return tick, mido.Message("note_off", channel=9, note=pitch)


def tempo(tick: int, bpm: float) -> tuple[int, mido.MetaMessage]:
    return tick, mido.MetaMessage("set_tempo", tempo=round(6e7 / bpm))


def strokes(path: Path) -> list[tuple[float, str]]:
    times, labels = drum_onsets(SimpleNamespace(midi_path=str(path), track_id="t"))
    return list(zip(times.round(9).tolist(), labels, strict=True))


# At 120 beats per minute a beat of 480 ticks lasts 0.5 s.
@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([on(0), off(0)], [(0.0, "snare")]),
        ([on(480), off(480), on(960), off(960)], [(0.5, "snare"), (1.0, "snare")]),
        ([on(480), off(480), on(960), off(1000)], [(0.5, "snare"), (1.0, "snare")]),
        ([on(480), off(480), on(481), off(481)], [(0.5, "snare"), (481 / 960, "snare")]),
        ([on(480), on(480, 38, 0)], [(0.5, "snare")]),  # ended by a stroke without strength
        ([on(480, 36), on(480, 42), off(480, 36), off(480, 42)], [(0.5, "hihat"), (0.5, "kick")]),
        ([on(480), on(960)], [(0.5, "snare"), (1.0, "snare")]),  # never ended
        ([on(480), off(960), on(960), off(960)], [(0.5, "snare"), (1.0, "snare")]),
    ],
)
def test_every_stroke_counts_however_it_ends(tmp_path, events, expected):
    found = strokes(file_of(tmp_path / "a.mid", [], events))
    assert [label for _, label in found] == [label for _, label in expected]
    np.testing.assert_allclose([t for t, _ in found], [t for t, _ in expected], atol=1e-8)


def test_what_is_labelled_is_also_rendered(tmp_path):
    path = file_of(tmp_path / "a.mid", [], [on(0, 36), off(0, 36), on(480), off(480), on(960)])
    notes = drum_notes(read_midi(path))
    assert [note.pitch for note in notes] == [36, 38, 38]
    assert all(note.end_seconds > note.start_seconds for note in notes)


@pytest.mark.parametrize("place", ["first track", "later track", "track of the notes"])
def test_tempo_changes_count_wherever_they_stand(tmp_path, place):
    """At 60 beats per minute a beat lasts 1 s, from the second beat on 0.5 s."""
    changes = [tempo(0, 60), tempo(960, 120)]
    notes = [on(480), off(500), on(960), off(980), on(1440), off(1460)]
    tracks = {
        "first track": (changes, notes),
        "later track": ([], notes, changes),
        "track of the notes": ([], sorted([*changes, *notes], key=lambda event: event[0])),
    }[place]
    found = strokes(file_of(tmp_path / "a.mid", *tracks))
    np.testing.assert_allclose([time for time, _ in found], [1.0, 2.0, 2.5], atol=1e-9)


def test_whole_files_are_read_as_ever(tmp_path):
    rng = np.random.default_rng(0)
    starts = np.cumsum(rng.integers(40, 900, 200))
    notes = [event for start in starts.tolist() for event in (on(start), off(start + 30))]
    changes = [tempo(tick, float(bpm)) for tick, bpm in ((0, 97), (5000, 123.4), (20000, 88))]
    path = file_of(tmp_path / "a.mid", changes, notes)
    ours = [note.start for note in read_midi(path).instruments[0].notes]
    theirs = [note.start for note in pretty_midi.PrettyMIDI(str(path)).instruments[0].notes]
    assert ours == theirs  # the same bits
    # And what is put right keeps the times of all else.
    path = file_of(tmp_path / "b.mid", changes, [*notes, on(200_000), off(200_000)])
    repaired = [note.start for note in read_midi(path).instruments[0].notes]
    assert repaired[:-1] == theirs
    assert len(repaired) == 201


@pytest.mark.parametrize("content", [b"", b"words", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk"])
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "a.mid").write_bytes(content)
    with pytest.raises(CorpusError, match=r"a\.mid: cannot be read as MIDI"):
        read_midi(tmp_path / "a.mid")
    with pytest.raises(CorpusError, match=r"none\.mid: cannot be read as MIDI"):
        read_midi(tmp_path / "none.mid")
