"""Fiddle tunes: one read by hand, ties and overlaps with literal numbers, disjoint splits."""

import pytest

from mirtrim.corpora.rendering import tunes as tunes_module
from mirtrim.corpora.rendering.tunes import (
    TuneNote,
    _folder,
    _header,
    _joined,
    _one_at_a_time,
    _title_key,
    read_tune,
    tune_ids,
    tune_ids_of_split,
    tunes,
)
from mirtrim.utils.errors import CorpusError


def test_a_tune_as_printed():
    # Unit 1/16, G major: ((3DEF) is a triplet in the time of an eighth, then G2 G A B c d B.
    tune = read_tune("AcaciaReel")
    assert (tune.title, tune.meter) == ("Acacia -- Reel", (2, 4))
    assert [note.pitch for note in tune.notes[:9]] == [62, 64, 66, 67, 67, 69, 71, 72, 74]
    onsets = [0, 1 / 6, 2 / 6, 0.5, 1, 1.25, 1.5, 1.75, 2]
    assert [note.onset_beats for note in tune.notes[:9]] == pytest.approx(onsets)
    # The grace note of B | {d}cBcd takes no time.
    assert [note.pitch for note in tune.notes[9:14]] == [71, 72, 71, 72, 74]
    assert tune.notes[10].onset_beats == pytest.approx(2.5)


def test_tied_notes_are_one_if_they_have_one_pitch():
    notes = [TuneNote(0, 1, 60), TuneNote(1, 0.5, 60), TuneNote(1.5, 0.5, 62)]
    assert _joined(notes, {1.0, 1.5}) == [TuneNote(0, 1.5, 60), TuneNote(1.5, 0.5, 62)]
    assert _joined(notes, set()) == notes


def test_a_note_ends_where_the_next_begins():
    notes = [TuneNote(0, 4, 60), TuneNote(1, 0.5, 62), TuneNote(2, 1, 64)]
    assert [note.duration_beats for note in _one_at_a_time(notes)] == [1, 0.5, 1]


def test_tunes_are_melodies():
    drawn = tunes(4, 11, "a test")
    assert len({tune.tune_id for tune in drawn}) == 4
    for tune in drawn:
        ends = [note.onset_beats + note.duration_beats for note in tune.notes]
        starts = [note.onset_beats for note in tune.notes]
        assert all(end <= start + 1e-9 for end, start in zip(ends, starts[1:], strict=False))
        assert all(45 <= note.pitch <= 100 and note.duration_beats > 0 for note in tune.notes)
        assert tune.beats == ends[-1] > 15


def test_ids_depend_on_seed_and_stream_and_not_on_the_count():
    assert tune_ids(5, 1) == tune_ids(50, 1)[:5]
    assert len(set(tune_ids(900, 1))) == 900
    assert tune_ids(5, 1) != tune_ids(5, 2)
    assert tune_ids(5, 1) != tune_ids(5, 1, "another stream")


def test_splits_share_no_tune():
    ids = {s: tune_ids_of_split(s, 150, 3) for s in ("train", "validation", "test")}
    assert all(len(set(drawn)) == 150 for drawn in ids.values())
    assert len(set().union(*ids.values())) == 450
    assert tune_ids_of_split("test", 10, 3) == ids["test"][:10]


def test_errors_name_what_is_wrong():
    with pytest.raises(CorpusError, match="NoSuchTune"):
        read_tune("NoSuchTune")
    with pytest.raises(CorpusError, match="5000 tunes"):
        tune_ids(5000, 0)
    with pytest.raises(CorpusError, match="unknown split 'dev'"):
        tune_ids_of_split("dev", 1, 0)


def test_of_a_tune_in_two_settings_one_is_drawn(tmp_path, monkeypatch):
    """Five files, three tunes: a title may be spelt in another way, or be another dance."""
    titles = ("The Hare -- Reel", "THE HARE. -- Jig", "Fox-Trot", "Fox Trot -- Reel", "Owl")
    for number, title in enumerate(titles):
        (tmp_path / f"tune{number}.abc").write_text(f"X: 1\nT: {title}\nK: C\n")
    monkeypatch.setattr(tunes_module, "_folder", lambda: tmp_path)
    for seed in range(20):
        assert sorted(tune_ids(3, seed)) == ["tune0", "tune2", "tune4"]
    with pytest.raises(CorpusError, match="4 tunes are asked for and there are 3"):
        tune_ids(4, 0)


def test_no_two_drawn_tunes_of_the_collection_share_a_title():
    keys = [_title_key(_header(_folder() / f"{t}.abc", "T")) for t in tune_ids(700, 5)]
    assert len(set(keys)) == 700
