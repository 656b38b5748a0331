"""Drumming on all kits: strokes are annotated when they sound, performances stay in their split."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mirtrim.corpora.annotations.drums import drum_onsets
from mirtrim.corpora.annotations.groove_info import read_info
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.soundbank import Note
from mirtrim.corpora.rendering.varied.banks import banks_of
from mirtrim.corpora.rendering.varied.drums.corpus import (
    Drumming,
    drum_jobs,
    kits_of_split,
    stretch,
)
from mirtrim.corpora.rendering.varied.kits import BankKit, kits_of
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.splits import assert_disjoint
from mirtrim.sound.decoder import joined, open_source
from tests.corpora.folders import varied_settings


def settings(folder: Path, **given: object) -> dict[str, object]:
    pieces = {"train": 4, "validation": 2, "test": 2}
    return varied_settings("groove_midi", pieces, 3.0, 5, folder=str(folder), **given)


def drummings(home: Path) -> list[Drumming]:
    return [
        Drumming(row, home / row.midi_filename) for row in read_info(home / "info.csv").values()
    ]


def sounds(train: int, copies: int = 1) -> Sounds:
    counts = {"train": train, "validation": 6, "test": 6}
    return Sounds(banks_of(["pretty_midi"]), [], counts, 3.0, copies, 9)


def test_kits_of_validation_and_test_never_train(made_corpus: Path) -> None:
    kits = kits_of(banks_of(["pretty_midi"]), [])
    train, test = kits_of_split(kits, "train"), kits_of_split(kits, "test")
    assert kits_of_split(kits, "validation") == test
    assert not set(train) & set(test)
    assert set(train) | set(test) == set(kits)
    assert kits_of_split(kits[:3], "train") == kits_of_split(kits[:3], "test") == kits[:3]
    jobs = drum_jobs(drummings(made_corpus), sounds(60))
    for split, wanted in (("train", train), ("test", test)):
        used = {job.kits[job.kit] for job in jobs if job.split == split}
        assert used == set(wanted)


def test_published_performances_stay_in_their_split(made_corpus: Path) -> None:
    jobs = drum_jobs(drummings(made_corpus), sounds(30, copies=2))
    assert_disjoint([job.row for job in jobs])
    played = Counter("invented" if job.drumming is None else "published" for job in jobs)
    assert played["invented"] > 5
    assert played["published"] > 20
    for job in jobs:
        if job.drumming is not None:
            assert job.drumming.row.split == job.split
    assert sum(job.split == "train" for job in jobs) == 60


def test_a_stretch_begins_anew() -> None:
    notes = [Note(0.5 * k, 0.5 * k + 0.1, 36, 90) for k in range(100)]
    for seed in range(20):
        cut = stretch(notes, 4.0, np.random.default_rng(seed))
        times = np.array([note.start_seconds for note in cut])
        assert 4 <= len(cut) <= 8
        assert times.min() >= 0
        assert times.max() < 4.0 - 0.2 + 1e-9
        np.testing.assert_allclose(np.diff(times), 0.5)
        assert all(note.end_seconds > note.start_seconds for note in cut)


def test_the_corpus_is_read_by_the_loader_and_twice_the_same(
    made_corpus: Path, tmp_path: Path
) -> None:
    given = settings(made_corpus)
    prepare(given, tmp_path / "one", Making())
    prepare(given, tmp_path / "two", Making())
    dataset, rows = open_prepared(given, tmp_path / "one")
    assert Counter(row.split for row in rows) == {"train": 4, "validation": 2, "test": 2}
    jobs = {
        job.track_id: job
        for job in drum_jobs(
            drummings(made_corpus),
            Sounds(banks_of(["pretty_midi"]), [], given["pieces"], 3.0, 1, 5),  # type: ignore[arg-type]
        )
    }
    for row in rows:
        track = dataset.track(row.track_id)
        times, labels = drum_onsets(track)
        notes, _ = jobs[row.track_id].played()
        played = np.array([note.start_seconds for note in notes])
        # Every stroke that is annotated was played; a few cannot be heard and are not annotated.
        assert np.abs(times[:, None] - played).min(axis=1).max() < 0.002
        assert 0.6 * len(played) <= len(times) <= len(played)
        assert set(labels) <= {"kick", "snare", "hihat"}
        other = tmp_path / "two" / Path(track.audio_path).relative_to(tmp_path / "one")
        assert Path(track.audio_path).read_bytes() == other.read_bytes()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_recorded_stroke_sounds_when_it_is_annotated(tmp_path: Path, seed: int) -> None:
    counts = {"train": 1, "validation": 0, "test": 0}
    (job,) = drum_jobs([], Sounds(banks_of(["pretty_midi"]), [], counts, 3.0, 1, seed))
    assert isinstance(job.kits[job.kit], BankKit)
    job.make(tmp_path)
    source = open_source(tmp_path / job.files["audio"])
    samples = np.asarray(joined(source))[:, 0]
    notes, _ = job.played()
    loud = [n for n in notes if n.velocity > 90 and n.start_seconds > 0.2]
    flux = np.maximum(0, np.diff(np.convolve(samples**2, np.ones(80) / 80, "same")[::40]))
    rate = source.sample_rate / 40
    shares = [
        flux[round((n.start_seconds - 0.01) * rate) : round((n.start_seconds + 0.02) * rate)].sum()
        > 3 * flux.mean()
        for n in loud
    ]
    assert np.mean(shares) > 0.8
