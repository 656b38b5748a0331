"""Strokes and their classes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pretty_midi
import pytest
from mirdata.datasets.groove_midi import DRUM_MAPPING, load_midi

from mirtrim.corpora.annotations.drums import (
    FIVE_CLASSES,
    THREE_CLASSES,
    drum_onsets,
)
from mirtrim.utils.errors import CorpusError


@pytest.fixture
def track_of(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """track_of((seconds, pitch), …): a track with such strokes."""

    def make(*strokes: tuple[float, int]) -> SimpleNamespace:
        return written(tmp_path / "piece.mid", strokes)

    return make


def written(path: Path, strokes: Sequence[tuple[float, int]]) -> SimpleNamespace:
    midi = pretty_midi.PrettyMIDI(resolution=1000, initial_tempo=60)
    drums = pretty_midi.Instrument(0, is_drum=True)
    drums.notes = [pretty_midi.Note(100, pitch, time, time + 0.1) for time, pitch in strokes]
    midi.instruments.append(drums)
    midi.write(str(path))
    return SimpleNamespace(midi_path=str(path), track_id="piece")


@pytest.mark.parametrize("classes", [THREE_CLASSES, FIVE_CLASSES])
def test_every_pitch_of_the_loader_has_a_class(classes):
    assert set(classes) == set(DRUM_MAPPING)


def test_classes_agree_with_the_names_that_mirdata_gives():
    words = {"Bass": "kick", "Snare": "snare", "Tom": "tom", "Hat": "hihat", "Cymbal": "cymbal"}
    for pitch, names in DRUM_MAPPING.items():
        assert FIVE_CLASSES[pitch] == next(c for w, c in words.items() if w in names["Simplified"])


def test_onsets_by_hand(track_of):
    track = track_of((0.5, 42), (0.25, 36), (0.5, 38), (1.0, 49), (1.5, 43), (2.0, 37))
    times, labels = drum_onsets(track)
    np.testing.assert_allclose(times, [0.25, 0.5, 0.5, 1.0, 1.5, 2.0])
    assert times.dtype == np.float64
    assert labels == ["kick", "hihat", "snare", "hihat", "snare", "snare"]
    assert drum_onsets(track, FIVE_CLASSES)[1][3:] == ["cymbal", "tom", "snare"]


def test_strokes_of_one_class_at_one_instant_count_once(track_of):
    times, labels = drum_onsets(track_of((1.0, 42), (1.0, 49), (1.0, 36)))
    assert list(times) == [1.0, 1.0]
    assert labels == ["hihat", "kick"]


def test_no_strokes_give_empty_arrays(track_of):
    times, labels = drum_onsets(track_of())
    assert times.shape == (0,)
    assert labels == []


def test_an_unknown_pitch_is_named(track_of):
    with pytest.raises(CorpusError, match=r"piece.mid: drum pitch 60 at 0.750 s"):
        drum_onsets(track_of((0.75, 60)))


def test_a_damaged_midi_file_is_named(tmp_path: Path):
    path = tmp_path / "cut.mid"
    path.write_bytes(b"MThd\x00\x00")

    class Damaged:
        midi_path = str(path)

        @property
        def midi(self):
            return load_midi(self.midi_path)

    with pytest.raises(CorpusError, match=r"cut.mid: cannot be read as MIDI"):
        drum_onsets(Damaged())


def test_real_performance(real_data: Path):
    from mirtrim.corpora.loaders.groove_midi import open_groove

    home = real_data / "mirdata_samples" / "groove_midi"
    index = real_data / "mirdata_samples" / "indexes" / "groove_midi_index_1.0.0_sample.json"
    track = open_groove(home, index).track("drummer1/eval_session/1")
    times, labels = drum_onsets(track)
    assert len(times) == len(labels) > 200
    assert set(labels) == {"kick", "snare", "hihat"}
    # mirdata's own reading of the same file, one entry per note.
    np.testing.assert_allclose(np.unique(times), np.unique(track.drum_events.intervals[:, 0]))
