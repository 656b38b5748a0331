"""Real tracks of corpora without a reader of their own: loader, features, forward pass."""

from pathlib import Path
from typing import Any

import mirdata
import numpy as np
import pytest
import torch

from mirtrim.corpora.annotations.chords import audio_path
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.tasks.audio import read_mono
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.store import open_store, write_store
from mirtrim.training import fit

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "mirdata_samples"
SAMPLES = {
    "irmas": "irmas_index_1.0_sample.json",
    "good_sounds": "good_sounds_index_1.0_sample.json",
    "vocadito": "vocadito_index_1.0_sample.json",
    "guitarset": "guitarset_index_1.1.0_sample.json",
    "four_way_tabla": "four_way_tabla_index_1.0_sample.json",
}


def tracks(loader: str) -> list[Any]:
    index = REAL / "indexes" / SAMPLES[loader]
    if not index.exists():
        pytest.skip(f"real samples of {loader} are not here")
    dataset = mirdata.initialize(loader, data_home=str(REAL / loader))
    dataset.index_path = str(index)
    return [dataset.track(name) for name in dataset.track_ids]


@pytest.mark.parametrize("loader", ["irmas", "good_sounds"])
def test_notes_and_excerpts_are_classified(loader: str) -> None:
    class Sample(Classification):
        name = "sample"

        def label(self, track: Any) -> str | None:
            return "known"

    task, features = Sample(), {
        "sample_rate": 8000, "window_samples": 4096, "silence_db": 40,
        "classes": ["known", "unknown"],
    }  # fmt: skip
    network = task.network(features, {"channels": 4, "hidden": 8}).eval()
    readable = 0
    for track in tracks(loader):
        if not Path(track.audio_path).exists():
            continue
        samples = task.recording(track, features).arrays["samples"]
        assert np.abs(samples).max() == 32767
        window = torch.from_numpy(samples[:4096].astype(np.float32))[None, None]
        assert network(window).shape == (1, 2)
        readable += 1
    assert readable > 0


def test_singing_has_pitch_where_it_is_annotated() -> None:
    task, features = Pitch(), {
        "sample_rate": 8000, "frame_samples": 512, "hop": 128, "score_every_frames": 4,
    }  # fmt: skip
    network = task.network(features, {"capacity": 1, "first_kernel": 256}).eval()
    for track in tracks("vocadito"):
        if not Path(track.audio_path).exists():
            continue
        recording = task.recording(track, features)
        f0_hz = recording.arrays["f0_hz"]
        assert 60 < np.median(f0_hz[f0_hz > 0]) < 900
        seconds = len(read_mono(track.audio_path, 8000)) / 8000
        assert len(f0_hz) == pytest.approx(seconds * 8000 / 128, abs=8)
        frame = torch.from_numpy(recording.arrays["blocks"][:4].reshape(1, 1, -1).astype("float32"))
        assert network(frame).shape == (1, 360)


@pytest.mark.parametrize("loader", ["guitarset", "four_way_tabla"])
def test_onsets_of_notes_and_strokes_are_trained_on(loader: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    task, features = Onset(), {
        "sample_rate": 16000, "window": 2048, "hop": 768, "mel_bands": 16, "lowest_hz": 20,
        "highest_hz": 8000, "window_frames": 20, "merge_seconds": 0.03,
    }  # fmt: skip
    recordings = {
        track.track_id: task.recording(track, features)
        for track in tracks(loader)
        if Path(audio_path(track)).exists()
    }
    assert all(len(recording.reference) > 0 for recording in recordings.values())
    # The tracks are too few for three splits; here they only have to pass through.
    rows = [
        (
            {"track_id": f"{split} {name}", "split": split, "source": name, "duration_seconds": 1},
            recording.arrays,
            recording.reference,
        )
        for split in ("train", "validation", "test")
        for name, recording in recordings.items()
    ]
    write_store(tmp_path / "store", rows, task.normalised_array)
    training = {
        "initialisation": "sound", "epochs": 1, "batch_size": 8, "examples_per_epoch": 64,
        "learning_rate": 0.004, "weight_decay": 0.0, "schedule": "one_cycle", "positive_weight": 2,
    }  # fmt: skip
    config = {"features": features, "network": {"channels": 4, "hidden": 16}, "training": training}
    setting = Setting("test", loader, task, config, open_store(tmp_path / "store"))
    network = setting.new_network(0)
    fitted = fit(network, TaskData(setting, 0, "dense"), setting.fit_settings, 0)
    assert (fitted.epochs, np.isfinite(fitted.best_loss)) == (1, True)
    assert 0 <= setting.evaluate(network).test_error <= 1
    loudest = max(float(np.ptp(recording.arrays["frames"])) for recording in recordings.values())
    if loudest < 1:
        pytest.skip(f"trained, but the samples of {loader} are digital silence: nothing to learn")
