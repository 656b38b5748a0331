"""A corpus that lies in a user's own folder is read again when its files change."""

import os
import re
from pathlib import Path

import pytest

from mirtrim.corpora.layout import md5_of_file
from mirtrim.corpora.rendering.drums.mini import MINI_GROOVE
from mirtrim.utils.files import read_json, write_json
from tests.workflow.conftest import make_folder, snakemake

PIECES = {"train": 3, "validation": 2, "test": 2}


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, Path, dict[str, object]]:
    """A working folder in which onsets have been trained, the user's folder, and what to change."""
    own, folder = tmp_path / "own", tmp_path / "work"
    MINI_GROOVE.generate(own, PIECES, 6.0, 1)
    make_folder(folder)
    changes: dict[str, object] = {
        "corpora/mini_groove_midi/mode": "audio",
        "corpora/mini_groove_midi/folder": str(own),
        "runs": [{"method": "trim"}],
        "studies/methods": None,
        "tasks/onset/ratios": [2],
    }
    result = snakemake(folder, "tables", changes=changes)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder, own, changes


def planned(folder: Path, changes: dict[str, object], target: str = "data") -> set[str]:
    result = snakemake(folder, target, "-n", "--quiet", "rules", changes=changes)
    assert result.returncode == 0, result.stderr[-3000:]
    return set(re.findall(r"^(\w+) +\d+$", result.stdout + result.stderr, re.MULTILINE))


def test_an_edited_file_is_noticed(prepared: tuple[Path, Path, dict[str, object]]) -> None:
    folder, own, changes = prepared
    assert "corpus_mini_groove_midi" not in planned(folder, changes)
    assert "dense" not in planned(folder, changes, "tables")
    audio = sorted(own.rglob("*.flac"))
    audio[0].write_bytes(audio[1].read_bytes())
    os.utime(audio[0], (2e9, 2e9))
    assert "corpus_mini_groove_midi" in planned(folder, changes)
    # So are rows that rest on it, also by who asks for no network.
    assert planned(folder, changes, "tables") >= {"features", "dense", "compress"}
    # An index that still tells the old file says so.
    result = snakemake(folder, "data", changes=changes)
    assert result.returncode != 0
    assert "1 files damaged" in result.stderr
    # One that tells the new one lets the features be made anew.
    index = read_json(own / "index.json")
    for entry in index["tracks"].values():
        if str(own / entry["audio"][0]) == str(audio[0]):
            entry["audio"][1] = md5_of_file(audio[0])
    write_json(own / "index.json", index)
    (store,) = folder.glob("data/features/onset-*/store.json")
    before = read_json(store)["digest"]
    result = snakemake(folder, "data", changes=changes)
    assert result.returncode == 0, result.stderr[-3000:]
    assert read_json(store)["digest"] != before
    assert "corpus_mini_groove_midi" not in planned(folder, changes)
    # Features are new, rows still of the old ones.
    assert planned(folder, changes, "tables") >= {"dense", "compress"}
    result = snakemake(folder, "tables", changes=changes)
    assert result.returncode == 0, result.stderr[-3000:]
    assert "dense" not in planned(folder, changes, "tables")


def test_a_folder_without_configuration_is_named(tmp_path: Path) -> None:
    make_folder(tmp_path / "work")
    (tmp_path / "else").mkdir()
    result = snakemake(tmp_path / "else", "-s", str(tmp_path / "work" / "Snakefile"), "-n")
    assert result.returncode != 0
    assert f"there is no config/default.yaml in {tmp_path / 'else'}; run Snakemake in" in (
        result.stdout + result.stderr
    )
    assert "Traceback" not in result.stderr
