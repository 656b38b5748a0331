"""Chords: the network, batches, predictions; learning."""

from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

import mirtrim
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.loaders.guitarset import guitarset_table
from mirtrim.corpora.rendering.chords.mini import MINI_GUITARSET
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.chord_labels import (
    NO_CHORD,
    OUTSIDE,
    class_of,
    segments,
    transposed,
)
from mirtrim.tasks.constant_q import shifted
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.training import FitSettings, fit
from mirtrim.training.initialise import initialise
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.seeds import numpy_generator, torch_generator

FEATURES: dict[str, Any] = {
    "sample_rate": 16000,
    "hop": 1024,
    "lowest_hz": 55.0,
    "bins": 105,
    "window_frames": 15,
    "gain": 100.0,
    "annotation": "played",
    "score_every_frames": 2,
}
TRAINING: dict[str, Any] = {
    **FEATURES,
    "epochs": 6,
    "batch_size": 32,
    "examples_per_epoch": 512,
    "learning_rate": 0.004,
    "weight_decay": 0.0001,
    "schedule": "one_cycle",
    "transpose_semitones": 4,
}
NETWORK = {
    "widths": [8, 10, 12],
    "hidden": 64,
    "affine_input": False,
    "dropout": 0.2,
    "noise": 0.1,
}


def test_pieces_count_by_their_judged_time() -> None:
    pieces = pd.DataFrame(
        {
            **{name: [1.0, 0.5] for name in ("majmin", "root", "sevenths")},
            **{f"seconds_{name}": [10.0, 30.0] for name in ("majmin", "root", "sevenths")},
            **{f"{name}segmentation": [0.8, 0.4] for name in ("", "over_", "under_")},
        }
    )
    summary = Chord().summarise(pieces)
    assert summary["majmin"] == pytest.approx(0.625)
    assert summary["segmentation"] == pytest.approx(0.6)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0])
def test_validation_chooses_what_a_change_costs(penalty: float) -> None:
    """A frame of G that is there is worth 3 penalties, one of A that is not 1.6: there and back
    again costs 2. With the next lower penalty A is heard, with the next higher one G is not."""
    truth = np.zeros(40, dtype=np.int64)
    truth[20] = 7
    log_probability = np.full((40, 25), -1000.0)
    log_probability[:, 0] = 0.0
    log_probability[20, 7] = 3 * penalty or 0.5
    log_probability[30, 9] = 1.6 * penalty or -1.0
    intervals, labels = segments(truth, FEATURES["score_every_frames"] * 1024 / 16_000)
    reference = pd.DataFrame(
        {
            "start_seconds": intervals[:, 0], "end_seconds": intervals[:, 1], "label": labels,
            "track_id": "song",
        }
    )  # fmt: skip
    store = FeatureStore({}, pd.DataFrame(), reference, {}, "-")
    found = Chord().tune({"song": log_probability}, store, FEATURES)
    assert found == {"change_penalty": penalty}


def test_network_sizes_and_trimming_without_an_affine_input() -> None:
    task = Chord()
    published = task.network(FEATURES, {})
    assert sum(p.numel() for p in published.parameters()) == 416_207
    narrow = task.network(FEATURES, {"widths": [8, 10, 12], "hidden": 100, "affine_input": False})
    assert sum(p.numel() for p in narrow.parameters()) == 106_115
    initialise(narrow, torch_generator(0, "w"))
    small = mirtrim.trim(narrow, task.example_input(FEATURES), ratio=4, criterion="magnitude")
    assert sum(p.numel() for p in small.parameters()) < 106_115 / 3
    assert small(torch.zeros(2, 1, 105, 15)).shape == (2, 25)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    home = tmp_path_factory.mktemp("chord")
    pieces = {"train": 24, "validation": 4, "test": 6}
    MINI_GUITARSET.generate(home / "corpus", pieces, 6.0, 1)
    dataset = open_dataset("guitarset", home / "corpus", home / "corpus" / "index.json")
    task = Chord()
    recordings = (
        (asdict(row), recording.arrays, recording.reference)
        for row in guitarset_table(dataset)
        for recording in [task.recording(dataset.track(row.track_id), FEATURES)]
    )
    write_store(home / "store", recordings, task.normalised_array)
    return open_store(home / "store")


def test_a_track_is_framed_by_silence_without_class(store: FeatureStore) -> None:
    for track_id, track in store.tracks.iterrows():
        frames, targets = store.rows("frames", str(track_id)), store.rows("targets", str(track_id))
        assert track["count"] == 1 + 96_000 // 1024 + 14
        assert frames[:7].abs().max() == frames[-7:].abs().max() == 0
        assert set(targets[:7].tolist()) == set(targets[-7:].tolist()) == {OUTSIDE}
        reference = store.reference[store.reference.track_id == track_id]
        middle = targets[7 + round(3.0 * 16_000 / 1024)]
        sounding = reference[(reference.start_seconds <= 3.0) & (reference.end_seconds > 3.0)]
        assert middle == class_of(sounding.label.iloc[0])


def chord_track(tmp_path: Path, seconds: float, intervals: Any, labels: list[str]) -> Any:
    path = tmp_path / "a.wav"
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 16_000))
    soundfile.write(path, samples, 16_000)
    chords = SimpleNamespace(intervals=np.array(intervals, dtype=float), labels=labels)
    return SimpleNamespace(track_id="song", audio_path=str(path), chords=chords)


def test_an_annotation_that_goes_on_behind_its_recording(tmp_path: Path) -> None:
    """A perfect prediction of a recording that was cut scores 1, from features to summary."""
    track = chord_track(tmp_path, 6.0, [[0, 3], [3, 9]], ["C", "A:min"])
    task = Chord()
    recording = task.recording(track, FEATURES)
    row = {"track_id": "song", "split": "test", "source": "s", "duration_seconds": 6.0}
    write_store(tmp_path / "store", [(row, recording.arrays, recording.reference)], None)
    store = open_store(tmp_path / "store")
    starts = task.predicted_starts(store.tracks.loc["song"], FEATURES)
    perfect = torch.nn.functional.one_hot(task.targets(store, FEATURES)(starts), 25).numpy()
    prediction = {"song": np.log(perfect + 1e-9)}
    scores = task.score(prediction, store, FEATURES, {"change_penalty": 0.0})
    assert task.summarise(scores)["majmin"] == pytest.approx(1.0, abs=0.02)


def test_an_annotation_in_milliseconds_and_a_wrong_label_are_named(tmp_path: Path) -> None:
    track = chord_track(tmp_path, 3.0, [[0, 1000], [1000, 3000]], ["C", "G"])
    with pytest.raises(CorpusError, match=r"song: its annotation of chords goes on to 3000\."):
        Chord().recording(track, FEATURES)
    track = chord_track(tmp_path, 3.0, [[0, 1], [1, 3]], ["C", "Gmajor7b"])
    with pytest.raises(CorpusError, match=r"track song: 'Gmajor7b' is not a chord label"):
        Chord().recording(track, FEATURES)


def test_batches_hold_the_frame_in_the_middle(store: FeatureStore) -> None:
    task = Chord()
    still = {**TRAINING, "transpose_semitones": 0}
    (plain, classes), *_ = task.batches(store, still, numpy_generator(0, "b"))
    assert plain.shape == (32, 1, 105, 15)
    assert classes.dtype == torch.int64
    frames, targets = store.arrays["frames"], store.arrays["targets"]
    train = set(store.of_split("train").index)
    for patch, label in zip(plain, classes, strict=True):
        matches = (frames == patch[0, :, 7]).all(dim=1).nonzero().flatten()
        assert len(matches) >= 1
        assert label in targets[matches]
        spans = store.tracks[(store.tracks["first"] <= int(matches[0]))]
        assert spans.index[-1] in train
    (moved, labels), *_ = task.batches(store, TRAINING, numpy_generator(0, "b"))
    for before, after, old, new in zip(plain, moved, classes, labels, strict=True):
        fitting = [
            k
            for k in range(-4, 5)
            if np.array_equal(shifted(before.mT.numpy(), np.array([2 * k])), after.mT.numpy())
        ]
        assert int(new) in {int(transposed(old.numpy(), np.array(k))) for k in fitting}
    assert len(list(task.batches(store, TRAINING, numpy_generator(0, "b")))) == 16
    assert task.steps_per_epoch(store, TRAINING) == 16


def test_every_scored_frame_gets_a_probability(store: FeatureStore) -> None:
    task = Chord()
    network = task.network(FEATURES, NETWORK)
    initialise(network, torch_generator(0, "w"))
    pieces = task.predict(network, store, "validation", FEATURES)
    assert list(pieces) == list(store.of_split("validation").index)
    for log_probability in pieces.values():
        assert log_probability.shape == ((1 + 96_000 // 1024 + 1) // 2, 25)
        np.testing.assert_allclose(np.exp(log_probability).sum(axis=1), 1, rtol=1e-4)


def test_perfect_probabilities_score_nearly_one_and_smoothing_repairs_noise(
    store: FeatureStore,
) -> None:
    task = Chord()
    rng = np.random.default_rng(0)
    perfect, noisy = {}, {}
    for track_id in store.of_split("validation").index:
        targets = store.rows("targets", track_id)[7:-7:2].long()
        known = torch.where(targets == OUTSIDE, NO_CHORD, targets).numpy()
        perfect[track_id] = np.log(0.9 * np.eye(25)[known] + 0.1 / 25)
        wrong = np.where(rng.random(len(known)) < 0.4, rng.integers(0, 25, len(known)), known)
        noisy[track_id] = np.log(0.9 * np.eye(25)[wrong] + 0.1 / 25)
    pieces = task.score(perfect, store, FEATURES, {"change_penalty": 0.0})
    # What is lost is half a step of 128 ms at every boundary.
    assert 0.9 < task.summarise(pieces)["majmin"] < 1
    decoding = task.tune(noisy, store, FEATURES)
    assert decoding["change_penalty"] > 0
    raw, smooth = (
        task.summarise(task.score(noisy, store, FEATURES, d))["majmin"]
        for d in ({"change_penalty": 0.0}, decoding)
    )
    assert raw < 0.75
    assert smooth > raw + 0.1


def test_it_learns(store: FeatureStore) -> None:
    torch.set_num_threads(1)
    task = Chord()
    network = task.network(FEATURES, NETWORK)
    initialise(network, torch_generator(0, "w"))

    class Data:
        steps_per_epoch = task.steps_per_epoch(store, TRAINING)

        def batches(self, epoch: int) -> Any:
            return task.batches(store, TRAINING, numpy_generator(0, "b", epoch))

        def validation_batches(self) -> Any:
            return task.validation_batches(store, TRAINING)

        def loss(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return task.loss(outputs, targets, TRAINING)

    names = FitSettings.__dataclass_fields__
    fit(network, Data(), FitSettings(**{k: v for k, v in TRAINING.items() if k in names}), 0)
    validation = task.predict(network, store, "validation", FEATURES)
    decoding = task.tune(validation, store, FEATURES)
    test = task.predict(network, store, "test", FEATURES)
    reached = task.summarise(task.score(test, store, FEATURES, decoding))["majmin"]

    def constant(index: int) -> float:
        always = {k: np.log(0.9 * np.eye(25)[[index] * len(v)] + 0.004) for k, v in test.items()}
        return task.summarise(task.score(always, store, FEATURES, decoding))["majmin"]

    assert reached > max(constant(index) for index in range(25)) + 0.15


def test_a_real_guitar_passes_through(real_samples: Any) -> None:
    task = Chord()
    recording = task.recording(real_samples.track("03_BN3-119-G_solo"), FEATURES)
    assert recording.reference.label.tolist() == ["G:maj7/1"]
    frames, targets = recording.arrays["frames"], recording.arrays["targets"]
    assert frames.shape == (1 + 2 * 16_000 // 1024 + 14, 105)
    # The sample's two seconds of microphone are silent, which must not become a loud noise.
    assert 0 < frames.max() < 1
    assert set(targets[7:-7].tolist()) == {7}
    patch = torch.from_numpy(frames[:15].T.copy())[None, None]
    network = task.network(FEATURES, {}).eval()
    assert network(patch).shape == (1, 25)


@pytest.fixture
def real_samples() -> Any:
    home = Path(__file__).resolve().parents[3] / "shared" / "data" / "mirdata_samples"
    index = home / "indexes" / "guitarset_index_1.1.0_sample.json"
    if not index.exists():
        pytest.skip(f"no GuitarSet samples in {home}")
    return open_dataset("guitarset", home / "guitarset", index)
