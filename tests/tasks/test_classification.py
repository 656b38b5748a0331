"""Instruments and genres: silence, windows, votes and scores in numbers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from mirtrim.corpora.published import any_loader as published
from mirtrim.tasks.classification import (
    class_indices,
    macro_f_measure,
    windows,
    without_silence,
)
from mirtrim.tasks.genre import Genre
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.tasks.windows import gather, random_starts
from mirtrim.utils.errors import ConfigError, CorpusError

CLASSES = [
    "clarinet", "distorted electric guitar", "female singer", "flute", "piano",
    "tenor saxophone", "trumpet", "violin",
]  # fmt: skip
FEATURES: dict[str, Any] = {
    "sample_rate": 8000,
    "window_samples": 4096,
    "silence_db": 40,
    "classes": CLASSES,
}
NETWORK = {"channels": 8, "hidden": 128, "bottleneck_channels": 4, "dropout": 0.1}
AB = {**FEATURES, "window_samples": 4, "classes": ["a", "b"]}


def one_track(tmp_path: Path, samples: np.ndarray, **attributes: Any) -> SimpleNamespace:
    soundfile.write(tmp_path / "t.wav", samples, 8000, subtype="FLOAT")
    return SimpleNamespace(track_id="t", audio_path=str(tmp_path / "t.wav"), **attributes)


def tiny_store(tmp_path: Path) -> FeatureStore:
    """Four tracks of class a or b; their samples say which track they belong to."""
    recordings = []
    table = (
        ("0", "train", "b", 6),
        ("1", "test", "a", 9),
        ("2", "train", "a", 5),
        ("3", "test", "b", 4),
    )
    for track_id, split, label, count in table:
        row = {"track_id": track_id, "split": split, "source": track_id, "duration_seconds": 1.0}
        samples = np.full(count, 100 * (int(track_id) + 1), np.int16)
        samples[0] *= 2
        recordings.append((row, {"samples": samples}, pd.DataFrame({"label": [label]})))
    write_store(tmp_path / "store", recordings, None)
    return open_store(tmp_path / "store")


def test_silent_frames_are_cut_out() -> None:
    loud, quiet = np.ones(1024, np.float32), np.full(1024, 0.009, np.float32)
    samples = np.concatenate([quiet, loud, quiet, 0.5 * loud, np.full(7, 0.5, np.float32)])
    # 0.009 is 40.9 dB below 1.
    left = without_silence(samples, 40)
    np.testing.assert_array_equal(left, np.concatenate([loud, samples[3072:]]))
    np.testing.assert_array_equal(without_silence(samples, 41), samples)


def test_a_silent_ending_loses_its_rest() -> None:
    samples = np.concatenate([np.ones(1024), np.zeros(1024), np.zeros(5)]).astype(np.float32)
    assert len(without_silence(samples, 40)) == 1024
    assert len(without_silence(samples[:1500], 40)) == 1500  # a single frame is never judged


def test_a_recording_is_scaled_to_full_range_and_padded(tmp_path: Path) -> None:
    features = {**FEATURES, "window_samples": 6, "classes": ["jazz", "rock"]}
    track = one_track(tmp_path, np.array([0.1, -0.2, 0.05, 0.0]), genre="rock")
    recording = Genre().recording(track, features)
    assert recording.arrays["samples"].tolist() == [16384, -32767, 8192, 0, 0, 0]
    assert recording.arrays["samples"].dtype == np.int16
    assert recording.reference.label.tolist() == ["rock"]


@pytest.mark.parametrize(("window", "length"), [(3, 4), (4, 4), (5, 5), (6, 6)])
def test_a_recording_is_as_long_as_a_window_at_least(
    tmp_path: Path, window: int, length: int
) -> None:
    features = {**FEATURES, "window_samples": window, "classes": ["rock"]}
    track = one_track(tmp_path, np.array([0.1, -0.2, 0.05, 0.1]), genre="rock")
    assert len(Genre().recording(track, features).arrays["samples"]) == length


def test_an_unlisted_class_and_pure_silence_are_named(tmp_path: Path) -> None:
    features = {**FEATURES, "classes": ["jazz", "rock"]}
    with pytest.raises(CorpusError, match="track t is a 'polka', which is not in `classes`"):
        Genre().recording(one_track(tmp_path, np.ones(9), genre="polka"), features)
    with pytest.raises(CorpusError, match="t.wav: only silence"):
        Genre().recording(one_track(tmp_path, np.zeros(9), genre="rock"), features)


def test_batches_have_the_class_of_their_track_and_unit_level(tmp_path: Path) -> None:
    store = tiny_store(tmp_path)
    training = {**AB, "batch_size": 25, "examples_per_epoch": 110}
    task = Genre()
    assert task.steps_per_epoch(store, training) == 4
    batches = list(task.batches(store, training, np.random.default_rng(0)))
    assert len(batches) == 4
    inputs = torch.cat([x for x, _ in batches])
    targets = torch.cat([y for _, y in batches])
    assert inputs.shape == (100, 1, 4)
    torch.testing.assert_close(inputs.square().mean(2), torch.ones(100, 1))
    # Track 0 (class b) has 3 places for a window, track 2 (class a) has 2.
    assert 45 <= int((targets == 1).sum()) <= 75


def test_what_is_next_to_silent_is_not_brought_to_unit_level() -> None:
    """Below a level of 0.0001 of full scale, 32767, a window is only divided by that level."""
    store: Any = SimpleNamespace(
        arrays={"samples": torch.tensor([2, -2, 2, -2], dtype=torch.int16)}
    )
    found = windows(store, torch.tensor([0, 1]), 3)
    assert found.shape == (2, 1, 3)
    expected = 2 / 32767 / 1e-4 * torch.tensor([[[1.0, -1, 1]], [[-1, 1, -1]]])
    torch.testing.assert_close(found, expected)


def test_windows_come_from_the_right_track(tmp_path: Path) -> None:
    store = tiny_store(tmp_path)
    classes = {100: "b", 200: "b", 300: "a", 600: "a"}
    tracks = store.of_split("train")
    starts = random_starts(tracks, 4, 50, np.random.default_rng(0))
    raw = gather(store.arrays["samples"], starts, 4)
    expected = [AB["classes"].index(classes[int(value)]) for value in raw[:, 1]]
    training = {**AB, "batch_size": 50, "examples_per_epoch": 50}
    ((_, targets),) = Genre().batches(store, training, np.random.default_rng(0))
    assert targets.tolist() == expected
    assert class_indices(store, tracks, AB).tolist() == [1, 0]


def test_validation_tiles_keep_their_class(tmp_path: Path) -> None:
    store = tiny_store(tmp_path)
    store.tracks.loc[store.tracks.split == "test", "split"] = "validation"
    ((inputs, targets),) = Genre().validation_batches(store, AB)
    # Nine samples give windows at 0, 4 and 5; four samples give one.
    assert targets.tolist() == [0, 0, 0, 1]
    assert inputs.shape == (4, 1, 4)


def test_a_track_gets_the_class_of_the_highest_mean_probability(tmp_path: Path) -> None:
    store = tiny_store(tmp_path)
    predictions = {
        "1": np.array([[0.4, 0.6], [0.45, 0.55], [0.99, 0.01]]),  # two windows err, the mean not
        "3": np.array([[0.7, 0.3]]),
    }
    pieces = Genre().score(predictions, store, AB, {})
    assert pieces.loc["1"].to_dict() == {
        "accuracy": 1.0,
        "window_accuracy": pytest.approx(1 / 3),
        "true": "a",
        "predicted": "a",
    }
    assert pieces.loc["3", "predicted"] == "a"
    summary = Genre().summarise(pieces)
    assert summary == {
        "accuracy": 0.5,
        "window_accuracy": pytest.approx(1 / 6),
        "macro_f_measure": pytest.approx((2 / 3 + 0) / 2),
        "confusion/a/a": 1.0,
        "confusion/b/a": 1.0,
    }


def test_any_class_can_be_the_most_probable(tmp_path: Path) -> None:
    """Of two windows with means of 0.3, 0.6 and 0.1 the second class of three."""
    probability = np.array([[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]])
    three = {**AB, "classes": ["a", "b", "c"]}
    pieces = Genre().score({"3": probability}, tiny_store(tmp_path), three, {})
    assert pieces.loc["3", ["true", "predicted", "accuracy"]].tolist() == ["b", "b", 1.0]
    assert pieces.loc["3", "window_accuracy"] == 0.5
    sure = Genre().score({"1": probability[:, [2, 0, 1]]}, tiny_store(tmp_path), three, {})
    assert sure.loc["1", ["predicted", "accuracy"]].tolist() == ["c", 0.0]


def test_macro_f_is_a_mean_over_the_classes_that_occur() -> None:
    true = pd.Series(["a", "a", "a", "b", "c"])
    called = pd.Series(["a", "a", "b", "b", "d"])
    # a: 2·2/(3+2), b: 2·1/(1+2), c: 0/(1+0), d: 0/(0+1).
    assert macro_f_measure(true, called) == pytest.approx((4 / 5 + 2 / 3 + 0 + 0) / 4)


def test_the_published_instrument_network() -> None:
    features = {**FEATURES, "window_samples": 32768, "classes": [str(n) for n in range(13)]}
    network = Instrument().network(features, {})
    assert sum(p.numel() for p in network.parameters()) == 796_558
    assert network(Instrument().example_input(features).repeat(2, 1, 1)).shape == (2, 13)


def test_a_window_shorter_than_the_filters_is_refused() -> None:
    features = {**FEATURES, "window_samples": 49152}
    with pytest.raises(ConfigError, match="49152 samples are too few .* kernel 256 and stride 16"):
        Instrument().network(features, {"kernel": 256})


@pytest.mark.parametrize(
    ("loader", "index", "expected"),
    [
        ("tinysol", "tinysol_index_6.0_sample.json", {"Contrabass", "Flute"}),
        ("medley_solos_db", "medley_solos_db_index_1.2_sample.json", {"flute"}),
    ],
)
def test_real_samples_go_through(loader: str, index: str, expected: set[str]) -> None:
    home = Path(__file__).resolve().parents[3] / "shared" / "data" / "mirdata_samples"
    if not (home / loader).is_dir():
        pytest.skip(f"no samples of {loader} in {home}")
    where = {"folder": str(home / loader), "index": str(home / "indexes" / index)}
    dataset = published.open_corpus(loader, where, home)
    features = {**FEATURES, "classes": ["Contrabass", "Flute", "flute"]}
    task = Instrument()
    network = task.network(features, NETWORK).eval()
    labels = set()
    for track in dataset.load_tracks().values():
        recording = task.recording(track, features)
        samples = torch.from_numpy(recording.arrays["samples"][:4096].astype(np.float32))
        assert network((samples / 32767)[None, None]).shape == (1, 3)
        labels.add(recording.reference.label[0])
    assert labels == expected


def test_a_real_genre_goes_through() -> None:
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (data / "gtzan_genre").is_dir():
        pytest.skip(f"no gtzan_genre in {data}")
    where = {
        "folder": str(data / "gtzan_genre"),
        "index": str(data / "indexes" / "gtzan_genre_1.0_mini_index.json"),
        "version": "mini",
    }
    track = published.open_corpus("gtzan_genre", where, data).track("blues.00003")
    recording = Genre().recording(track, {**FEATURES, "classes": ["blues"]})
    assert recording.reference.label.tolist() == ["blues"]
    assert 25 * 8000 < len(recording.arrays["samples"]) <= 30.1 * 8000
