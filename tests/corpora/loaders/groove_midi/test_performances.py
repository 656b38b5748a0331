"""Rendering performances that exist as MIDI."""

from pathlib import Path
from typing import Any

import numpy as np
import pretty_midi
import pytest
import soundfile

from mirtrim.corpora.annotations.drums import drum_onsets
from mirtrim.corpora.annotations.groove_info import read_info
from mirtrim.corpora.loaders.groove_midi import open_groove, split_table
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
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
    render_performances(midi_home, out, 0, list(read_info(midi_home / "info.csv")), workers=2)
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
    render_performances(midi_home, tmp_path / "a", 0, list(read_info(midi_home / "info.csv")))
    render_performances(midi_home, tmp_path / "b", 0, [TRACK])
    name = read_info(tmp_path / "b" / "info.csv")[TRACK].audio_filename
    assert open_groove(tmp_path / "b").track_ids == [TRACK]
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def settings(midi_home: Path, **given: Any) -> dict[str, Any]:
    return {
        "loader": "groove_midi", "mode": "performances", "folder": str(midi_home), "index": None,
        "minimum_seconds": 0.0, "train_share": 1.0, "seed": 0, **given,
    }  # fmt: skip


def test_short_performances_are_left_out(midi_home: Path, tmp_path: Path):
    info = midi_home / "info.csv"
    info.write_text(info.read_text().replace(".flac,4.0,train", ".flac,3.0,train", 1))
    given = settings(midi_home, minimum_seconds=3.5)
    prepare(given, tmp_path / "out", Making())
    assert len(list((tmp_path / "out").rglob("*.flac"))) == 6
    _, rows = open_prepared(given, tmp_path / "out")
    assert len(rows) == 6
    with pytest.raises(CorpusError, match="no train track lasts 9 s"):
        prepare(settings(midi_home, minimum_seconds=9), tmp_path / "none", Making())


def test_a_missing_file_is_named(midi_home: Path, tmp_path: Path):
    midi_path(midi_home).unlink()
    with pytest.raises(CorpusError, match=f"1 files missing .{TRACK}"):
        prepare(settings(midi_home), tmp_path / "out", Making())


def test_a_changed_file_is_named(midi_home: Path, tmp_path: Path):
    path = midi_path(midi_home)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(CorpusError, match=f"1 files damaged .{TRACK}"):
        prepare(settings(midi_home), tmp_path / "out", Making())


def test_an_unreadable_file_is_named(midi_home: Path, tmp_path: Path):
    midi_path(midi_home).write_bytes(b"MThd\0\0")
    with pytest.raises(CorpusError, match=r"\.mid: cannot be read as MIDI"):
        render_performances(midi_home, tmp_path / "out", 0, [TRACK])


def test_without_an_index_nothing_is_rendered(midi_home: Path, tmp_path: Path, monkeypatch):
    (midi_home / "index.json").unlink()
    absent = tmp_path / "absent.json"
    monkeypatch.setattr("mirtrim.corpora.annotations.groove_index.OFFICIAL_INDEX_PATH", absent)
    with pytest.raises(CorpusError, match=r"index.json: index not found"):
        prepare(settings(midi_home), tmp_path / "out", Making())


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
    with pytest.raises(CorpusError, match=message):
        render_performances(midi_home, tmp_path / "out", 0, [TRACK])
    assert not (tmp_path / "out" / "index.json").exists()


def test_real_performances(real_data: Path, tmp_path: Path):
    home = real_data / "groove_midi"
    chosen = ["drummer1/eval_session/4", "drummer5/session1/2", "drummer2/session1/1"]
    info = read_info(home / "info.csv")
    chosen = [name for name in chosen if info[name].duration < 60]
    render_performances(home, tmp_path, 0, chosen)
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
