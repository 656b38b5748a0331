"""Any change of a user's own files is seen."""

import os
from pathlib import Path

import pytest

from mirtrim.corpora.reader import state_of_folder, state_of_sounds


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


def test_sounds_that_a_corpus_is_played_with_are_watched(tmp_path: Path) -> None:
    """A bank that is replaced, and a sound that is added to a kit, make the corpus anew."""
    bank, kit = tmp_path / "bank.sf2", tmp_path / "kit"
    bank.write_bytes(b"RIFF")
    kit.mkdir()
    settings = {"banks": ["pretty_midi", str(bank)], "one_shots": [str(kit)], "folder": None}
    seen = [state_of_sounds(settings)]
    bank.write_bytes(b"RIFF longer")
    seen.append(state_of_sounds(settings))
    (kit / "kick.wav").touch()
    seen.append(state_of_sounds(settings))
    assert len(set(seen)) == 3
    assert None not in seen
    assert state_of_sounds(settings) == seen[-1]
    assert state_of_folder(settings) is None  # rows do not go stale by it
    assert state_of_sounds({"folder": str(kit)}) is None
