"""Networks learn: after a short training on a small corpus they beat what hears nothing.

Pitch and chords have such a test beside their others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirtrim.corpora.loaders.groove_midi import open_groove, split_table
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.reader import Making
from mirtrim.corpora.rendering.drums.mini import MINI_GROOVE
from mirtrim.corpora.splits import TrackRow
from mirtrim.runs.jobs.setting import Evaluation, Setting, TaskData
from mirtrim.tasks.drums import Drums
from mirtrim.tasks.genre import Genre
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.tasks.task import Task
from mirtrim.tasks.transcription import Transcription
from mirtrim.training import fit

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MEL: dict[str, Any] = {
    "sample_rate": 16000,
    "window": 2048,
    "hop": 768,
    "mel_bands": 32,
    "lowest_hz": 20,
    "highest_hz": 8000,
    "window_frames": 50,
    "merge_seconds": 0.03,
}
SAMPLES: dict[str, Any] = {"sample_rate": 8000, "window_samples": 4096, "silence_db": 40}
INSTRUMENTS = [
    "clarinet", "distorted electric guitar", "female singer", "flute", "piano",
    "tenor saxophone", "trumpet", "violin",
]  # fmt: skip


def store_of(
    task: Task, dataset: Any, rows: Iterable[TrackRow], features: Mapping[str, Any], folder: Path
) -> FeatureStore:
    recordings = (
        (asdict(row), recording.arrays, recording.reference)
        for row in rows
        for recording in [task.recording(dataset.track(row.track_id), features)]
    )
    write_store(folder, recordings, task.normalised_array)
    return open_store(folder)


def learnt(
    task: Task,
    store: FeatureStore,
    features: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
) -> Evaluation:
    torch.set_num_threads(1)
    usual = {"initialisation": "sound", "batch_size": 32, "weight_decay": 1e-4}
    config = {
        "features": features,
        "network": network,
        "training": {**usual, "schedule": "one_cycle", **training},
    }
    setting = Setting("test", "mini", task, config, store)
    trained = setting.new_network(0)
    fit(trained, TaskData(setting, 0, "dense"), setting.fit_settings, 0)
    return setting.evaluate(trained)


def best_regular_grid(task: Transcription, store: FeatureStore) -> float:
    """Mean F of the best predictor that hears nothing: every class on a regular grid."""
    best = 0.0
    for step in (2, 4, 6, 8, 12):
        activation = np.zeros((len(task.detectors), 10_000), np.float32)
        activation[:, ::step] = 1.0
        predictions = {
            str(k): activation[:, : int(track["count"])]
            for k, track in store.of_split("test").iterrows()
        }
        half = {f"threshold_{d}": 0.5 for d in task.detectors}
        pieces = task.score(predictions, store, MEL, half)
        best = max(best, task.summarise(pieces)["f_measure"])
    return best


@pytest.fixture(scope="module")
def grooves(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("learning") / "grooves"
    MINI_GROOVE.generate(home, {"train": 16, "validation": 3, "test": 4}, 8.0, 0)
    return open_groove(home)


@pytest.mark.parametrize(
    ("task", "epochs", "margin"), [(Drums(), 6, 0.05), (Onset(), 4, 0.1)], ids=["drums", "onset"]
)
def test_events_are_learnt(
    task: Transcription, epochs: int, margin: float, grooves: Any, tmp_path: Path
) -> None:
    store = store_of(task, grooves, split_table(grooves), MEL, tmp_path / "store")
    training = {
        "epochs": epochs,
        "learning_rate": 4e-3,
        "examples_per_epoch": 800,
        "positive_weight": 2,
    }
    reached = learnt(task, store, MEL, {"channels": 8, "hidden": 192}, training).test_scores
    assert reached["f_measure"] > best_regular_grid(task, store) + margin
    assert {f"f_measure_{d}" for d in task.detectors} <= set(reached)


def test_instruments_are_learnt(tmp_path: Path) -> None:
    corpus = {
        "loader": "medley_solos_db",
        "mode": "embedded",
        "folder": None,
        "index": None,
        "pieces": {"train": 64, "validation": 8, "test": 32},
        "piece_seconds": 1.5,
        "seed": 1,
    }
    prepare(corpus, tmp_path / "corpus", Making())
    dataset, rows = open_prepared(corpus, tmp_path / "corpus")
    task, features = Instrument(), {**SAMPLES, "classes": INSTRUMENTS}
    store = store_of(task, dataset, rows, features, tmp_path / "store")
    network = {"channels": 8, "hidden": 128, "bottleneck_channels": 4, "dropout": 0.1}
    training = {"epochs": 10, "learning_rate": 5e-3, "examples_per_epoch": 480}
    reached = learnt(task, store, features, network, training).test_scores
    # Guessing one class throughout is right in one of eight.
    assert reached["accuracy"] > 1 / 8 + 0.15


def test_two_real_genres_are_told_apart(tmp_path: Path) -> None:
    if not (DATA / "gtzan_genre").is_dir():
        pytest.skip(f"no gtzan_genre in {DATA}")
    where = {
        "folder": str(DATA / "gtzan_genre"),
        "index": str(DATA / "indexes" / "gtzan_genre_1.0_mini_index.json"),
        "version": "mini",
    }
    dataset = published.open_corpus("gtzan_genre", where, DATA)
    tracks = dataset.load_tracks()
    splits = ["train"] * 5 + ["validation"] * 2 + ["test"] * 3
    rows = [
        TrackRow(track_id, split, track_id, 30.0)
        for genre in ("classical", "metal")
        for track_id, split in zip(
            sorted(k for k, track in tracks.items() if track.genre == genre), splits, strict=True
        )
    ]
    task, features = Genre(), {**SAMPLES, "classes": ["classical", "metal"]}
    store = store_of(task, dataset, rows, features, tmp_path / "store")
    network = {"channels": 8, "hidden": 32, "bottleneck_channels": 4, "dropout": 0.1}
    training = {"epochs": 6, "learning_rate": 4e-3, "examples_per_epoch": 320}
    reached = learnt(task, store, features, network, training).test_scores
    assert reached["window_accuracy"] > 1 / 2 + 0.2
