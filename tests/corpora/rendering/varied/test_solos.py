"""Varied solos: classes, banks of the splits, computed singers, same bits."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.soundbank import Note
from mirtrim.corpora.rendering.varied.banks import banks_of
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.rendering.varied.solos.corpus import amplified, clip_jobs, play
from mirtrim.corpora.rendering.varied.solos.players import PLAYERS, SUNG
from mirtrim.corpora.rendering.varied.solos.singing import sung
from mirtrim.tasks.instrument import Instrument
from tests.corpora.folders import varied_settings
from tests.corpora.rendering.varied.soundfonts import with_programs_exchanged

COUNTS = {"train": 16, "validation": 8, "test": 8}
SETTINGS = varied_settings("medley_solos_db", {"train": 8, "validation": 8, "test": 8}, 1.5, 3)


def test_classes_take_turns_and_tracks_have_names_of_their_own() -> None:
    jobs = clip_jobs(Sounds(banks_of(["pretty_midi"]), [], COUNTS, 2.0, 1, 3))
    for split, count in COUNTS.items():
        names = Counter(job.player.instrument for job in jobs if job.split == split)
        assert set(names.values()) == {count // 8}
    assert len({job.track_id for job in jobs}) == len(jobs) == 32


def test_the_last_of_three_banks_is_kept_from_training(tmp_path: Path) -> None:
    others = [str(with_programs_exchanged(tmp_path / f"{name}.sf2", 0, 1)) for name in ("b", "c")]
    banks = banks_of(["pretty_midi", *others])
    jobs = clip_jobs(Sounds(banks, [], COUNTS, 2.0, 1, 3))
    heard = {split: {b.name for j in jobs if j.split == split for b in j.banks} for split in COUNTS}
    assert heard == {"train": {"TimGM6mb", "b"}, "validation": {"c"}, "test": {"c"}}
    two = clip_jobs(Sounds(banks[:2], [], COUNTS, 2.0, 1, 3))
    assert {bank.name for job in two for bank in job.banks} == {"TimGM6mb", "b"}


@pytest.mark.parametrize("player", PLAYERS, ids=lambda player: player.instrument)
def test_notes_lie_in_the_range_of_the_player_and_in_time(player) -> None:  # type: ignore[no-untyped-def]
    for seed in range(8):
        notes = play(player, 4.0, np.random.default_rng(seed))
        first = [note.pitch for note in notes]
        if not player.doubling:
            assert player.lowest <= min(first)
            assert max(first) <= player.highest
        assert all(0 <= note.start_seconds < note.end_seconds <= 4.0 for note in notes)
        assert notes


def test_a_singer_sings_the_pitch() -> None:
    notes = [Note(0.0, 1.0, 69, 100)]
    samples = sung(notes, [], 0.0, 1.0, 16_000, np.random.default_rng(2))
    assert samples.shape == (16_000,)
    part = samples[4000:12_000] * np.hanning(8000)
    spectrum = np.abs(np.fft.rfft(part, 1 << 17))
    hertz = np.arange(len(spectrum)) * 16_000 / (1 << 17)
    # The period, as the sum of partials: the comb of 440 Hz takes most.
    comb = {f: sum(spectrum[round(k * f * (1 << 17) / 16_000)] for k in range(1, 8))
            for f in (392.0, 415.3, 440.0, 466.2, 493.9)}  # fmt: skip
    assert max(comb, key=lambda f: comb[f]) == 440.0
    assert hertz[spectrum.argmax()] > 300
    assert SUNG in next(p for p in PLAYERS if p.instrument == "female singer").programs


def test_an_overdriven_guitar_has_partials_that_a_clean_one_has_not() -> None:
    clean = np.sin(2 * np.pi * 200 * np.arange(48_000) / 48_000).astype(np.float32)
    loud = amplified(clean, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(loud))
    assert spectrum[1000] > 0.05 * spectrum[200]  # the fifth partial
    assert np.abs(np.fft.rfft(clean))[1000] < 1e-3 * np.abs(np.fft.rfft(clean))[200]


def test_a_corpus_is_read_by_the_task_and_has_the_same_bytes_again(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        prepare(SETTINGS, folder, Making())
    for path in sorted(folders[0].rglob("*.flac")):
        assert path.read_bytes() == (folders[1] / path.relative_to(folders[0])).read_bytes()
    dataset, rows = open_prepared(SETTINGS, folders[0])
    assert Counter(row.split for row in rows) == {"train": 8, "validation": 8, "test": 8}
    features = {
        "sample_rate": 16_000, "window_samples": 8192, "silence_db": 40,
        "classes": sorted(player.instrument for player in PLAYERS),
    }  # fmt: skip
    labels = Counter()
    for row in rows:
        recording = Instrument().recording(dataset.track(row.track_id), features)
        labels[recording.reference.label[0]] += 1
        assert len(recording.arrays["samples"]) >= 8192
    assert set(labels.values()) == {3}
