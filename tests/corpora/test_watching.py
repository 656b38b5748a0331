"""Any change of a user's own files is seen."""

import os
from pathlib import Path

import pytest

from mirtrim.corpora.reader import state_of_folder


def test_what_is_made_here_is_not_watched() -> None:
    assert state_of_folder({"folder": None, "index": None}) is None
    assert state_of_folder({}) is None


def test_every_change_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, index = tmp_path / "corpus", tmp_path / "index.json"
    (home / "audio").mkdir(parents=True)
    (home / "audio" / "a.wav").write_bytes(b"aaaa")
    index.write_text("{}")
    settings = {"folder": str(home), "index": str(index)}
    seen = [state_of_folder(settings)]

    def note() -> None:
        state = state_of_folder(settings)
        assert state == state_of_folder(settings)
        assert state not in seen
        seen.append(state)

    (home / "audio" / "a.wav").write_bytes(b"bbbb")
    os.utime(home / "audio" / "a.wav", ns=(1, 1))
    note()
    (home / "audio" / "a.wav").write_bytes(b"longer")
    note()
    (home / "audio" / "b.wav").touch()
    note()
    (home / "audio" / "b.wav").rename(home / "b.wav")
    note()
    (home / "b.wav").unlink()
    index.write_text("{ }")
    note()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_of_folder({"folder": "~/corpus", "index": "~/index.json"}) == seen[-1]
    assert state_of_folder({"folder": str(tmp_path / "none"), "index": None}) is not None
