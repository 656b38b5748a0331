"""The generic reader, against a server on this machine and against real files."""

import hashlib
import io
import itertools
import json
import os
import shutil
import signal
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import mirdata
import numpy as np
import pytest
import soundfile
from mirdata import core, download_utils
from mirdata.datasets import gtzan_genre, tinysol

from mirtrim.corpora.fetching import fetch, unpacking
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.published import remotes
from mirtrim.corpora.published.official import label_of
from mirtrim.corpora.reader import Making
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.errors import ConfigError, CorpusError

SETTINGS: dict[str, Any] = {
    "loader": "tinysol",
    "mode": "audio",
    "folder": None,
    "index": None,
    "minimum_seconds": 0,
    "train_share": 1,
    "seed": 0,
}
GENRE = {**SETTINGS, "loader": "gtzan_genre", "version": "mini"}
INDEX = "tinysol_index_6.0.json"
HEADER = (
    "Path,Fold,Family,Instrument (abbr.),Instrument (in full),Technique (abbr.),"
    "Technique (in full),Pitch,Pitch ID,Dynamics,Dynamics ID,Instance ID,"
    "String ID (if applicable),Needed digital retuning\n"
)


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def tone(pitch_hz: float) -> bytes:
    stream = io.BytesIO()
    wave = 0.1 * np.sin(2 * np.pi * pitch_hz * np.arange(8000) / 8000)
    soundfile.write(stream, wave, 8000, format="WAV")
    return stream.getvalue()


def tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def notes() -> dict[str, tuple[bytes, str]]:
    """Path in the archive → audio, row of the table: three instruments, five folds."""
    result = {}
    for fold in range(5):
        for number, name in enumerate(("Accordion", "Flute", "Oboe")):
            path = f"Winds/{name}/ordinario/{name}-ord-{fold}.wav"
            row = f"{path},{fold},Winds,{name},{name},ord,ordinario,A4,69,mf,2,0,,FALSE\n"
            result[path] = tone(220.0 * (number + 1) + fold), row
    return result


@pytest.fixture
def server(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small tinysol as if it were published: a tar archive, a table and an index."""
    made = notes()
    table = (HEADER + "".join(row for _, row in made.values())).encode()
    index = {
        "version": "6.0",
        "metadata": {"TinySOL_metadata": ["annotation/TinySOL_metadata.csv", md5(table)]},
        "tracks": {
            Path(path).stem: {"audio": [f"audio/{path}", md5(content)]}
            for path, (content, _) in made.items()
        },
    }
    loopback.files = {
        "/audio.tar.gz": tar({path: content for path, (content, _) in made.items()}),
        "/table.csv": table,
        "/index.json": json.dumps(index).encode(),
    }
    remote = download_utils.RemoteFileMetadata
    monkeypatch.setattr(
        tinysol,
        "REMOTES",
        {
            "audio": remote(
                "TinySOL.tar.gz",
                f"{loopback.url}/audio.tar.gz",
                md5(loopback.files["/audio.tar.gz"]),
                destination_dir="audio",
            ),
            "annotations": remote(
                "TinySOL_metadata.csv",
                f"{loopback.url}/table.csv",
                md5(table),
                destination_dir="annotation",
            ),
        },
    )
    patch_index(monkeypatch, tinysol, "6.0", INDEX, loopback)
    return loopback


def patch_index(
    monkeypatch: pytest.MonkeyPatch,
    loader: Any,
    version: str,
    name: str,
    loopback: Any,
    partial_download: list[str] | None = None,
) -> None:
    address, checksum = f"{loopback.url}/index.json", md5(loopback.files["/index.json"])
    index = core.Index(name, address, checksum, partial_download)
    monkeypatch.setattr(loader, "INDEXES", {**loader.INDEXES, version: index})


def test_fetch_split_and_read(server: Any, tmp_path: Path) -> None:
    told: list[str] = []
    sizes_known_at: list[int] = []

    def tell(text: str) -> None:
        told.append(text)
        sizes_known_at.append(len(server.requests))

    prepare(SETTINGS, tmp_path, Making(tell=tell))
    dataset, rows = open_prepared(SETTINGS, tmp_path)
    # The accordion is left out; folds 0 to 2 train, 3 validates, 4 tests.
    assert {s: [r.track_id for r in rows if r.split == s] for s in SPLITS} == {
        "train": [f"{n}-ord-{fold}" for n in ("Flute", "Oboe") for fold in range(3)],
        "validation": ["Flute-ord-3", "Oboe-ord-3"],
        "test": ["Flute-ord-4", "Oboe-ord-4"],
    }
    assert rows[0].duration_seconds == 1.0
    assert dataset.track("Flute-ord-3").instrument_full == "Flute"
    size = len(server.files["/audio.tar.gz"]) / 1e6
    line = next(line for line in told if "audio.tar.gz" in line)
    assert f"{size:.3g} MB" in line
    assert "Creative Commons Attribution 4.0" in line
    assert set(sizes_known_at) == {0}  # before any file is asked for
    assert not (tmp_path / ".download").exists()
    assert not Path(mirdata.initialize("tinysol").index_path).exists()


def test_a_complete_folder_is_left_alone(server: Any, tmp_path: Path) -> None:
    prepare(SETTINGS, tmp_path, Making())
    seen = len(server.requests) + len(server.heads)
    prepare(SETTINGS, tmp_path, Making())
    assert len(server.requests) + len(server.heads) == seen


def test_a_lost_file_is_fetched_again(server: Any, tmp_path: Path) -> None:
    prepare(SETTINGS, tmp_path, Making())
    (tmp_path / "audio/Winds/Oboe/ordinario/Oboe-ord-0.wav").unlink()
    prepare(SETTINGS, tmp_path, Making())


def test_a_damaged_file_is_named(server: Any, tmp_path: Path) -> None:
    prepare(SETTINGS, tmp_path, Making())
    (tmp_path / "audio/Winds/Oboe/ordinario/Oboe-ord-0.wav").write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match="1 files damaged .audio/Winds/Oboe/ordinario/Oboe-ord-0"):
        prepare(SETTINGS, tmp_path, Making())


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_transfer_goes_on(server: Any, tmp_path: Path, ranges: bool) -> None:
    server.cut["/audio.tar.gz"] = 300
    server.ranges = ranges
    total = len(server.files["/audio.tar.gz"])
    with pytest.raises(CorpusError, match=f"after 300 of {total} bytes; run again"):
        prepare(SETTINGS, tmp_path, Making())
    assert not (tmp_path / "corpus.json").exists()
    prepare(SETTINGS, tmp_path, Making())
    assert ("/audio.tar.gz", "bytes=300-") in server.requests
    assert len(open_prepared(SETTINGS, tmp_path)[1]) == 10


@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        (os, "replace", 1),  # the index has been fetched under another name
        (os, "replace", 3),
        (tarfile.TarFile, "makefile", 6),  # unpacking
        (os, "replace", 4),  # moving to its place
        (os, "replace", 12),
        (os, "replace", 20),  # the index is moved, what has been fetched is written down
        (shutil, "rmtree", 1),
    ],
)
def test_a_killed_fetch_goes_on(
    server: Any, tmp_path: Path, module: Any, name: str, call: int
) -> None:
    prepare(SETTINGS, tmp_path / "undisturbed", Making())
    server.requests.clear()
    child = os.fork()
    if child == 0:
        original, calls = getattr(module, name), itertools.count(1)

        def killing(*arguments: Any, **more: Any) -> Any:
            if next(calls) == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **more)

        setattr(module, name, killing)
        try:
            prepare(SETTINGS, tmp_path / "killed", Making())
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert not (tmp_path / "killed/corpus.json").exists()
    prepare(SETTINGS, tmp_path / "killed", Making())
    contents = [
        {p.relative_to(home): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        for home in (tmp_path / "undisturbed", tmp_path / "killed")
    ]
    assert contents[0] == contents[1]
    assert [path for path, _ in server.requests].count("/audio.tar.gz") == 1


def test_a_wrong_checksum_removes_that_file_only(server: Any, tmp_path: Path) -> None:
    right = server.files["/table.csv"]
    server.files["/table.csv"] = right[:-2] + b"?\n"
    with pytest.raises(
        CorpusError, match="checksum of TinySOL_metadata.csv is not the published one"
    ):
        prepare(SETTINGS, tmp_path, Making())
    server.files["/table.csv"] = right
    prepare(SETTINGS, tmp_path, Making())
    assert [path for path, _ in server.requests].count("/audio.tar.gz") == 1


def test_a_dead_link_is_found_before_anything_is_fetched(server: Any, tmp_path: Path) -> None:
    del server.files["/table.csv"]
    with pytest.raises(CorpusError, match="/table.csv: server answers 404 Not Found") as caught:
        prepare(SETTINGS, tmp_path, Making())
    assert "\n" not in str(caught.value)
    assert server.requests == []


def test_no_connection(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = download_utils.RemoteFileMetadata("a.csv", "http://127.0.0.1:9/a.csv", "0")
    monkeypatch.setattr(tinysol, "REMOTES", {"annotations": dead})
    with pytest.raises(CorpusError, match="connection failed after 0 bytes"):
        prepare(SETTINGS, tmp_path, Making())


def test_a_server_that_tells_no_sizes(server: Any, tmp_path: Path) -> None:
    server.tells_sizes = False
    told: list[str] = []
    prepare(SETTINGS, tmp_path, Making(tell=told.append))
    assert sum("unknown size" in line for line in told) == 2


def test_a_full_disk(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(CorpusError, match="needed to fetch and unpack TinySOL.tar.gz and Tiny"):
        prepare(SETTINGS, tmp_path, Making())
    assert server.requests == []


def test_an_archive_that_links_elsewhere(server: Any, tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        link = tarfile.TarInfo("Winds/evil")
        link.type, link.linkname = tarfile.SYMTYPE, "../../../etc"
        archive.addfile(link)
    path = tmp_path / "evil.tar.gz"
    path.write_bytes(stream.getvalue())
    with pytest.raises(CorpusError, match="holds a file outside its folder"):
        unpacking._members(path)


def test_only_the_index_is_fetched_for_a_folder_of_the_user(server: Any, tmp_path: Path) -> None:
    prepare(SETTINGS, tmp_path / "mine", Making())
    mine = {p for p in (tmp_path / "mine").rglob("*") if p.is_file()}
    (tmp_path / "mine" / INDEX).unlink()
    server.requests.clear()
    settings = {**SETTINGS, "folder": str(tmp_path / "mine")}
    prepare(settings, tmp_path / "corpus", Making())
    assert [path for path, _ in server.requests] == ["/index.json"]
    assert (tmp_path / "corpus" / INDEX).exists()
    assert {p for p in (tmp_path / "mine").rglob("*") if p.is_file()} < mine
    assert len(open_prepared(settings, tmp_path / "corpus")[1]) == 10


@pytest.fixture
def genre_server(loopback: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """gtzan_genre `mini` as published: two archives, packed anew by their host."""
    audio = {
        f"gtzan_mini-main/genres/{g}/{g}.0000{n}.wav": tone(200.0 + 20 * n)
        for g in ("blues", "rock")
        for n in range(5)
    }
    index: dict[str, Any] = {"version": "mini", "tracks": {}}
    beats = {}
    for path, content in audio.items():
        name = Path(path).stem
        genre, number = name.split(".")
        entry = {"audio": [path, md5(content)]}
        for kind, ending in (("beats", "beats"), ("tempo", "bpm")):
            text = f"0.5 1\n{name}".encode()
            where = f"gtzan_tempo_beat-main/{kind}/gtzan_{genre}_{number}.{ending}"
            beats[where] = text
            entry[kind] = [where, md5(text)]
        index["tracks"][name] = entry
    loopback.files = {
        "/mini/archive/main.zip": zipped(audio),
        "/beat/archive/main.zip": zipped(beats),
        "/index.json": json.dumps(index).encode(),
    }
    remote = download_utils.RemoteFileMetadata
    monkeypatch.setattr(
        gtzan_genre,
        "REMOTES",
        {
            "all": remote("genres.tar.gz", f"{loopback.url}/dead.tar.gz", "0"),
            "mini": remote("main.zip", f"{loopback.url}/mini/archive/main.zip", "0" * 32),
            "tempo_beat_annotations": remote(
                "annot.zip", f"{loopback.url}/beat/archive/main.zip", "0" * 32
            ),
        },
    )
    monkeypatch.setattr(remotes, "REPACKED", (loopback.url, "/archive/"))
    parts = ["mini", "tempo_beat_annotations"]
    name = "gtzan_genre_1.0_mini_index.json"
    patch_index(monkeypatch, gtzan_genre, "mini", name, loopback, parts)
    return loopback


def test_the_parts_of_a_version(genre_server: Any, tmp_path: Path) -> None:
    prepare(GENRE, tmp_path, Making())
    _, rows = open_prepared(GENRE, tmp_path)
    assert [sum(r.split == s for r in rows) for s in SPLITS] == [6, 2, 2]
    assert all("dead" not in path for path in genre_server.heads)


def test_some_parts_only_and_the_rest_later(genre_server: Any, tmp_path: Path) -> None:
    settings = {**GENRE, "parts": ["mini"]}
    prepare(settings, tmp_path, Making())
    assert len(open_prepared(settings, tmp_path)[1]) == 10
    assert not (tmp_path / "gtzan_tempo_beat-main").exists()
    prepare(GENRE, tmp_path, Making())
    assert (tmp_path / "gtzan_tempo_beat-main").exists()


def test_a_repacked_archive_is_checked_by_its_files(genre_server: Any, tmp_path: Path) -> None:
    path = "/mini/archive/main.zip"
    right = genre_server.files[path]
    with zipfile.ZipFile(io.BytesIO(right)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = "gtzan_mini-main/genres/rock/rock.00002.wav"
    genre_server.files[path] = zipped({**files, name: tone(999.0)})
    with pytest.raises(CorpusError, match=f"1 files damaged .{name}"):
        prepare(GENRE, tmp_path, Making())
    genre_server.files[path] = right
    prepare(GENRE, tmp_path, Making())


def test_what_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown loader 'gtzan'; known: .*gtzan_genre"):
        prepare({**SETTINGS, "loader": "gtzan"}, tmp_path, Making())
    with pytest.raises(ConfigError, match="loader tinysol has no mode 'embedded'; known: audio"):
        prepare({**SETTINGS, "mode": "embedded"}, tmp_path, Making())
    with pytest.raises(ConfigError, match="version 7: Invalid version 7.*correct `version`"):
        prepare({**SETTINGS, "version": "7"}, tmp_path, Making())
    with pytest.raises(ConfigError, match="loader tinysol has no part 'video'; known: anno"):
        prepare({**SETTINGS, "parts": ["video"]}, tmp_path, Making())
    with pytest.raises(CorpusError, match="baf: mirdata downloads nothing of it .*set `folder`"):
        prepare({**SETTINGS, "loader": "baf"}, tmp_path, Making())


def test_real_genres(real_data: Path, tmp_path: Path) -> None:
    index = real_data / "indexes" / "gtzan_genre_1.0_mini_index.json"
    if not (real_data / "gtzan_genre").is_dir() or not index.exists():
        pytest.skip(f"no gtzan_genre in {real_data}")
    settings = {**GENRE, "folder": str(real_data / "gtzan_genre"), "index": str(index)}
    prepare(settings, tmp_path, Making())
    dataset, rows = open_prepared(settings, tmp_path)
    for split, per_genre in zip(SPLITS, (6, 2, 2), strict=True):
        genres = [dataset.track(row.track_id).genre for row in rows if row.split == split]
        assert len(set(genres)) == 10
        assert all(genres.count(genre) == per_genre for genre in genres)


@pytest.mark.parametrize(
    ("loader", "index", "label"),
    [
        ("tinysol", "tinysol_index_6.0_sample.json", "Contrabass"),
        ("medley_solos_db", "medley_solos_db_index_1.2_sample.json", "flute"),
    ],
)
def test_real_samples_are_opened(real_data: Path, loader: str, index: str, label: str) -> None:
    home = real_data / "mirdata_samples"
    if not (home / loader).is_dir():
        pytest.skip(f"no samples of {loader} in {home}")
    settings = {
        **SETTINGS,
        "loader": loader,
        "folder": str(home / loader),
        "index": str(home / "indexes" / index),
    }
    dataset = published.open_corpus(loader, settings, Path("unused"))
    labels = [label_of(track) for track in dataset.load_tracks().values()]
    assert label in labels
