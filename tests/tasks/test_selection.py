"""Which data a training, a choice and a score see, and which threshold is chosen; by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.drums import Drums
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.tasks.task import Task
from mirtrim.tasks.transcription import middle_of_the_best

MARKS = {"train": 1, "validation": 2, "test": 3}
SIZES: dict[str, Any] = {"examples_per_epoch": 48, "batch_size": 16}
Arrays = dict[str, np.ndarray]


def marked_frames(mark: int, detectors: int) -> Arrays:
    frames = np.full((30, 2), mark, dtype=np.float32)
    frames[0] += 0.5  # so that the deviation is not 0
    return {"frames": frames, "targets": np.zeros((30, detectors), dtype=np.uint8)}


def marked_chords(mark: int) -> Arrays:
    return {
        "frames": np.full((30, 8), mark, dtype=np.float32),
        "targets": np.full(30, mark, dtype=np.int8),
    }


def marked_samples(mark: int) -> Arrays:
    # So many pulses of a window of four are not zero.
    return {"samples": np.tile(np.array([1] * mark + [0] * (4 - mark)), 10).astype(np.int16)}


def marked_blocks(mark: int) -> Arrays:
    blocks = np.zeros((30, 4), dtype=np.int16)
    blocks[:, :mark] = 100
    return {"blocks": blocks, "f0_hz": np.full(30, 100.0 * 2**mark, dtype=np.float32)}


def normalised(store: FeatureStore, mark: int) -> float:
    return (mark - store.statistics["mean"][0]) / store.statistics["deviation"][0]


def of_frames(store: FeatureStore, inputs: Tensor, targets: Tensor) -> list[int]:
    """The split that the last frame of each window is of."""
    values = inputs[:, 0, 0, -1]
    return [
        min(MARKS.values(), key=lambda mark: abs(normalised(store, mark) - float(v)))
        for v in values
    ]


def of_chords(store: FeatureStore, inputs: Tensor, targets: Tensor) -> list[int]:
    return inputs[:, 0, 0, 0].round().int().tolist()


def of_samples(store: FeatureStore, inputs: Tensor, targets: Tensor) -> list[int]:
    return inputs.count_nonzero(dim=(1, 2)).tolist()


def of_blocks(store: FeatureStore, inputs: Tensor, targets: Tensor) -> list[int]:
    return (inputs > 0).sum(dim=(1, 2)).div(2).int().tolist()


FRAMES = {"window_frames": 4, "hop": 800, "sample_rate": 16000, "positive_weight": 1}
CASES: dict[str, tuple[Task, Callable[[int], Arrays], Callable[..., list[int]], dict[str, Any]]] = {
    "onset": (Onset(), lambda mark: marked_frames(mark, 1), of_frames, FRAMES),
    "drums": (Drums(), lambda mark: marked_frames(mark, 3), of_frames, FRAMES),
    "chord": (
        Chord(),
        marked_chords,
        of_chords,
        {"window_frames": 3, "transpose_semitones": 0},
    ),
    "instrument": (
        Instrument(),
        marked_samples,
        of_samples,
        {"window_samples": 4, "classes": ["piano"]},
    ),
    "pitch": (
        Pitch(),
        marked_blocks,
        of_blocks,
        {"frame_samples": 8, "hop": 4, "score_every_frames": 1},
    ),
}


def store_of(folder: Path, task: Task, arrays: Callable[[int], Arrays]) -> FeatureStore:
    """Two tracks of each split, in turn, so that no split is a range of the store."""
    recordings = []
    for number in range(2):
        for split, mark in MARKS.items():
            row = {
                "track_id": f"{split}{number}", "split": split, "source": f"{split}{number}",
                "duration_seconds": 1.5,
            }  # fmt: skip
            recordings.append((row, arrays(mark), pd.DataFrame({"label": ["piano"]})))
    write_store(folder / "store", recordings, task.normalised_array)
    return open_store(folder / "store")


@pytest.mark.parametrize("name", sorted(CASES))
def test_training_draws_from_the_training_split_and_validation_from_its_own(
    name: str, tmp_path: Path
) -> None:
    task, arrays, split_of, parameters = CASES[name]
    store = store_of(tmp_path, task, arrays)
    training = {**parameters, **SIZES}
    batches = list(task.batches(store, training, np.random.default_rng(0)))
    assert len(batches) == task.steps_per_epoch(store, training) == 3
    assert {len(inputs) for inputs, _ in batches} == {16}
    drawn = [m for inputs, targets in batches for m in split_of(store, inputs, targets)]
    assert set(drawn) == {MARKS["train"]}
    validation = list(task.validation_batches(store, training))
    held = [m for inputs, targets in validation for m in split_of(store, inputs, targets)]
    assert set(held) == {MARKS["validation"]}
    assert sum(len(inputs) for inputs, _ in validation) == len(
        task.split_starts(store, "validation", training)  # type: ignore[attr-defined]
    )


class Listener(nn.Module):
    """A network that says what it hears: the mean of each window, for every output."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.shape = shape
        self.heard: list[float] = []

    def forward(self, inputs: Tensor) -> Tensor:
        assert not self.training
        self.heard += inputs.flatten(1).mean(1).tolist()
        return inputs.new_zeros((len(inputs), *self.shape))


@pytest.mark.parametrize("split", ["validation", "test"])
def test_predictions_are_of_the_split_that_is_asked_for(split: str, tmp_path: Path) -> None:
    task, arrays, _, parameters = CASES["chord"]
    store = store_of(tmp_path, task, arrays)
    network = Listener(25)
    features = {**parameters, "score_every_frames": 3}
    found = task.predict(network, store, split, features)
    assert list(found) == [f"{split}0", f"{split}1"]
    assert set(network.heard) == {float(MARKS[split])}


def peaks_at(*heights: float) -> np.ndarray:
    """An activation with a peak of each height every fourth frame, (1, frames)."""
    activation = np.zeros((1, 4 * len(heights) + 4))
    activation[0, 4 : 4 * len(heights) + 1 : 4] = heights
    return activation


def onsets(**times: list[float]) -> Any:
    tables = [
        pd.DataFrame({"track_id": t, "time_seconds": s, "label": "onset"}) for t, s in times.items()
    ]

    class Reference:
        reference = pd.concat(tables)

    return Reference


@pytest.mark.parametrize(
    ("heights", "right", "threshold"),
    [
        # True peaks 0.95, 0.76; false 0.72, 0.65. F at 0.1 … 0.6: 2/3, at 0.7: 4/5, at 0.8 and
        # 0.9: 2/3; then beside 0.7: 2/3 at 0.65, and 1 at 0.75.
        ([0.95, 0.76, 0.72, 0.65], [0, 1], 0.75),
        # True 0.95, 0.68; false 0.63. F: 4/5 up to 0.6, 2/3 beyond; the first of the best is 0.1,
        # and nothing beside it is better.
        ([0.95, 0.68, 0.63], [0, 1], 0.1),
        # True 0.95, 0.37; false 0.33, 0.25. F: 2/3 up to 0.2, 4/5 at 0.3, 2/3 beyond; 1 at 0.35.
        ([0.95, 0.37, 0.33, 0.25], [0, 1], 0.35),
        # True 0.55; false 0.42. F: 2/3 up to 0.4, 1 at 0.5, 0 beyond; 1 at 0.45 as well, which is
        # no better.
        ([0.55, 0.42], [0], 0.5),
    ],
)
def test_the_threshold_of_events_is_the_best_of_the_grid_and_its_neighbours(
    heights: list[float], right: list[int], threshold: float
) -> None:
    features = {"hop": 800, "sample_rate": 16000}  # 50 ms
    times = [0.2 * (place + 1) for place in right]
    store = onsets(song=times, other=times)
    predictions = {name: peaks_at(*heights) for name in ("song", "other")}
    assert Onset().tune(predictions, store, features) == {"threshold_onset": threshold}


def test_the_middle_of_the_best_thresholds_by_hand() -> None:
    """Two pieces; at 0.3 their mean is 0.8 and its standard error 0.1 (0.7 and 0.9)."""
    scores = {
        0.1: [0.9, 0.9],  # best of all, without error, and worse ones beside it
        0.2: [0.6, 0.7],
        0.3: [0.7, 0.9],
        0.4: [0.71, 0.7],  # hardly one standard error below: as good
        0.5: [0.91, 0.5],
        0.6: [0.69, 0.7],
    }
    pieces = {t: np.array(of) for t, of in scores.items()}
    assert middle_of_the_best(pieces) == 0.1
    del pieces[0.1]
    assert middle_of_the_best(pieces) == 0.4  # of 0.3 to 0.5
    # One piece has no standard error, and equally good thresholds still have a middle.
    assert middle_of_the_best({t: of[:1] for t, of in pieces.items()}) == 0.5
    assert middle_of_the_best({0.2: np.ones(1), 0.4: np.ones(1), 0.9: np.ones(1)}) == 0.55


def test_a_threshold_in_the_middle_lies_between_what_is_right_and_what_is_not() -> None:
    """True peaks 0.95 and 0.76, false 0.42: all is right from 0.45 to 0.75."""
    times = [0.2, 0.4]
    store = onsets(song=times, other=times)
    predictions = {name: peaks_at(0.95, 0.76, 0.42) for name in ("song", "other")}
    features = {"hop": 800, "sample_rate": 16000, "threshold": "middle"}
    assert Onset().tune(predictions, store, features) == {"threshold_onset": 0.6}


def test_the_threshold_of_pitch_is_the_best() -> None:
    """Four frames; those of 0.9 and 0.62 sound, those of 0.58 and 0.1 do not.

    All four are right at 0.6 alone; at most 3 at every other multiple of 0.05.
    """

    class Store:
        tracks = pd.DataFrame({"first": [0], "count": [5]}, index=["song"])
        arrays = {"f0_hz": torch.tensor([440.0, 220.0, 0.0, 0.0, 0.0])}  # noqa: RUF012

    features = {"frame_samples": 8, "hop": 4, "score_every_frames": 1}
    prediction = np.array([[440.0, 220.0, 300.0, 300.0], [0.9, 0.62, 0.58, 0.1]])
    assert Pitch().tune({"song": prediction}, Store, features) == {"threshold": 0.6}


def test_the_cost_of_a_chord_change_is_the_best() -> None:
    """C for 4 s, a frame per second; the third, from 1.5 to 2.5 s, calls G twice as probable.

    If changes cost nothing, 3 of 4 s are right. G is worth ln 2 = 0.69 nats and two changes, so
    that from 0.35 nats each on all 4 s are right.
    """

    class Store:
        reference = pd.DataFrame(
            {"track_id": ["song"], "start_seconds": [0.0], "end_seconds": [4.0], "label": ["C"]}
        )

    probabilities = np.full((5, 25), 0.1 / 23)
    probabilities[:, 0], probabilities[:, 7] = 0.6, 0.3
    probabilities[2, 0], probabilities[2, 7] = 0.3, 0.6
    features = {"score_every_frames": 1, "hop": 16000, "sample_rate": 16000}
    predictions = {"song": np.log(probabilities)}

    def right(penalty: float) -> float:
        pieces = Chord().score(predictions, Store, features, {"change_penalty": penalty})
        return Chord().summarise(pieces)["majmin"]

    assert right(0.0) == pytest.approx(0.75)
    (penalty,) = Chord().tune(predictions, Store, features).values()
    assert penalty > 0.69 / 2
    assert right(penalty) == pytest.approx(1.0)
    assert right(0.34) == pytest.approx(0.75)
    assert right(0.36) == pytest.approx(1.0)


def test_events_weigh_as_much_as_the_configuration_says() -> None:
    """Logits 0 cost ln 2 each; the one event of four cells weighs w: (w + 3) · ln 2 / 4."""
    outputs, targets = torch.zeros(1, 1, 4), torch.tensor([[[1.0, 0, 0, 0]]])
    for task in (Onset(), Drums()):
        for weight, expected in ((1, 4 / 4), (3, 6 / 4), (0.5, 3.5 / 4)):
            loss = task.loss(outputs, targets, {"positive_weight": weight})
            assert loss.item() == pytest.approx(expected * np.log(2))
