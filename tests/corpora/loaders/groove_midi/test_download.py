"""Fetching, against a server on this machine that serves a small archive of the real layout."""

import hashlib
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mirtrim.corpora import layout
from mirtrim.corpora.fetching.publication import Remote
from mirtrim.corpora.loaders import groove_midi as download
from mirtrim.corpora.loaders.groove_midi import download_groove, open_groove
from mirtrim.corpora.validation import validate
from mirtrim.utils.errors import CorpusError

INDEX = "groove_midi_index_1.0.0.json"


@pytest.fixture
def server(loopback: Any, made_corpus: Path, monkeypatch) -> Any:
    """The generated corpus as if it were published: archives with a top folder, and an index."""
    info = (made_corpus / "info.csv").read_bytes()
    index = (made_corpus / "index.json").read_bytes()
    files = {
        str(path.relative_to(made_corpus)): path.read_bytes()
        for path in made_corpus.rglob("drummer*/*/*")
    }
    midi = {name: content for name, content in files.items() if name.endswith(".mid")}
    loopback.files = {
        "/midi.zip": zipped({"info.csv": info, "README": b"see the paper", **midi}),
        "/all.zip": zipped({"info.csv": info, **files}),
        "/index.json": index,
    }
    checksum = hashlib.md5(loopback.files["/all.zip"]).hexdigest()
    monkeypatch.setattr(
        download,
        "SOURCES",
        {
            "midi": groove_remote("midi", f"{loopback.url}/midi.zip", None),
            "all": groove_remote("all", f"{loopback.url}/all.zip", checksum),
        },
    )
    monkeypatch.setattr(
        download,
        "INDEX_SOURCE",
        Remote("index", f"{loopback.url}/index.json", INDEX, hashlib.md5(index).hexdigest()),
    )
    return loopback


def groove_remote(part: str, url: str, checksum: str | None) -> Remote:
    return Remote(part, url, f"{part}.zip", checksum, unpack_folders=("groove",), megabytes=1)


def zipped(files: dict[str, bytes], top: str = "groove/") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
    return stream.getvalue()


@pytest.mark.parametrize("part", ["midi", "all"])
def test_fetch_and_read(server: Any, tmp_path: Path, part: str):
    told: list[str] = []
    counted: list[tuple[int, int]] = []
    download_groove(tmp_path, part, told.append, lambda i, n: counted.append((i, n)))
    dataset = open_groove(tmp_path)
    assert len(dataset.track_ids) == 7
    validate(dataset, tmp_path, ["midi"] if part == "midi" else None)
    assert not (tmp_path / ".download").exists()
    assert any("1 MB" in line and "CC BY 4.0" in line and str(tmp_path) in line for line in told)
    assert counted[-1] == (len(server.files[f"/{part}.zip"]),) * 2
    seen = len(server.requests)
    download_groove(tmp_path, part)
    assert len(server.requests) == seen


def test_audio_can_be_added_to_midi(server: Any, tmp_path: Path):
    download_groove(tmp_path, "midi")
    download_groove(tmp_path, "all")
    validate(open_groove(tmp_path), tmp_path)


def test_the_index_alone(server: Any, corpus: Path):
    (corpus / "index.json").unlink()
    download_groove(corpus, "index")
    validate(open_groove(corpus), corpus)
    assert [path for path, _ in server.requests] == ["/index.json"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_goes_on(server: Any, tmp_path: Path, ranges: bool):
    server.cut["/all.zip"] = 5000
    server.ranges = ranges
    total = len(server.files["/all.zip"])
    with pytest.raises(CorpusError, match=f"after 5000 of {total} bytes; run again"):
        download_groove(tmp_path, "all")
    assert not (tmp_path / INDEX).exists()
    download_groove(tmp_path, "all")
    assert server.requests[-1] == ("/all.zip", "bytes=5000-")
    validate(open_groove(tmp_path), tmp_path)


def test_a_longer_rest_than_the_file_starts_anew(server: Any, tmp_path: Path):
    (tmp_path / ".download").mkdir()
    (tmp_path / ".download" / "midi.zip.partial").write_bytes(
        b"x" * (len(server.files["/midi.zip"]) + 9)
    )
    download_groove(tmp_path, "midi")
    validate(open_groove(tmp_path), tmp_path, ["midi"])


def test_a_wrong_checksum_removes_the_archive(server: Any, tmp_path: Path):
    whole = server.files["/all.zip"]
    server.files["/all.zip"] = whole[:-1] + b"?"
    with pytest.raises(CorpusError, match=r"all.zip is not the published one; it was removed"):
        download_groove(tmp_path, "all")
    assert not list(tmp_path.rglob("*.zip"))
    assert not (tmp_path / INDEX).exists()
    server.files["/all.zip"] = whole
    download_groove(tmp_path, "all")
    validate(open_groove(tmp_path), tmp_path)


def test_a_changed_midi_file_in_the_archive_is_found(server: Any, tmp_path: Path):
    with zipfile.ZipFile(io.BytesIO(server.files["/midi.zip"])) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in files if name.endswith(".mid"))
    server.files["/midi.zip"] = zipped({**files, name: b"MThd"}, top="")
    with pytest.raises(CorpusError, match=f"1 files damaged .{name.removeprefix('groove/')}"):
        download_groove(tmp_path, "midi")
    assert not (tmp_path / INDEX).exists()


def test_a_dead_link_is_named(server: Any, tmp_path: Path):
    del server.files["/midi.zip"]
    with pytest.raises(CorpusError, match=r"/midi.zip: server answers 404 Not Found"):
        download_groove(tmp_path, "midi")


def test_no_connection(server: Any, tmp_path: Path, monkeypatch):
    address = "http://127.0.0.1:9/index.json"  # the discard port: nothing listens
    monkeypatch.setattr(download, "INDEX_SOURCE", Remote("index", address, INDEX, "0"))
    with pytest.raises(CorpusError, match="connection failed after 0 bytes") as caught:
        download_groove(tmp_path, "midi")
    assert "\n" not in str(caught.value)


def test_an_archive_that_is_none(server: Any, tmp_path: Path):
    server.files["/midi.zip"] = b"<html>sign in</html>"
    with pytest.raises(CorpusError, match=r"midi.zip: not a zip archive"):
        download_groove(tmp_path, "midi")
    assert not list(tmp_path.rglob("*.zip"))


def test_an_archive_that_writes_elsewhere(server: Any, tmp_path: Path):
    server.files["/midi.zip"] = zipped({"../../../evil.mid": b"x"})
    with pytest.raises(CorpusError, match="holds a file outside its folder"):
        download_groove(tmp_path / "home", "midi")
    assert not list(tmp_path.rglob("evil.mid"))


def test_too_little_space(server: Any, tmp_path: Path, monkeypatch):
    big = replace(download.SOURCES["all"], megabytes=10**12)
    monkeypatch.setattr(download, "SOURCES", {**download.SOURCES, "all": big})
    with pytest.raises(CorpusError, match="GB needed to fetch and unpack all.zip"):
        download_groove(tmp_path, "all")
    assert all(path != "/all.zip" for path, _ in server.requests)


def test_an_unknown_part(tmp_path: Path):
    with pytest.raises(CorpusError, match="part 'audio' of groove_midi is unknown"):
        download_groove(tmp_path, "audio")


def test_published_sources_are_those_of_mirdata(real_data: Path):
    index = real_data / "indexes" / INDEX
    assert layout.md5_of_file(index) == download.INDEX_SOURCE.checksum
    assert len(json.loads(index.read_text())["tracks"]) == 1150
    assert download.SOURCES["all"].checksum == "99db7e2a087761a913b2abfb19e86181"
