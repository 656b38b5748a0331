"""Pieces for any instruments: notes are annotated when they are heard, all kits and banks play."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mirtrim.corpora.annotations.onsets import onset_times
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.varied.audible import LEAST_RISE_DB, rises_db
from mirtrim.corpora.rendering.varied.banks import banks_of
from mirtrim.corpora.rendering.varied.ensembles.corpus import (
    EnsembleJob,
    attack_seconds,
    ensemble_jobs,
    heard_parts,
    probe_pitches,
)
from mirtrim.corpora.rendering.varied.ensembles.players import ENSEMBLES, PLAYERS
from mirtrim.corpora.rendering.varied.ensembles.playing import play_piece
from mirtrim.corpora.rendering.varied.ensembles.textures import TEXTURES, Frame, scale_between
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.tasks.audio import read_mono
from mirtrim.tasks.onset import Onset, merge_close
from tests.corpora.folders import varied_settings
from tests.corpora.rendering.varied.soundfonts import with_programs_exchanged

SETTINGS = varied_settings("maestro", {"train": 3, "validation": 1, "test": 1}, 4.0, 11)
(BANK,) = banks_of(["pretty_midi"])


def jobs_of(train: int, copies: int = 1, banks: list[str] | None = None) -> list[EnsembleJob]:
    counts = {"train": train, "validation": 2, "test": 2}
    return ensemble_jobs(Sounds(banks_of(banks or ["pretty_midi"]), [], counts, 8.0, copies, 3))


def rises(sound: np.ndarray, at: float) -> float:
    """Seconds from `at` to where a sound reaches a fifth of its loudest first moments."""
    begin = round(at * RENDERER_RATE)
    first = np.abs(sound[begin - 480 : begin + round(0.15 * RENDERER_RATE)])
    return float(np.argmax(first > first.max() / 5)) / RENDERER_RATE - 0.01


@pytest.mark.parametrize("program", [0, 6, 11, 19, 25, 40, 65, 71, 73])
def test_notes_are_annotated_when_they_are_heard(program: int) -> None:
    apart = [Note(0.5 + k, 0.8 + k, pitch, 90) for k, pitch in enumerate((48, 60, 69, 76))]
    (heard,), sound = heard_parts([Part(0, program, apart)], 5.0, BANK)
    assert len(sound) == 5 * RENDERER_RATE
    for note in heard.notes:
        assert abs(rises(sound, note.start_seconds)) < 0.012
    late = [h.start_seconds - n.start_seconds for h, n in zip(heard.notes, apart, strict=True)]
    assert min(late) >= 0
    if program in (71, 73):  # a clarinet and a flute need their time, and more so in the depth
        assert max(late) > 0.01


def test_of_a_chord_every_note_is_annotated() -> None:
    chord = [Note(1.0, 2.0, pitch, 80) for pitch in (48, 52, 55, 60)]
    (heard,), _ = heard_parts([Part(0, 0, chord)], 3.0, BANK)
    starts = [note.start_seconds for note in heard.notes]
    assert len(starts) == 4
    assert max(starts) - min(starts) < 0.008


def test_attacks_are_measured_against_the_first_moments() -> None:
    time = np.arange(RENDERER_RATE) / RENDERER_RATE
    swelling = np.minimum(1, np.maximum(0, time - 0.2) / 0.05) * np.sin(2 * np.pi * 1000 * time)
    # −15 dB of a ramp over 50 ms is reached after 9 ms.
    assert attack_seconds(swelling, 0.2) == pytest.approx(0.05 * 10**-0.75, abs=0.001)
    assert attack_seconds(np.zeros(RENDERER_RATE), 0.2) is None
    assert probe_pitches([60, 40, 50]) == [40, 47, 53, 60]
    assert probe_pitches([]) == []


@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_textures_stay_in_their_section_and_scale(name: str) -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        frame = Frame(4.0, scale_between(40, 70, rng), 0.5)
        notes = TEXTURES[name](frame, rng)
        assert bool(notes) == (name != "silence")
        assert all(0 <= n.beat < 4 and n.beats > 0 for n in notes)
        low, high = frame.pitches[0], frame.pitches[-1]
        assert all(low <= n.pitch <= high for n in notes)


def test_pieces_are_polyphonic_loud_and_soft_and_everyone_plays() -> None:
    pieces = [play_piece(8.0, np.random.default_rng(seed)) for seed in range(150)]
    titles = Counter(piece.title for piece in pieces)
    assert titles["piano right, piano left"] > 30
    assert titles["drums"] > 8
    heard = {name for title in titles for name in title.split(", ")}
    assert {name for names, _, _ in ENSEMBLES for name in names} - heard <= {"harpsichord"}
    notes = [note for piece in pieces for part in piece.parts for note in part.notes]
    velocities = np.array([note.velocity for note in notes])
    assert np.percentile(velocities, 10) < 45
    assert np.percentile(velocities, 90) > 85
    together = [
        sum(a.start_seconds <= b.start_seconds < a.end_seconds for a in part.notes)
        for piece in pieces[:40] for part in piece.parts for b in part.notes[::10]
    ]  # fmt: skip
    assert max(together) >= 6
    for piece in pieces:
        for part in piece.parts:
            if part.channel == DRUM_CHANNEL:
                continue
            by_pitch: dict[int, float] = {}
            for note in sorted(part.notes, key=lambda n: n.start_seconds):
                assert note.start_seconds >= by_pitch.get(note.pitch, 0.0)
                by_pitch[note.pitch] = note.end_seconds
            assert all(0 <= n.start_seconds < n.end_seconds <= 8.0 for n in part.notes)


def test_players_stay_in_their_range() -> None:
    assert all(24 <= p.lowest < p.highest <= 108 for p in PLAYERS.values())
    for player in PLAYERS.values():
        assert set(player.textures) <= set(TEXTURES)


def test_all_kits_and_banks_take_turns(tmp_path: Path) -> None:
    other = with_programs_exchanged(tmp_path / "other.sf2", 0, 6)
    jobs = [j for j in jobs_of(64, banks=["pretty_midi", str(other)]) if j.split == "train"]
    assert Counter(job.bank for job in jobs) == {0: 32, 1: 32}
    assert {job.kits[job.kit] for job in jobs} == set(jobs[0].kits)
    assert len(jobs[0].kits) == 16


def test_copies_play_one_piece_with_other_sounds() -> None:
    jobs = [job for job in jobs_of(4, copies=2) if job.split == "train"]
    assert [job.source for job in jobs[:3]] == ["train/0000", "train/0000", "train/0001"]
    assert jobs[0].track_id != jobs[1].track_id
    assert jobs[0].piece() == jobs[1].piece()
    assert jobs[0].row.source == jobs[1].row.source
    held_back = [job for job in jobs_of(4, copies=2) if job.split != "train"]
    assert len(held_back) == 4


def test_the_corpus_is_read_by_the_loader_and_twice_the_same(tmp_path: Path) -> None:
    prepare(SETTINGS, tmp_path / "one", Making())
    prepare(SETTINGS, tmp_path / "two", Making(workers=2))
    dataset, rows = open_prepared(SETTINGS, tmp_path / "one")
    assert Counter(row.split for row in rows) == {"train": 3, "validation": 1, "test": 1}
    assert len({row.source for row in rows}) == 5
    jobs = {
        job.track_id: job
        for job in ensemble_jobs(Sounds([BANK], [], SETTINGS["pieces"], 4.0, 1, 11))
    }
    for row in rows:
        track = dataset.track(row.track_id)
        assert track.split == row.split
        parts, _ = jobs[row.track_id].played()
        played = sorted(note.start_seconds for part in parts for note in part.notes)
        found = onset_times(track)
        # Every onset that is annotated was played; a few cannot be heard and are not annotated.
        distance = np.abs(found[:, None] - np.array(played)).min(axis=1)
        np.testing.assert_allclose(distance, 0, atol=0.0005)
        assert 0.6 * len(played) <= len(found) <= len(played)
        samples = read_mono(track.audio_path, SAMPLE_RATE)
        assert rises_db(samples, found.tolist()).min() >= LEAST_RISE_DB - 1
        events = Onset().events(track, {"merge_seconds": 0.03})
        # Rounding to ticks may take a note over the edge of what is merged.
        assert abs(len(events) - len(merge_close(found, 0.03))) <= 2
        for kind in ("audio_path", "midi_path"):
            first = Path(getattr(track, kind))
            second = tmp_path / "two" / first.relative_to(tmp_path / "one")
            assert first.read_bytes() == second.read_bytes()
