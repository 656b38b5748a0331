"""What a published track is: the label of the task, and no track with several."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mirtrim.corpora.reader import Making
from mirtrim.listening.recordings import published
from mirtrim.listening.recordings.truth import ClassTruth
from mirtrim.utils.errors import CorpusError

TRACKS = {
    name: SimpleNamespace(track_id=name, audio_path=f"{name}.wav", **about)
    for name, about in {
        "both": {"instrument": "flute", "genre": "jazz"},
        "one": {"instrument": ["cello"]},
        "two": {"instrument": ["cello", "voice"]},
    }.items()
}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Task → its tracks, of a loader that has those of `TRACKS`."""
    monkeypatch.setattr(published, "ready", lambda *_: None)
    monkeypatch.setattr(published, "load_tracks", lambda *_: TRACKS)
    monkeypatch.setattr(published, "audio_seconds", lambda *_: dict.fromkeys(TRACKS, 2.0))
    return lambda task: published.annotated_tracks(
        {"loader": "irmas"}, task, "classes", tmp_path, Making()
    )


def test_the_truth_is_the_label_of_the_task(heard: Any) -> None:
    both, one = heard("instrument")
    assert (both.name, both.truth()) == ("both", ClassTruth("flute"))
    assert (one.name, one.truth()) == ("one", ClassTruth("cello"))
    both, one = heard("genre")
    assert both.truth() == ClassTruth("jazz")
    with pytest.raises(CorpusError, match="^track one: its loader gives no genre; leave it out$"):
        one.truth()
