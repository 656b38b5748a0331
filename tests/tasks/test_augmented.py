"""Altered training examples: as drawn, with the right targets, and nothing else is altered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.tasks.augmented import (
    AugmentedInstrument,
    AugmentedOnset,
    AugmentedPitch,
    augmented_kind,
    with_context,
)
from mirtrim.tasks.f0 import decode
from mirtrim.tasks.genre import Genre
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.tasks.task import Task
from mirtrim.utils.errors import ConfigError

STRONG = {
    "tuning_cents": 60, "room": 0.5, "room_seconds": 0.2, "equaliser_db": 9, "noise": 0.8,
    "clipping": 0.2, "codec": 0.2, "level_db": -40, "band_gain": 1.0, "masked_bands": 4,
}  # fmt: skip
OFF = {"codec": 0.0, "band_gain": 0.0}
PITCH = {
    "sample_rate": 16_000, "frame_samples": 1024, "hop": 128, "score_every_frames": 4,
    "batch_size": 32, "examples_per_epoch": 128,
}  # fmt: skip
INSTRUMENT = {
    "sample_rate": 16_000, "window_samples": 4096, "silence_db": 40,
    "classes": ["flute", "violin"], "batch_size": 8, "examples_per_epoch": 32,
}  # fmt: skip
ONSET = {"window_frames": 20, "mel_bands": 16, "batch_size": 8, "examples_per_epoch": 32}


def row(split: str, number: int) -> dict[str, Any]:
    return {"track_id": f"{split}{number}", "split": split, "source": f"{split}{number}",
            "duration_seconds": 2.0}  # fmt: skip


def store_of(folder: Path, arrays: list[Mapping[str, np.ndarray]], normalise: str | None) -> Any:
    splits = ["train", "train", "validation", "test"]
    write_store(
        folder,
        [
            (row(split, i), array, pd.DataFrame({"label": ["flute" if i % 2 else "violin"]}))
            for i, (split, array) in enumerate(zip(splits, arrays, strict=True))
        ],
        normalise,
    )
    return open_store(folder)


@pytest.fixture
def pitch_store(tmp_path: Path) -> FeatureStore:
    """Sines of 200, 300, … Hz, with f0 in every block."""
    arrays = []
    for i in range(4):
        hertz = 200.0 + 100 * i
        blocks = 8000 * np.sin(2 * np.pi * hertz * np.arange(128 * 250) / 16_000)
        f0 = np.full(250, hertz, dtype=np.float32)
        f0[-8:] = 0
        arrays.append({"blocks": np.rint(blocks).astype(np.int16).reshape(-1, 128), "f0_hz": f0})
    return store_of(tmp_path / "pitch", arrays, None)


@pytest.fixture
def instrument_store(tmp_path: Path) -> FeatureStore:
    rng = np.random.default_rng(0)
    arrays = [{"samples": rng.integers(-9000, 9000, 20_000).astype(np.int16)} for _ in range(4)]
    return store_of(tmp_path / "instrument", arrays, None)


@pytest.fixture
def onset_store(tmp_path: Path) -> FeatureStore:
    rng = np.random.default_rng(0)
    arrays = [
        {
            "frames": rng.normal(size=(90, 16)).astype(np.float32),
            "targets": rng.integers(0, 2, (90, 1)).astype(np.uint8),
        }
        for _ in range(4)
    ]
    return store_of(tmp_path / "onset", arrays, "frames")


def batches(task: Task, store: FeatureStore, training: Mapping[str, Any], seed: int = 1) -> Any:
    return list(task.batches(store, training, np.random.default_rng(seed)))


CASES = [
    (Pitch, AugmentedPitch, PITCH, "pitch_store"),
    (Instrument, AugmentedInstrument, INSTRUMENT, "instrument_store"),
    (Onset, AugmentedOnset, ONSET, "onset_store"),
]


@pytest.mark.parametrize(("kind", "augmented", "settings", "fixture"), CASES)
def test_with_everything_off_examples_are_those_of_the_task(
    kind: Any, augmented: Any, settings: Any, fixture: str, request: pytest.FixtureRequest
) -> None:
    store = request.getfixturevalue(fixture)
    plain = batches(kind(), store, settings)
    same = batches(augmented(), store, {**settings, "augmentation": OFF})
    assert len(plain) == len(same) > 1
    for (inputs, targets), (altered, kept) in zip(plain, same, strict=True):
        torch.testing.assert_close(altered, inputs, rtol=0, atol=1e-5)
        assert torch.equal(kept, targets)
        assert altered.stride() == inputs.stride()


@pytest.mark.parametrize(("kind", "augmented", "settings", "fixture"), CASES)
def test_examples_follow_the_seed_and_are_altered(
    kind: Any, augmented: Any, settings: Any, fixture: str, request: pytest.FixtureRequest
) -> None:
    store = request.getfixturevalue(fixture)
    training = {**settings, "augmentation": STRONG}
    one, again = (batches(augmented(), store, training) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, again, strict=True))
    other, plain = batches(augmented(), store, training, 2), batches(kind(), store, settings)
    assert not torch.allclose(one[0][0], other[0][0])
    assert not torch.allclose(one[0][0], plain[0][0], atol=0.05)
    assert one[0][0].isfinite().all()
    # Validation stays as it is.
    for mine, theirs in zip(
        augmented().validation_batches(store, training),
        kind().validation_batches(store, settings),
        strict=True,
    ):
        assert torch.equal(mine[0], theirs[0])


def test_a_detuned_frame_has_the_pitch_that_it_sounds_at(pitch_store: FeatureStore) -> None:
    training = {**PITCH, "augmentation": {"tuning_cents": 90}}
    seen = []
    for inputs, targets in batches(AugmentedPitch(), pitch_store, training):
        sounding = targets.sum(1) > 1
        spectrum = torch.fft.rfft(inputs[sounding, 0] * torch.hann_window(1024), 1 << 16).abs()
        heard = spectrum.argmax(1) * 16_000 / (1 << 16)
        told = decode(targets[sounding])[0]
        assert (1200 * torch.log2(heard / told)).abs().max() < 12
        written = torch.where(told < 245, 200.0, 300.0)
        seen.append(1200 * torch.log2(told / written))
    cents = torch.cat(seen)
    assert cents.abs().max() > 60
    assert cents.abs().max() < 95


def test_frames_have_mean_0_and_deviation_1(pitch_store: FeatureStore) -> None:
    inputs, _ = batches(AugmentedPitch(), pitch_store, {**PITCH, "augmentation": STRONG})[0]
    assert inputs.shape == (32, 1, 1024)
    torch.testing.assert_close(inputs.mean(2), torch.zeros(32, 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(inputs.square().mean(2), torch.ones(32, 1), atol=1e-3, rtol=0)


def test_context_ends_where_its_track_does() -> None:
    array = torch.arange(1, 31)
    tracks = pd.DataFrame({"first": [0, 20], "count": [10, 10]})
    found = with_context(array, tracks, torch.tensor([0, 6, 20, 27]), 3, 4, 2)
    assert found.tolist() == [
        [0, 0, 0, 0, 1, 2, 3, 4, 5],
        [3, 4, 5, 6, 7, 8, 9, 10, 0],
        [0, 0, 0, 0, 21, 22, 23, 24, 25],
        [24, 25, 26, 27, 28, 29, 30, 0, 0],
    ]


def test_other_tasks_say_that_they_cannot() -> None:
    with pytest.raises(ConfigError, match="task genre: training.augmentation is for chord, drums"):
        augmented_kind(Genre)
