"""The embedded corpus as a folder: repeatable, resumable, readable by mirdata."""

import errno
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirtrim.corpora.annotations.drums import drum_onsets
from mirtrim.corpora.annotations.groove_info import read_info
from mirtrim.corpora.loaders.groove_midi import open_groove
from mirtrim.corpora.rendering.drums.mini import MINI_GROOVE, MiniJob
from mirtrim.corpora.validation import validate
from mirtrim.utils.errors import CorpusError
from tests.corpora.folders import digests

# As in the fixture `made_corpus`.
PIECES, SECONDS, SEED = {"train": 3, "validation": 2, "test": 2}, 4.0, 7


def test_same_bytes_twice_and_with_two_processes(made_corpus: Path, tmp_path: Path):
    done = []
    MINI_GROOVE.generate(
        tmp_path / "again", PIECES, SECONDS, SEED, workers=2, progress=lambda i, n: done.append(i)
    )
    assert digests(tmp_path / "again") == digests(made_corpus)
    assert done == [1, 2, 3, 4, 5, 6, 7]


def test_a_track_does_not_depend_on_the_others(made_corpus: Path, tmp_path: Path):
    MINI_GROOVE.generate(tmp_path / "one", {"train": 1}, SECONDS, SEED)
    one, many = digests(tmp_path / "one"), digests(made_corpus)
    tracks = [name for name in one if name.startswith("drummer")]
    assert len(tracks) == 2
    assert all(one[name] == many[name] for name in tracks)


def test_another_seed_gives_other_audio(made_corpus: Path, tmp_path: Path):
    MINI_GROOVE.generate(tmp_path / "other", {"train": 1}, SECONDS, SEED + 1)
    audio = {d for name, d in digests(tmp_path / "other").items() if name.endswith(".flac")}
    assert not audio & set(digests(made_corpus).values())


def test_mirdata_reads_it(made_corpus: Path):
    dataset = open_groove(made_corpus)
    assert dataset.name == "mini_groove_midi"
    assert dataset.validate(verbose=False) == (
        {"metadata": {}, "tracks": {}},
        {"metadata": {}, "tracks": {}},
    )
    for track in dataset.load_tracks().values():
        samples, rate = track.audio
        assert rate == 22_050  # the loader resamples
        assert len(samples) == round(SECONDS * rate)
        assert track.duration == SECONDS
        assert 60 <= track.tempo <= 200
        assert track.drummer == track.track_id.split("/")[0]
        assert len(track.drum_events.events) == len(track.midi.instruments[0].notes)
        assert track.beats.times[1] == pytest.approx(60 / track.tempo, rel=0.01)
        times, labels = drum_onsets(track)
        assert 0 < times[0] < times[-1] < SECONDS
        assert {"kick", "hihat"} <= set(labels)


def test_audio_is_neither_silent_nor_clipped(made_corpus: Path):
    for path in made_corpus.rglob("*.flac"):
        samples, rate = soundfile.read(path, dtype="int16")
        assert rate == 16_000
        assert samples.shape == (round(SECONDS * 16_000),)
        assert 32767 / 4 - 50 < np.abs(samples.astype(int)).max() < 32767 * 0.9
        assert np.sqrt(np.mean((samples / 32768) ** 2)) > 0.005


def test_a_finished_folder_is_left_alone(corpus: Path):
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*")}
    MINI_GROOVE.generate(corpus, PIECES, SECONDS, SEED)
    assert {path: path.stat().st_mtime_ns for path in corpus.rglob("*")} == before


def test_a_killed_run_goes_on(corpus: Path, made_corpus: Path):
    lost = next(corpus.rglob("*.flac"))
    kept = [path for path in corpus.rglob("drummer*/*/*") if path.stem != lost.stem]
    assert len(kept) == 12
    before = {path: path.stat().st_mtime_ns for path in kept}
    lost.unlink()
    (corpus / "index.json").unlink()
    with pytest.raises(CorpusError, match=r"index.json: index not found"):
        open_groove(corpus, corpus / "index.json")
    MINI_GROOVE.generate(corpus, PIECES, SECONDS, SEED)
    assert digests(corpus) == digests(made_corpus)
    assert {path: path.stat().st_mtime_ns for path in kept} == before


def test_a_damaged_track_is_repaired(corpus: Path, made_corpus: Path):
    path = next(corpus.rglob("*.flac"))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorpusError, match="1 files damaged"):
        validate(open_groove(corpus), corpus)
    MINI_GROOVE.generate(corpus, PIECES, SECONDS, SEED)
    assert digests(corpus) == digests(made_corpus)


@pytest.mark.parametrize("name", ["index.json", "plan.json"])
def test_an_unreadable_book_is_rewritten(corpus: Path, made_corpus: Path, name: str):
    (corpus / name).write_text("{")
    MINI_GROOVE.generate(corpus, PIECES, SECONDS, SEED)
    assert digests(corpus) == digests(made_corpus)


def test_other_parameters_replace_the_corpus(corpus: Path):
    MINI_GROOVE.generate(corpus, {"train": 1, "test": 1}, SECONDS, SEED + 1)
    assert len(list(corpus.rglob("*.flac"))) == 2
    assert len(open_groove(corpus).track_ids) == 2


def test_a_foreign_corpus_is_not_overwritten(tmp_path: Path):
    (tmp_path / "info.csv").write_text("someone else's")
    with pytest.raises(CorpusError, match="holds a corpus that was not rendered here"):
        MINI_GROOVE.generate(tmp_path, PIECES, SECONDS, SEED)
    assert (tmp_path / "info.csv").read_text() == "someone else's"


def test_a_full_disk_is_one_line_and_leaves_no_index(tmp_path: Path, monkeypatch):
    def full(self: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CorpusError, match=r"No space left on device; free some space") as caught:
        MINI_GROOVE.generate(tmp_path / "c", {"train": 1}, SECONDS, SEED)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "c" / "index.json").exists()
    assert not list((tmp_path / "c").rglob("*.flac"))


def test_an_error_in_a_process_reaches_the_caller(corpus: Path, tmp_path: Path):
    rows = list(read_info(corpus / "info.csv").values())
    blocked = tmp_path / "new"
    for row in rows:
        (blocked / row.audio_filename).mkdir(parents=True)
    from mirtrim.corpora.rendering.production import _run

    with pytest.raises(CorpusError, match="Is a directory; move it away"):
        list(_run(blocked, [MiniJob(row, SEED) for row in rows], workers=2))


def test_a_script_without_main_guard_runs_once(tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from mirtrim.corpora.rendering.drums.mini import MINI_GROOVE\n"
        "print('started', flush=True)\n"
        f"MINI_GROOVE.generate(Path({str(tmp_path / 'c')!r}), {{'train': 2}}, 2.0, 0, workers=2)\n"
    )
    result = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["started"]
    assert (tmp_path / "c" / "index.json").exists()


@pytest.mark.parametrize(
    ("pieces", "seconds", "message"),
    [
        ({"train": 1, "valid": 1}, 4.0, "give counts for train, validation, test only"),
        ({"train": -1}, 4.0, "give counts"),
        ({"train": 1}, 1.0, "piece_seconds 1.0: a piece needs at least 2.0 s"),
        ({}, 4.0, "no pieces"),
    ],
)
def test_impossible_sizes(tmp_path: Path, pieces: dict[str, int], seconds: float, message: str):
    with pytest.raises(CorpusError, match=message):
        MINI_GROOVE.generate(tmp_path, pieces, seconds, 0)


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 1}', '{"tracks": [1]}', "\ud800"])
def test_an_unreadable_index_is_named(corpus: Path, text: str):
    (corpus / "index.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(CorpusError, match="index.json: index not a mirdata index"):
        open_groove(corpus)


def test_a_missing_or_damaged_info_is_named(corpus: Path):
    (corpus / "info.csv").write_text("id,bpm\nx,fast\n")
    with pytest.raises(CorpusError, match="info.csv: no valid table of tracks"):
        open_groove(corpus)
    (corpus / "info.csv").unlink()
    with pytest.raises(CorpusError, match="info.csv: no valid table of tracks"):
        open_groove(corpus)
