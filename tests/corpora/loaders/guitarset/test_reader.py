"""Published GuitarSet: split by player, real annotations, a user's own folder; beatles."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.chords import chord_annotation
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.loaders import guitarset
from mirtrim.corpora.loaders.guitarset import guitarset_table
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.chords.mini import MINI_GUITARSET
from mirtrim.corpora.splits import assert_disjoint
from mirtrim.utils.errors import CorpusError

COMP = ("00_Rock1-100-C_comp", "04_Jazz2-120-F_comp", "05_Funk1-90-A_comp")
SETTINGS: dict[str, Any] = {
    "mode": "audio",
    "folder": None,
    "index": None,
    "minimum_seconds": 0.0,
    "train_share": 1.0,
    "seed": 0,
}


@pytest.fixture
def samples(real_data: Path) -> Any:
    home = real_data / "mirdata_samples"
    index = home / "indexes" / "guitarset_index_1.1.0_sample.json"
    if not index.exists():
        pytest.skip(f"no GuitarSet samples in {home}")
    return open_dataset("guitarset", home / "guitarset", index)


def test_real_annotations_are_read(samples: Any) -> None:
    track = samples.track("03_BN3-119-G_solo")
    intervals, labels = chord_annotation(track, "played")
    assert (intervals.tolist(), labels) == ([[0.0, 2.0]], ["G:maj7/1"])
    assert chord_annotation(track, "lead_sheet")[1] == ["G:maj"]


def test_a_truncated_annotation_is_named(samples: Any) -> None:
    track = samples.track("00_BN1-129-Eb_comp")
    with pytest.raises(CorpusError, match="00_BN1-129-Eb_comp: its chords cannot be read") as found:
        chord_annotation(track, "played")
    assert "\n" not in str(found.value)


def test_the_published_excerpts_are_split_by_player(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = real_data / "indexes" / "guitarset_index_1.1.0.json"
    if not index.exists():
        pytest.skip(f"no {index}")
    monkeypatch.setattr(guitarset, "_duration_seconds", lambda path: 30.0)
    rows = guitarset_table(open_dataset("guitarset", real_data, index))
    assert_disjoint(rows)
    counts = {s: sum(row.split == s for row in rows) for s in ("train", "validation", "test")}
    assert counts == {"train": 120, "validation": 30, "test": 30}
    assert all(row.track_id.startswith(row.source) for row in rows)
    assert all(row.track_id.endswith("_comp") for row in rows)


def renamed(mini: Path, home: Path) -> Path:
    """A folder of three excerpts under names of published players."""
    tracks = {}
    found = sorted(layout.read_index(mini / "index.json").items())
    for (_, entry), name in zip(found, (*COMP, "05_Funk1-90-A_solo"), strict=True):
        files = {
            "jams": f"annotation/{name}.jams",
            "audio_mic": f"audio_mono-mic/{name}_mic.wav",
        }
        tracks[name] = {key: [None, None] for key in entry}
        for key, target in files.items():
            (home / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(mini / entry[key][0], home / target)
            tracks[name][key] = [target, entry[key][1]]
    (home / "official.json").write_text(json.dumps({"version": "x", "tracks": tracks}))
    return home


@pytest.fixture(scope="module")
def users_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("guitarset")
    MINI_GUITARSET.generate(home / "mini", {"train": 2, "validation": 1, "test": 1}, 4.0, 1)
    return renamed(home / "mini", home / "own")


def test_a_users_folder_is_prepared(users_folder: Path, tmp_path: Path) -> None:
    settings = {
        **SETTINGS,
        "loader": "guitarset",
        "folder": str(users_folder),
        "index": str(users_folder / "official.json"),
    }
    prepare(settings, tmp_path, Making())
    dataset, rows = open_prepared(settings, tmp_path)
    assert dataset.name == "guitarset"
    assert [(row.track_id, row.split) for row in rows] == list(
        zip(COMP, ("train", "validation", "test"), strict=True)
    )
    assert chord_annotation(dataset.track(COMP[0]), "played")[1][0] == "N"


def test_a_missing_recording_is_named(users_folder: Path, tmp_path: Path) -> None:
    home = Path(shutil.copytree(users_folder, tmp_path / "own"))
    (home / "audio_mono-mic" / f"{COMP[1]}_mic.wav").unlink()
    settings = {
        **SETTINGS,
        "loader": "guitarset",
        "folder": str(home),
        "index": str(home / "official.json"),
    }
    with pytest.raises(CorpusError, match=f"1 files missing .*{COMP[1]}_mic.wav"):
        prepare(settings, tmp_path / "out", Making())


def test_an_unknown_player_is_named(users_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(guitarset.SPLIT_OF_PLAYER, "05")  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match=r"05_Funk1-90-A_comp has player '05', not one of 00"):
        guitarset_table(open_dataset("guitarset", users_folder, users_folder / "official.json"))


class FakeTrack:
    """A track of a loader with one chord annotation."""

    track_id = "x"

    def __init__(self, intervals: list[list[float]], labels: list[str]) -> None:
        self.chords = type("Chords", (), {"intervals": np.array(intervals), "labels": labels})()


def test_rounding_of_ends_is_repaired_and_overlap_refused() -> None:
    track = FakeTrack([[0.0, 1.0000001], [1.0, 2.0]], ["C:maj", "N"])
    assert chord_annotation(track, "played")[0].tolist() == [[0.0, 1.0], [1.0, 2.0]]
    with pytest.raises(CorpusError, match="track x: its chords overlap"):
        chord_annotation(FakeTrack([[0.0, 1.5], [1.0, 2.0]], ["C:maj", "N"]), "played")
    with pytest.raises(CorpusError, match="track x: its chords overlap or are not in the order"):
        chord_annotation(FakeTrack([[1.0, 2.0], [0.0, 1.0]], ["C:maj", "N"]), "played")
    with pytest.raises(CorpusError, match="track x has no chords"):
        chord_annotation(FakeTrack([], []), "played")


def test_beatles_of_a_user_are_split_by_album(users_folder: Path, tmp_path: Path) -> None:
    """Ten albums, two songs each; lab files in the layout of the isophonics annotations."""
    tracks = {}
    sound = next(iter(sorted((users_folder / "audio_mono-mic").iterdir())))
    for album in range(10):
        for song in range(2):
            name = f"{album:02d}_-_Album_{album}/{song:02d}_-_Song"
            entry = {
                "audio": f"audio/{name}.wav",
                "chords": f"annotations/chordlab/The_Beatles/{name}.lab",
                "sections": f"annotations/seglab/The_Beatles/{name}.lab",
            }
            for key, path in entry.items():
                (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
                if key == "audio":
                    shutil.copyfile(sound, tmp_path / path)
                else:
                    (tmp_path / path).write_text("0.0 1.5 C\n1.5 4.0 A:min7/b3\n")
            tracks[f"{album:02d}{song:02d}"] = {
                "beat": [None, None],
                "keys": [None, None],
                **{k: [p, layout.md5_of_file(tmp_path / p)] for k, p in entry.items()},
            }
    (tmp_path / "own.json").write_text(json.dumps({"version": "x", "tracks": tracks}))
    settings = {
        **SETTINGS,
        "loader": "beatles",
        "folder": str(tmp_path),
        "index": str(tmp_path / "own.json"),
    }
    prepare(settings, tmp_path / "out", Making())
    dataset, rows = open_prepared(settings, tmp_path / "out")
    assert_disjoint(rows)
    assert {row.split for row in rows} == {"train", "validation", "test"}
    assert len({row.source for row in rows}) == 10
    intervals, labels = chord_annotation(dataset.track("0301"), "played")
    assert (intervals.tolist(), labels) == ([[0.0, 1.5], [1.5, 4.0]], ["C", "A:min7/b3"])
