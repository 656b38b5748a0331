"""Recordings of a loader whose tracks name their audio in another way."""

import shutil

import pytest

from mirtrim.corpora.reader import Making
from mirtrim.listening.recordings.published import annotated_tracks


@pytest.mark.parametrize(("task", "kind"), [("chord", "chords"), ("onset", "events")])
def test_guitarset_needs_its_microphone_only(real_data, tmp_path, task, kind):
    home = real_data / "mirdata_samples"
    index = home / "indexes" / "guitarset_index_1.1.0_sample.json"
    if not index.exists():
        pytest.skip(f"no GuitarSet samples in {home}")
    for name in ("annotation", "audio_mono-mic"):
        shutil.copytree(home / "guitarset" / name, tmp_path / "guitarset" / name)
    settings = {"loader": "guitarset", "folder": str(tmp_path / "guitarset"), "index": str(index)}
    found = annotated_tracks(settings, task, kind, tmp_path / "kept", Making())
    assert found
    assert all(one.audio.parent.name == "audio_mono-mic" for one in found)
