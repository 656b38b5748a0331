"""Rendering performances that exist as MIDI."""

from pathlib import Path

import numpy as np
import pretty_midi
import pytest
import soundfile

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.drums import drum_onsets
from mirtrim.corpora.annotations.groove_info import read_info
from mirtrim.corpora.loaders.groove_midi import open_groove, split_table
from mirtrim.corpora.rendering.drums.performances import render_performances
from mirtrim.corpora.validation import validate
from mirtrim.utils.errors import CorpusError

TRACK = "drummer1/session1/1"


@pytest.fixture
def midi_home(corpus: Path) -> Path:
    """A folder like the published one: MIDI, info.csv and an index, but no audio."""
    for path in corpus.rglob("*.flac"):
        path.unlink()
    (corpus / "plan.json").unlink()
    return corpus


def midi_path(home: Path) -> Path:
    return home / read_info(home / "info.csv")[TRACK].midi_filename


def test_rendered_performances_are_a_corpus(midi_home: Path, tmp_path: Path):
    out = tmp_path / "out"
    render_performances(midi_home, out, 0, workers=2)
    dataset = open_groove(out)
    assert dataset.name == "groove_midi"
    validate(dataset, out)
    assert {(r.track_id, r.split) for r in split_table(dataset)} == {
        (r.track_id, r.split) for r in split_table(open_groove(midi_home))
    }
    track = dataset.track(TRACK)
    assert Path(track.midi_path).read_bytes() == midi_path(midi_home).read_bytes()
    info = soundfile.info(track.audio_path)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert info.duration == pytest.approx(track.midi.get_end_time() + 0.5, abs=0.001)


def test_rendering_is_repeatable_and_chosen_tracks_are_the_same(midi_home: Path, tmp_path: Path):
    render_performances(midi_home, tmp_path / "a", 0)
    render_performances(midi_home, tmp_path / "b", 0, [TRACK])
    name = read_info(tmp_path / "b" / "info.csv")[TRACK].audio_filename
    assert open_groove(tmp_path / "b").track_ids == [TRACK]
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_short_performances_are_left_out(midi_home: Path, tmp_path: Path):
    info = midi_home / "info.csv"
    info.write_text(info.read_text().replace(".flac,4.0,test", ".flac,3.0,test"))
    render_performances(midi_home, tmp_path / "out", 0, minimum_seconds=3.5)
    assert {row.split for row in split_table(open_groove(tmp_path / "out"))} == {
        "train",
        "validation",
    }
    with pytest.raises(CorpusError, match="no performance lasts 9"):
        render_performances(midi_home, tmp_path / "none", 0, minimum_seconds=9)


def test_an_unknown_performance_is_named(midi_home: Path, tmp_path: Path):
    with pytest.raises(CorpusError, match="no performance drummer9/x/1"):
        render_performances(midi_home, tmp_path / "out", 0, [TRACK, "drummer9/x/1"])


def test_a_missing_file_is_named(midi_home: Path, tmp_path: Path):
    midi_path(midi_home).unlink()
    with pytest.raises(CorpusError, match=f"1 of 7 MIDI files missing .{TRACK}"):
        render_performances(midi_home, tmp_path / "out", 0)


def test_a_changed_file_is_named(midi_home: Path, tmp_path: Path):
    path = midi_path(midi_home)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CorpusError, match=f"1 MIDI files differ from index.json .{TRACK}"):
        render_performances(midi_home, tmp_path / "out", 0)


def test_without_an_index_the_user_is_told(midi_home: Path, tmp_path: Path, monkeypatch):
    (midi_home / "index.json").unlink()
    monkeypatch.setattr(
        "mirtrim.corpora.annotations.groove_index.OFFICIAL_INDEX_PATH", tmp_path / "absent.json"
    )
    told: list[str] = []
    render_performances(midi_home, tmp_path / "out", 0, [TRACK], tell=told.append)
    assert told == [f"{midi_home}: no index of checksums found, so MIDI files are used unchecked"]
    midi_path(midi_home).write_bytes(b"MThd\0\0")
    with pytest.raises(CorpusError, match=r"\.mid: cannot be read as MIDI"):
        render_performances(midi_home, tmp_path / "out", 0, [TRACK])
    with pytest.raises(CorpusError, match=r"missing.json: index not found"):
        render_performances(midi_home, tmp_path / "out", 0, index=tmp_path / "missing.json")


@pytest.mark.parametrize(
    ("pitch", "message"), [(None, "has no strokes"), (60, "drum pitch 60 is not one")]
)
def test_files_that_cannot_be_rendered(midi_home: Path, tmp_path: Path, pitch, message):
    midi = pretty_midi.PrettyMIDI()
    drums = pretty_midi.Instrument(0, is_drum=True)
    if pitch is not None:
        drums.notes = [pretty_midi.Note(90, pitch, 0.5, 0.6)]
    midi.instruments.append(drums)
    midi.write(str(midi_path(midi_home)))
    tracks = {TRACK: {"midi": ["", layout.md5_of_file(midi_path(midi_home))], "audio": ["", ""]}}
    layout.write_index(midi_home, "x", {}, tracks)
    with pytest.raises(CorpusError, match=message):
        render_performances(midi_home, tmp_path / "out", 0, [TRACK])
    assert not (tmp_path / "out" / "index.json").exists()


def test_real_performances(real_data: Path, tmp_path: Path):
    home = real_data / "groove_midi"
    index = real_data / "indexes" / "groove_midi_index_1.0.0.json"
    chosen = ["drummer1/eval_session/4", "drummer5/session1/2", "drummer2/session1/1"]
    info = read_info(home / "info.csv")
    chosen = [name for name in chosen if info[name].duration < 60]
    render_performances(home, tmp_path, 0, chosen, index=index)
    dataset = open_groove(tmp_path)
    validate(dataset, tmp_path)
    for name in chosen:
        track = dataset.track(name)
        times, _ = drum_onsets(track)
        samples, rate = soundfile.read(track.audio_path)
        assert track.split == info[name].split
        # What follows a stroke is louder than what precedes it, also in room and noise.
        at = (times[times > 0.1] * rate).astype(int)
        after = [np.mean(samples[i : i + 160] ** 2) for i in at]
        before = [np.mean(samples[i - 320 : i - 160] ** 2) for i in at]
        assert np.mean(np.greater(after, before)) > 0.7
