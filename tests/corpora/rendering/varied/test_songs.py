"""Songs: what is played agrees with the chords, in every arrangement; all keys; same bits."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mirtrim.corpora.annotations.chords import chord_annotation
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.chords.harmony import QUALITIES, chord_of
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL
from mirtrim.corpora.rendering.varied.banks import banks_of
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.rendering.varied.songs.arranging import BANDS, FIGURES, play_song
from mirtrim.corpora.rendering.varied.songs.charts import MAJOR, MINOR, draw_song_chart
from mirtrim.corpora.rendering.varied.songs.corpus import song_jobs
from mirtrim.tasks.chord_labels import LABELS, OUTSIDE, class_of
from tests.corpora.folders import varied_settings

SETTINGS = varied_settings("guitarset", {"train": 3, "validation": 1, "test": 1}, 5.0, 4)


def songs(count: int) -> list:
    return [
        play_song(seed % 12, seed % 2 == 1, 90.0, 12.0, np.random.default_rng(seed))
        for seed in range(count)
    ]


def test_progressions_are_roman_numerals() -> None:
    for progression in (*MAJOR, *MINOR):
        for numeral in progression.split():
            chord = chord_of(numeral, 0)
            assert chord.quality in QUALITIES
    assert chord_of("V7", 2).label == "A:7"
    assert chord_of("bVI", 0).label == "Ab:maj"


def test_charts_fill_their_beats_and_have_all_chords() -> None:
    classes: Counter[int] = Counter()
    for seed in range(200):
        rng = np.random.default_rng(seed)
        chart = draw_song_chart(seed % 12, seed % 2 == 1, 60, rng)
        assert sum(change.beats for change in chart) >= 60
        assert all(one.chord != other.chord for one, other in itertools.pairwise(chart))
        for change in chart:
            classes[class_of(change.chord.label if change.chord else "N")] += change.beats
    assert set(classes) == {*range(len(LABELS)), OUTSIDE}
    chords = [count for index, count in classes.items() if 0 <= index < 24]
    assert min(chords) > 0.15 * max(chords)


def test_segments_cover_the_song() -> None:
    for song in songs(60):
        ends = [segment.end_seconds for segment in song.segments]
        assert song.segments[0].start_seconds == 0
        assert [segment.start_seconds for segment in song.segments[1:]] == ends[:-1]
        assert ends[-1] == 12.0
        assert song.segments[-1].chord is None


def test_accompaniments_play_tones_of_the_chord_within_its_time() -> None:
    struck, programs = 0, Counter[int]()
    for song in songs(60):
        # The first part is always of the accompaniment.
        part = song.parts[0]
        programs[part.program] += 1
        for note in part.notes:
            segment = next(
                s for s in song.segments if s.start_seconds <= note.start_seconds < s.end_seconds
            )
            assert segment.chord is not None
            tones = {(segment.chord.root + i) % 12 for i in QUALITIES[segment.chord.quality]}
            assert note.pitch % 12 in tones
            assert note.end_seconds <= segment.end_seconds
            struck += 1
    assert struck > 1000
    assert len(programs) > 12
    assert sum(programs[p] for p in (0, 1, 2)) > 15


def test_every_arrangement_sounds_at_once_when_its_chord_begins() -> None:
    for song in songs(60):
        starts = np.sort([note.start_seconds for note in song.parts[0].notes])
        for segment in song.segments:
            if segment.chord is not None:
                assert np.abs(starts - segment.start_seconds).min() < 0.001


def test_bands_and_figures_are_complete() -> None:
    assert all(places for name, places in FIGURES.items() if name != "held")
    assert sum(weight for _, weight in BANDS) == 100
    drummed = [song for song in songs(120) if song.parts[-1].channel == DRUM_CHANNEL]
    assert 10 < len(drummed) < 80


def test_keys_are_even_and_copies_share_their_song() -> None:
    counts = {"train": 24, "validation": 3, "test": 3}
    jobs = song_jobs(Sounds(banks_of(["pretty_midi"]), [], counts, 6.0, 2, 1))
    train = [job for job in jobs if job.split == "train"]
    assert Counter(job.tonic for job in train) == dict.fromkeys(range(12), 4)
    assert len({job.track_id for job in jobs}) == len(jobs) == 54
    assert train[0].played() == train[1].played()
    assert train[0].row.source == train[1].row.source != train[2].row.source
    splits: dict[str, set[str]] = {}
    for job in jobs:
        splits.setdefault(job.row.source, set()).add(job.split)
    assert all(len(found) == 1 for found in splits.values())


def test_the_corpus_is_read_by_the_loader_and_twice_the_same(tmp_path: Path) -> None:
    prepare(SETTINGS, tmp_path / "one", Making())
    prepare(SETTINGS, tmp_path / "two", Making())
    dataset, rows = open_prepared(SETTINGS, tmp_path / "one")
    counts = {"train": 3, "validation": 1, "test": 1}
    assert Counter(row.split for row in rows) == counts
    jobs = {
        job.track_id: job
        for job in song_jobs(Sounds(banks_of(["pretty_midi"]), [], counts, 5.0, 1, 4))
    }
    for row in rows:
        track = dataset.track(row.track_id)
        intervals, labels = chord_annotation(track, "played")
        segments = jobs[row.track_id].played().segments
        assert list(labels) == [s.chord.label if s.chord else "N" for s in segments]
        np.testing.assert_allclose(intervals[:, 0], [s.start_seconds for s in segments])
        other = tmp_path / "two" / Path(track.audio_mic_path).relative_to(tmp_path / "one")
        assert Path(track.audio_mic_path).read_bytes() == other.read_bytes()
    with pytest.raises(Exception, match="needs at least"):
        prepare({**SETTINGS, "piece_seconds": 1.0}, tmp_path / "short", Making())
