"""The embedded f0 corpus as a folder: repeatable, readable by mirdata, its f0 true."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.published.official import split_rows
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.melodies.mini import MINI_STEMS, annotation
from mirtrim.corpora.splits import assert_disjoint
from mirtrim.utils.errors import CorpusError
from tests.corpora import folders
from tests.corpora.loaders.mdb_stem_synth.f0_measurement import measured_cents

PIECES, SECONDS, SEED = {"train": 3, "validation": 2, "test": 2}, 5.0, 7
SETTINGS = {
    "loader": "mdb_stem_synth",
    "mode": "embedded",
    "folder": None,
    "index": None,
    "pieces": PIECES,
    "piece_seconds": SECONDS,
    "seed": SEED,
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("f0") / "mini"
    prepare(SETTINGS, folder, Making())
    return folder


def digests(home: Path) -> dict[str, str]:
    return folders.digests(home, "*stems/*")


def test_same_bytes_with_two_processes(prepared: Path, tmp_path: Path):
    MINI_STEMS.generate(tmp_path, PIECES, SECONDS, SEED, workers=2)
    assert digests(tmp_path) == digests(prepared)
    assert len(digests(tmp_path)) == 14


def test_a_track_does_not_depend_on_the_others(prepared: Path, tmp_path: Path):
    MINI_STEMS.generate(tmp_path, {"test": 1}, SECONDS, SEED)
    assert len(digests(tmp_path)) == 2
    assert digests(tmp_path).items() <= digests(prepared).items()


def test_a_damaged_track_is_made_again(prepared: Path, tmp_path: Path):
    MINI_STEMS.generate(tmp_path, {"test": 1}, SECONDS, SEED)
    before = digests(tmp_path)
    for path in tmp_path.rglob("*stems/*"):
        path.write_bytes(b"damage")
    MINI_STEMS.generate(tmp_path, {"test": 1}, SECONDS, SEED)
    assert digests(tmp_path) == before


def test_mirdata_reads_it(prepared: Path):
    dataset, rows = open_prepared(SETTINGS, prepared)
    assert dataset.name == "mini_mdb_stem_synth"
    assert [row.split for row in rows].count("train") == 3
    for track in dataset.load_tracks().values():
        samples, rate = track.audio
        assert (len(samples), rate) == (80_000, 16_000)
        assert len(track.f0.times) == 625
        np.testing.assert_allclose(np.diff(track.f0.times), 0.008, atol=1e-6)
        assert 0.3 < track.f0.voicing.mean() < 0.99


def test_splits_share_neither_tune_nor_soloist(prepared: Path):
    _, rows = open_prepared(SETTINGS, prepared)
    assert_disjoint(rows)
    assert len({row.source for row in rows}) == 7
    soloists = {(row.track_id.split("_")[1], row.split) for row in rows}
    assert len({name for name, _ in soloists}) == len(soloists) == 7


def test_f0_is_what_sounds_in_the_noisy_recording(prepared: Path):
    dataset, _ = open_prepared(SETTINGS, prepared)
    errors = []
    for track in dataset.load_tracks().values():
        samples, rate = soundfile.read(track.audio_path)
        f0 = track.f0.frequencies
        for value in range(15, len(f0) - 15, 27):
            around = f0[value - 14 : value + 6]
            # Well inside a note that neither glides nor shakes.
            if around.min() > 0 and np.ptp(1200 * np.log2(around)) < 5:
                half = round(min(0.03, 10 / f0[value]) * rate)
                here = round(track.f0.times[value] * rate)
                errors.append(measured_cents(samples[here - half : here + half], rate, f0[value]))
    assert len(errors) > 30
    assert np.median(np.abs(errors)) < 2
    assert np.quantile(np.abs(errors), 0.9) < 5


def test_silence_begins_30_decibels_below_the_loudest_moment():
    class Still:
        def f0_hz(self, times: np.ndarray) -> np.ndarray:
            return np.full(len(times), 440.0)

    loud = np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    sound = np.concatenate([loud, 0.04 * loud, 0.02 * loud])  # 0, −28.0 and −34.0 dB
    times, f0 = annotation(Still(), sound.astype(np.float32))
    assert len(times) == 375
    np.testing.assert_array_equal(f0[5:245], 440)
    np.testing.assert_array_equal(f0[255:], 0)


def test_published_tracks_are_split_by_artist():
    # Eight artists with five stems each, of three songs.
    ids = [f"Artist{i % 8}_Song{i % 3}_STEM_{i:02d}" for i in range(40)]
    tracks = {track_id: SimpleNamespace(track_id=track_id) for track_id in ids}
    rows = split_rows("mdb_stem_synth", tracks, dict.fromkeys(ids, 60.0), 0)
    assert_disjoint(rows)
    assert {row.source for row in rows} == {f"Artist{i}" for i in range(8)}
    assert {row.split for row in rows} == {"train", "validation", "test"}


def test_impossible_sizes_are_refused(tmp_path: Path):
    with pytest.raises(CorpusError, match="at least 2"):
        MINI_STEMS.generate(tmp_path, {"train": 1}, 1.0, 0)
    with pytest.raises(CorpusError, match="no pieces"):
        MINI_STEMS.generate(tmp_path, {"train": 0}, 5.0, 0)
