"""The embedded chord corpus: repeatable, readable by mirdata, and labelled truthfully."""

import json
import shutil
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest

from mirtrim.corpora.annotations.chords import audio_path, chord_annotation
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.loaders.guitarset import guitarset_table
from mirtrim.corpora.rendering.chords.accompanists import ACCOMPANISTS
from mirtrim.corpora.rendering.chords.harmony import STYLES
from mirtrim.corpora.rendering.chords.mini import MINI_GUITARSET, ChordJob
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, render
from mirtrim.corpora.splits import assert_disjoint
from mirtrim.utils.errors import CorpusError
from tests.corpora.folders import digests

PIECES, SECONDS, SEED = {"train": 6, "validation": 2, "test": 3}, 8.0, 5


def opened(home: Path) -> Any:
    return open_dataset("guitarset", home, home / "index.json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("chords") / "mini"
    MINI_GUITARSET.generate(home, PIECES, SECONDS, SEED)
    return home


def test_same_bytes_twice_and_with_two_processes(made: Path, tmp_path: Path) -> None:
    done: list[int] = []
    MINI_GUITARSET.generate(
        tmp_path / "a", PIECES, SECONDS, SEED, workers=2, progress=lambda i, n: done.append(i)
    )
    assert digests(tmp_path / "a") == digests(made)
    assert done == list(range(1, 12))


def test_a_track_does_not_depend_on_the_others(made: Path, tmp_path: Path) -> None:
    MINI_GUITARSET.generate(tmp_path / "one", {"test": 1}, SECONDS, SEED)
    one, many = digests(tmp_path / "one"), digests(made)
    tracks = [name for name in one if "/" in name]
    assert len(tracks) == 2
    assert all(one[name] == many[name] for name in tracks)


def test_a_damaged_track_is_made_again(made: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(made, tmp_path / "copy"))
    victim = min(home.glob("audio_mono-mic/*"))
    victim.write_bytes(b"damaged")
    min(home.glob("annotation/*")).unlink()
    MINI_GUITARSET.generate(home, PIECES, SECONDS, SEED)
    assert digests(home) == digests(made)


def test_a_published_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "annotation").mkdir()
    (tmp_path / "annotation" / "00_BN1-129-Eb_comp.jams").write_text("someone else's")
    with pytest.raises(CorpusError, match="holds a corpus that was not rendered here"):
        MINI_GUITARSET.generate(tmp_path, PIECES, SECONDS, SEED)


@pytest.mark.parametrize(
    ("pieces", "seconds", "message"),
    [
        ({"train": 1, "valid": 1}, 8.0, "give counts for train, validation, test only"),
        ({"train": 1}, 1.0, "a piece needs at least 4.0 s"),
        ({}, 8.0, "no pieces"),
    ],
)
def test_impossible_sizes(
    tmp_path: Path, pieces: dict[str, int], seconds: float, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        MINI_GUITARSET.generate(tmp_path, pieces, seconds, 0)


def test_mirdata_reads_it(made: Path) -> None:
    dataset = opened(made)
    assert dataset.name == "mini_guitarset"
    assert dataset.validate(verbose=False) == ({"metadata": {}, "tracks": {}},) * 2
    for track in dataset.load_tracks().values():
        samples, rate = track.audio_mic
        assert (rate, len(samples)) == (16_000, round(SECONDS * 16_000))
        assert 0.2 < np.abs(samples).max() < 0.9
        assert track.audio_mix is None
        assert track.mode == "comp"
        assert track.style in ("Rock", "Singer-Songwriter", "Bossa Nova", "Jazz", "Funk")
        assert track.beats.times[1] == pytest.approx(60 / track.tempo)
        assert track.beats.positions[:5].tolist() == [1, 2, 3, 4, 1]
        tonic, mode = track.key_mode.keys[0].split(":")
        assert track.track_id.split("_")[1].endswith(f"-{tonic}")
        assert mode in ("major", "minor")
        played, sheet = track.inferred_chords, track.leadsheet_chords
        np.testing.assert_array_equal(played.intervals, sheet.intervals)
        assert played.labels[0] == sheet.labels[0] == "N"
        roots = [[label.split(":")[0] for label in c.labels] for c in (played, sheet)]
        assert roots[0] == roots[1]


def test_the_lead_sheet_has_triads_and_the_played_chords_have_sevenths(made: Path) -> None:
    qualities: dict[str, set[str]] = {"played": set(), "lead_sheet": set()}
    for track in opened(made).load_tracks().values():
        for annotation, found in qualities.items():
            labels = chord_annotation(track, annotation)[1]
            found |= {label.partition(":")[2] for label in labels}
    assert qualities["lead_sheet"] <= {"", "maj", "min", "sus4", "hdim7"}
    assert {"", "maj", "min", "7", "min7"} <= qualities["played"]


def test_players_are_split(made: Path) -> None:
    rows = guitarset_table(opened(made))
    assert_disjoint(rows)
    assert {split: sum(r.split == split for r in rows) for split in PIECES} == PIECES
    assert all(row.duration_seconds == SECONDS for row in rows)
    assert {row.source for row in rows if row.split == "test"} == {"08", "09", "10"}


def test_names_stay_unique_when_there_are_many(tmp_path: Path) -> None:
    from mirtrim.corpora.rendering.chords.mini import _jobs

    counts = {"train": 900, "validation": 400, "test": 600}
    names = [job.track_id for job in _jobs(counts, 8.0, 0)]
    assert len(set(names)) == 1900


@pytest.mark.parametrize("player", sorted(ACCOMPANISTS))
def test_sound_begins_with_the_chord(player: str) -> None:
    """The first sound after the silent lead-in is at the annotated time, at −40 dB of its peak."""
    for number, style in enumerate(STYLES):
        played = ChordJob(player, number, style, 100 + number, number, False, 6.0, SEED).played()
        samples = np.abs(render(played.parts[:2], 6.0))  # comping and bass
        start = round(played.segments[1].start_seconds * RENDERER_RATE)
        peak = samples[start : start + RENDERER_RATE // 10].max()
        delay = (np.flatnonzero(samples > 0.01 * peak)[0] - start) / RENDERER_RATE
        assert 0 <= delay < 0.005


def agreement(track: Any) -> tuple[np.ndarray, float]:
    """Seconds in which the triad nearest to the chroma is the annotated one, transposed by
    0 … 11 semitones, and seconds in all.
    """
    samples, rate = librosa.load(audio_path(track), sr=None)
    chroma = librosa.feature.chroma_cqt(y=samples, sr=rate, hop_length=512)
    names = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    right, total = np.zeros(12), 0.0
    intervals, labels = chord_annotation(track, "lead_sheet")
    for (start, end), label in zip(intervals, labels, strict=True):
        root, _, quality = label.partition(":")
        if quality not in ("maj", "min"):
            continue
        mean = chroma[:, round(start * rate / 512) : round(end * rate / 512)].mean(axis=1)
        fits = {
            (r, q): sum(mean[(r + i) % 12] for i in (0, third, 7))
            for r in range(12)
            for q, third in (("maj", 4), ("min", 3))
        }
        found_root, found_quality = max(fits, key=lambda key: fits[key])
        right[(found_root - names.index(root)) % 12] += (end - start) * (found_quality == quality)
        total += end - start
    return right, total


def test_the_annotated_chords_are_heard(made: Path) -> None:
    """By librosa's chroma and triad templates, which know nothing of how it was made."""
    counted = [agreement(track) for track in opened(made).load_tracks().values()]
    shares = sum(right for right, _ in counted) / sum(total for _, total in counted)
    assert shares[0] > 0.7
    assert shares[1:].max() < 0.1


def test_a_rendering_says_what_it_is(made: Path) -> None:
    assert json.loads((made / "plan.json").read_text())["corpus"] == "mini_guitarset"
    entry = next(iter(json.loads((made / "index.json").read_text())["tracks"].values()))
    assert entry["audio_hex"] == [None, None]
    assert entry["audio_mic"][0].endswith("_mic.flac")
