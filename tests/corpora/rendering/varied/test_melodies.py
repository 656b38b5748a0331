"""Melodies in many voices: balanced, in tune with their annotation, several banks, same bits."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample_poly

from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.varied.banks import banks_of
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.rendering.varied.melodies.corpus import (
    MelodyJob,
    annotation,
    melody_jobs,
    perform,
)
from mirtrim.corpora.rendering.varied.melodies.tones import draw_tone, sing
from mirtrim.corpora.rendering.varied.melodies.tuning import deviation, hertz, tuning_of
from mirtrim.corpora.rendering.varied.melodies.voices import (
    COMPUTED,
    HIGHEST,
    LOWEST,
    programs_of,
)
from mirtrim.utils.files import read_json
from mirtrim.utils.seeds import numpy_generator
from tests.corpora.folders import varied_settings
from tests.corpora.rendering.varied.soundfonts import with_programs_exchanged

SETTINGS = varied_settings("mdb_stem_synth", {"train": 3, "validation": 1, "test": 1}, 2.0, 7)


def jobs_of(count: int, banks: list[str] | None = None) -> list[MelodyJob]:
    counts = {"train": count, "validation": 3, "test": 3}
    return melody_jobs(Sounds(banks_of(banks or ["pretty_midi"]), [], counts, 12.0, 1, 2025))


def test_notes_lie_evenly_over_the_promised_range() -> None:
    assert (LOWEST, HIGHEST) == (33, 96)
    assert hertz(LOWEST) == pytest.approx(55.0)
    assert hertz(HIGHEST) == pytest.approx(2093.0, abs=0.01)
    everything = dict.fromkeys(range(LOWEST, HIGHEST + 1), 0.0)
    seconds: Counter[int] = Counter()
    for job in jobs_of(320):
        if job.split == "train":
            rng = numpy_generator(1, job.track_id)
            for note in perform(everything, job.middle, 12.0, rng).notes:
                seconds[note.pitch] += note.end_seconds - note.start_seconds
    assert set(seconds) == set(everything)
    mean = sum(seconds.values()) / len(seconds)
    assert min(seconds.values()) > 0.5 * mean
    assert max(seconds.values()) < 1.8 * mean
    # No octave is heard much more than another.
    octaves = [sum(seconds[p] for p in range(low, low + 12)) for low in range(33, 93, 12)]
    assert max(octaves) / min(octaves) < 1.35


def test_several_banks_and_many_programs_play_and_no_program_is_in_two_splits(
    tmp_path: Path,
) -> None:
    other = with_programs_exchanged(tmp_path / "other.sf2", 0, 1)
    jobs = jobs_of(320, ["pretty_midi", str(other)])
    train = [job for job in jobs if job.split == "train"]
    banks = Counter(job.bank for job in train if job.program != COMPUTED)
    assert min(banks[0], banks[1]) > 60
    assert len({job.program for job in train}) > 50
    assert 60 < sum(job.program == COMPUTED for job in train) < 170
    splits = [set(programs_of(split)) for split in ("train", "validation", "test")]
    assert not (splits[0] & splits[1])
    assert not (splits[0] & splits[2])
    assert not (splits[1] & splits[2])
    assert {job.program for job in train} - {COMPUTED} <= splits[0]


@pytest.mark.parametrize(("program", "pitch"), [(40, 69), (73, 81), (33, 33), (0, 48)])
def test_notes_of_a_bank_are_heard_at_their_pitch(program: int, pitch: int) -> None:
    (bank,) = banks_of(["pretty_midi"])
    tuning = tuning_of(bank, program, pitch, pitch)
    assert abs(tuning[pitch]) < 10


def test_an_organ_that_sounds_an_octave_lower_is_not_played() -> None:
    (bank,) = banks_of(["pretty_midi"])
    assert tuning_of(bank, 16, 45, 69) == {}


@pytest.mark.parametrize("cents", [-45.0, 0.0, 12.5])
@pytest.mark.parametrize("f0", [55.0, 440.0, 2093.0])
def test_a_deviation_is_measured_to_a_cent(f0: float, cents: float) -> None:
    time = np.arange(14_400) / 48_000
    phase = 2 * np.pi * f0 * 2 ** (cents / 1200) * time
    tone = sum(np.sin(k * phase + k) / k for k in range(1, 6))
    assert deviation(tone, f0) == pytest.approx(cents, abs=1.0)


def test_other_octaves_noise_and_silence_have_no_deviation() -> None:
    time = np.arange(14_400) / 48_000
    tone = sum(np.sin(2 * np.pi * 220 * k * time) / k for k in range(1, 6))
    assert deviation(tone, 220.0) == pytest.approx(0, abs=1)
    for wrong in (110.0, 440.0, 330.0, 240.0):
        assert deviation(tone, wrong) is None
    assert deviation(np.random.default_rng(0).normal(size=14_400), 220.0) is None
    assert deviation(np.zeros(14_400), 220.0) is None


@pytest.mark.parametrize("number", range(6))
def test_computed_tones_have_their_pitch(number: int) -> None:
    rng = np.random.default_rng(number)
    tone = draw_tone(rng)
    f0 = float(rng.uniform(60, 1500))
    count = SAMPLE_RATE
    samples = sing(tone, [(0.0, 1.0, 0.8)], np.full(count, f0), SAMPLE_RATE, rng)
    assert samples.shape == (count,)
    assert np.isfinite(samples).all()
    spectrum = np.abs(np.fft.rfft(samples[1600:9600] * np.hanning(8000), 1 << 17))
    hertz_of = np.arange(len(spectrum)) * SAMPLE_RATE / (1 << 17)
    top = float(hertz_of[spectrum.argmax()])
    assert abs(top / f0 - round(top / f0)) < 0.03 * max(1, round(top / f0))


def test_the_annotation_follows_what_is_heard() -> None:
    for job in [job for job in jobs_of(30) if job.program != COMPUTED][:3]:
        performance, dry = job.played()
        times, f0_hz = annotation(performance, dry)
        assert len(times) == len(f0_hz) == 1500
        sounding = f0_hz > 0
        assert 0.2 < sounding.mean() <= 1
        assert f0_hz[sounding].min() > 0.9 * hertz(LOWEST)
        assert f0_hz[sounding].max() < 1.1 * hertz(HIGHEST)
        right = 0
        held = [n for n in performance.notes if n.end_seconds - n.start_seconds > 0.25][:8]
        for note in held:
            middle = (note.start_seconds + note.end_seconds) / 2
            first = round((middle - 0.06) * SAMPLE_RATE)
            part = resample_poly(dry[first : first + 1920], 3, 1)  # 48 kHz
            index = round(middle / 0.008)
            if f0_hz[index] > 100:
                found = deviation(part, float(f0_hz[index]))
                right += found is not None and abs(found) < 50
            else:
                right += 1
        assert right >= 0.7 * len(held)


def test_a_corpus_has_the_same_bytes_for_the_same_seed_and_names_its_banks(
    tmp_path: Path,
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        prepare(SETTINGS, folder, Making())
    for path in sorted(folders[0].rglob("*")):
        if path.is_file():
            twin = folders[1] / path.relative_to(folders[0])
            assert path.read_bytes() == twin.read_bytes(), path.name
    (bank,) = banks_of(["pretty_midi"])
    used = read_json(folders[0] / "banks.json")["sounds"]
    assert used == [{"name": "TimGM6mb.sf2", "sha256": bank.digest}]
    dataset, rows = open_prepared(SETTINGS, folders[0])
    assert Counter(row.split for row in rows) == {"train": 3, "validation": 1, "test": 1}
    assert dataset.track(rows[0].track_id).f0.frequencies.shape == (250,)


def test_another_bank_makes_the_corpus_anew(tmp_path: Path) -> None:
    settings = {**SETTINGS, "pieces": {"train": 1, "validation": 1, "test": 1}}
    prepare(settings, tmp_path / "corpus", Making())
    before = read_json(tmp_path / "corpus" / "index.json")
    other = with_programs_exchanged(tmp_path / "other.sf2", 0, 1)
    prepare({**settings, "banks": [str(other)]}, tmp_path / "corpus", Making())
    assert read_json(tmp_path / "corpus" / "index.json")["version"] != before["version"]
