"""Recordings of a loader whose tracks name their audio in another way."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from mirtrim.corpora.reader import Making
from mirtrim.listening.recordings.published import annotated_tracks
from mirtrim.utils.errors import CorpusError

TRACK = "03_BN3-119-G_solo"


def _index(published: Path, home: Path) -> dict:
    """The published index of one track, with the checksums of the shortened files in `home`."""
    index = json.loads(published.read_text())
    files = {
        kind: [name, hashlib.md5((home / name).read_bytes()).hexdigest()]
        if (home / name).exists()
        else [name, checksum]
        for kind, (name, checksum) in index["tracks"][TRACK].items()
    }
    return {**index, "tracks": {TRACK: files}}


def _guitarset(real_data: Path, folder: Path) -> dict:
    samples = real_data / "mirdata_samples"
    published = samples / "indexes" / "guitarset_index_1.1.0_sample.json"
    if not published.exists():
        pytest.skip(f"no GuitarSet samples in {samples}")
    home = folder / "guitarset"
    for name in ("annotation", "audio_mono-mic"):
        shutil.copytree(samples / "guitarset" / name, home / name)
    index = folder / "index.json"
    index.write_text(json.dumps(_index(published, home)))
    return {"loader": "guitarset", "folder": str(home), "index": str(index)}


@pytest.mark.parametrize(("task", "kind"), [("chord", "chords"), ("onset", "events")])
def test_guitarset_needs_its_microphone_only(real_data, tmp_path, task, kind):
    settings = _guitarset(real_data, tmp_path)
    found = annotated_tracks(settings, task, kind, tmp_path / "kept", Making())
    assert [one.audio.parent.name for one in found] == ["audio_mono-mic"]


def test_a_loader_without_drums_is_one_line(real_data, tmp_path):
    settings = _guitarset(real_data, tmp_path)
    (found,) = annotated_tracks(settings, "drums", "events", tmp_path / "kept", Making())
    with pytest.raises(CorpusError, match=f"track {TRACK}: its loader gives no drum strokes"):
        found.truth()
