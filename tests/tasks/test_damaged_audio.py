"""A sample that is no number is named by every task, before anything of it is stored."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.task import Task
from mirtrim.utils.errors import CorpusError

from ..listening.samples import SETTINGS


class StillOnset(Onset):
    """Onsets of a track without annotation."""

    def events(self, track: Any, features: Any) -> pd.DataFrame:
        return pd.DataFrame({"time_seconds": [0.1, 99.0], "label": ["onset", "onset"]})


@pytest.fixture
def track(tmp_path: Path) -> SimpleNamespace:
    samples = 0.1 * np.random.default_rng(0).standard_normal(3 * 8000)
    samples[12_000] = np.nan
    path = tmp_path / "song.wav"
    soundfile.write(path, samples, 8000, subtype="FLOAT")
    return SimpleNamespace(
        track_id="song",
        audio_path=str(path),
        instrument="piano",
        chords=SimpleNamespace(intervals=np.array([[0.0, 3.0]]), labels=["N"]),
        f0=SimpleNamespace(times=np.arange(300) / 100, frequencies=np.full(300, 220.0)),
    )


TASKS = (StillOnset(), Pitch(), Chord(), Instrument())


@pytest.mark.parametrize("task", TASKS, ids=[task.name for task in TASKS])
def test_no_number(track: SimpleNamespace, task: Task) -> None:
    with pytest.raises(CorpusError, match=r"song\.wav: sample 12000 \(1\.500 s\) is nan"):
        task.recording(track, SETTINGS[task.name]["features"])


def test_an_onset_behind_the_recording_is_named_and_left_out(track: SimpleNamespace) -> None:
    samples, rate = soundfile.read(track.audio_path)
    soundfile.write(track.audio_path, np.nan_to_num(samples), rate)
    with pytest.warns(UserWarning, match=r"track song: 1 of 2 events lie behind .* 99\.000 s"):
        recording = StillOnset().recording(track, SETTINGS["onset"]["features"])
    assert list(recording.reference) == ["time_seconds", "label"]
    assert recording.reference.index.tolist() == [0]
    assert recording.reference.time_seconds.tolist() == [0.1]
    assert recording.arrays["targets"].sum() == 1


def test_a_recording_shorter_than_a_patch_goes_on_in_silence(tmp_path: Path) -> None:
    """As silence that was recorded has it: the same number in every band."""
    features = {**SETTINGS["onset"]["features"], "window_frames": 30}
    path = tmp_path / "short.wav"
    hop = features["hop"]
    samples = 0.1 * np.random.default_rng(0).standard_normal(20 * hop)
    samples[10 * hop :] = 0
    soundfile.write(path, samples, features["sample_rate"], subtype="FLOAT")
    track = SimpleNamespace(track_id="short", audio_path=str(path))

    class OneOnset(Onset):
        def events(self, track: Any, features: Any) -> pd.DataFrame:
            return pd.DataFrame({"time_seconds": [0.0], "label": ["onset"]})

    arrays = OneOnset().recording(track, features).arrays
    assert arrays["frames"].shape == (30, features["mel_bands"])
    assert arrays["frames"].dtype == np.float32
    recorded, added = arrays["frames"][18], arrays["frames"][21:]
    np.testing.assert_allclose(recorded, np.log(1e-5), rtol=1e-6)
    np.testing.assert_array_equal(added, np.tile(recorded, (9, 1)))
    assert len(arrays["targets"]) == 30
