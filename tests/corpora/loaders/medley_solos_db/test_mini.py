"""The embedded solos: repeatable, readable by mirdata, splits without a common tune."""

import csv
import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.scene import Scene
from mirtrim.corpora.rendering.solos import mini
from mirtrim.corpora.rendering.solos.mini import METADATA_NAME, MINI_SOLOS, _jobs
from mirtrim.corpora.rendering.solos.soloists import SOLOISTS
from mirtrim.corpora.rendering.solos.solos import Song, _within, draw_song, microphone, song_parts
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, render
from mirtrim.corpora.rendering.tunes import Tune, TuneNote
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.errors import CorpusError

PIECES, SECONDS, SEED = {"train": 8, "validation": 3, "test": 2}, 1.0, 5
SETTINGS: dict[str, Any] = {
    "loader": "medley_solos_db",
    "mode": "embedded",
    "folder": None,
    "index": None,
    "pieces": PIECES,
    "piece_seconds": SECONDS,
    "seed": SEED,
}
SONG = Song(
    program=71,
    transposition=0,
    tuning_semitones=0.0,
    beat_seconds=0.5,
    legato=1.0,
    loudness=100.0,
    vibrato_semitones=0.0,
    vibrato_hz=5.0,
    doubling_chance=0.0,
    bleed_velocity=None,
    tilt_db=0.0,
    bumps=(),
    scene=Scene(),
)
SCALE = Tune(
    "t", "Scale", (4, 4), tuple(TuneNote(float(i), 1.0, 60 + p) for i, p in enumerate((0, 2, 4, 5)))
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("solos")
    prepare(SETTINGS, home, Making())
    return home


def test_mirdata_reads_it(made: Path) -> None:
    dataset, rows = open_prepared(SETTINGS, made)
    assert dataset.name == "mini_medley_solos_db"
    assert dataset.validate(verbose=False) == (
        {"metadata": {}, "tracks": {}},
        {"metadata": {}, "tracks": {}},
    )
    assert {s: sum(r.split == s for r in rows) for s in SPLITS} == PIECES
    trained = {dataset.track(r.track_id).instrument for r in rows if r.split == "train"}
    assert trained == {soloist.instrument for soloist in SOLOISTS}
    one = dataset.track(rows[0].track_id)
    about = soundfile.info(one.audio_path)
    assert (about.frames, about.samplerate, about.channels) == (16000, 16000, 1)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab].{15}", one.track_id[:35])
    assert f"_{one.subset}-{one.instrument_id}_{one.track_id}.flac" in one.audio_path


def test_same_bytes_twice_and_with_two_processes(made: Path, tmp_path: Path) -> None:
    MINI_SOLOS.generate(tmp_path, PIECES, SECONDS, SEED, workers=2)
    names = [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.*"))]
    assert len(names) == 13 + 3  # clips; table, plan, index
    for name in names:
        again, first = (hashlib.sha256((h / name).read_bytes()) for h in (tmp_path, made))
        assert again.digest() == first.digest(), name


def test_splits_share_neither_tunes_nor_songs() -> None:
    jobs = list(_jobs({"train": 400, "validation": 120, "test": 200}, 3.0, 2020))
    assert len({job.track_id for job in jobs}) == 720
    for attribute in ("tune_id", "song_id"):
        known = {s: {getattr(j, attribute) for j in jobs if j.split == s} for s in SPLITS}
        assert known["train"] & known["validation"] == set()
        assert (known["train"] | known["validation"]) & known["test"] == set()


def test_every_class_plays_every_tune_of_its_split_equally_often() -> None:
    jobs = list(_jobs({"train": 400, "validation": 120, "test": 200}, 3.0, 2020))
    for split, each in (("train", 50), ("validation", 15), ("test", 25)):
        of_split = [job for job in jobs if job.split == split]
        names = [job.soloist.instrument for job in of_split]
        assert {names.count(s.instrument) for s in SOLOISTS} == {each}
        tunes = [{j.tune_id for j in of_split if j.soloist == s} for s in SOLOISTS]
        assert all(known == tunes[0] for known in tunes)


def test_the_table_has_the_columns_of_the_published_one(made: Path, real_data: Path) -> None:
    published = real_data / "mirdata_samples" / "medley_solos_db" / METADATA_NAME
    if not published.exists():
        pytest.skip(f"no {published}")
    with open(published) as real, open(made / METADATA_NAME) as ours:
        real_rows, our_rows = list(csv.DictReader(real)), list(csv.DictReader(ours))
    assert list(our_rows[0]) == list(real_rows[0])
    number_of = {s.instrument: str(s.instrument_id) for s in SOLOISTS}
    assert all(number_of[row["instrument"]] == row["instrument_id"] for row in real_rows)


@pytest.mark.parametrize("soloist", SOLOISTS, ids=lambda s: s.instrument)
def test_every_soloist_is_heard_at_the_written_pitch(soloist: Any) -> None:
    # The choirs waver by up to a third of a semitone, hence the wide comparison.
    shift = 12 if soloist.lowest > 60 else 0
    for program in {p for programs in soloist.programs.values() for p in programs}:
        song = replace(SONG, program=program, transposition=shift)
        (part,) = song_parts(song, soloist, SCALE, 0.0, 2.0, 0, "x")
        assert [note.pitch - shift for note in part.notes] == [60, 62, 64, 65]
        samples = render([part], 2.0)
        for number, note in enumerate(part.notes):
            begin = round((note.start_seconds + 0.12) * RENDERER_RATE)
            wanted_hz = 440 * 2 ** ((note.pitch - 69) / 12)
            assert strength(samples[begin : begin + 14400], wanted_hz) > 2.0, (program, number)


def strength(samples: np.ndarray, hz: float) -> float:
    """Energy at the first five multiples of `hz` against that 3/4 of a semitone aside."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 17)) ** 2
    step = RENDERER_RATE / (1 << 17)

    def comb(base: float) -> float:
        centres = [round(k * base / step) for k in range(1, 6)]
        return float(sum(spectrum[c - 6 : c + 7].sum() for c in centres))

    return comb(hz) / max(comb(hz * 2 ** (1 / 16)), comb(hz * 2 ** (-1 / 16)))


def test_a_clip_goes_on_where_the_last_one_ended() -> None:
    (part,) = song_parts(SONG, SOLOISTS[0], SCALE, 0.9, 2.0, 0, "x")
    # From 0.9 s on: E4 at 1.0 s, F4 at 1.5 s, a breath of 0.4 s, C4 at 2.4 s.
    starts = [note.start_seconds for note in part.notes]
    np.testing.assert_allclose(starts, [0.1, 0.6, 1.5], atol=0.016)
    assert [note.pitch for note in part.notes] == [64, 65, 60]


def test_pitches_are_brought_into_the_range_by_octaves() -> None:
    trumpet = SOLOISTS[6]
    assert (trumpet.lowest, trumpet.highest) == (54, 84)
    assert [_within(pitch, trumpet) for pitch in (53, 54, 84, 85, 29)] == [65, 54, 84, 73, 65]


def test_the_microphone_amplifies_as_drawn() -> None:
    time = np.arange(48000) / RENDERER_RATE
    for hz, gain_db in ((1000, 0.0), (2000, 3.0), (500, -3.0), (8000, 9.0)):
        tone = np.sin(2 * np.pi * hz * time).astype(np.float32)
        heard = microphone(tone, replace(SONG, tilt_db=3.0))[4800:-4800]
        assert 20 * np.log10(heard.std() / tone.std()) == pytest.approx(gain_db, abs=0.05)
    tone = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    heard = microphone(tone, replace(SONG, bumps=((1000.0, 40.0, 0.5),)))[4800:-4800]
    assert 20 * np.log10(heard.std() / tone.std()) == pytest.approx(15.0, abs=0.05)


def test_the_guitar_and_the_piano_of_the_test_songs_are_not_those_of_training() -> None:
    for soloist in (SOLOISTS[1], SOLOISTS[4]):
        drawn = {
            split: {
                draw_song(soloist, split, SCALE, np.random.default_rng(n)).program
                for n in range(20)
            }
            for split in ("train", "test")
        }
        assert drawn["train"] == set(soloist.programs["train"])
        assert drawn["test"] - drawn["train"]


@pytest.mark.parametrize(
    ("pieces", "seconds", "message"),
    [
        ({"train": 1, "valid": 1}, 3.0, "give counts for train, validation, test only"),
        ({}, 3.0, "no pieces are asked for"),
        ({"train": 1}, 0.5, "a piece needs at least 1.0 s"),
    ],
)
def test_impossible_sizes(
    tmp_path: Path, pieces: dict[str, int], seconds: float, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        MINI_SOLOS.generate(tmp_path, pieces, seconds, 0)


def test_the_second_clip_of_a_song_begins_where_the_first_one_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Both are told the same performance, 3 s apart, and songs begin in places of their own."""
    asked: list[tuple[Song, float]] = []

    class Asked(Exception):
        pass

    def song_parts(song: Song, soloist: Any, tune: Any, begin: float, *rest: Any) -> Any:
        asked.append((song, begin))
        raise Asked

    monkeypatch.setattr(mini, "song_parts", song_parts)
    jobs = list(_jobs({"train": 32, "validation": 0, "test": 0}, 3.0, 1))
    pairs = [(a, b) for a, b in pairwise(jobs) if a.song_id == b.song_id]
    assert len(pairs) == 16
    for job in (job for pair in pairs[:3] for job in pair):
        with pytest.raises(Asked):
            job.make(tmp_path)
    for (song, begin), (again, later) in zip(asked[::2], asked[1::2], strict=True):
        assert song == again
        assert later - begin == pytest.approx(3.0)
    assert len({begin for _, begin in asked}) == 6
