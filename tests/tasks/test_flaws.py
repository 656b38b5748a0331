"""Wrong labels and rare classes, counted on small stores."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.chord_labels import CLASSES, OUTSIDE, transposed
from mirtrim.tasks.classification import class_indices
from mirtrim.tasks.flaws import (
    flawed_store,
    frequent_first,
    long_tail,
    mislabelled,
    with_rare_classes,
    with_wrong_labels,
)
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.utils.errors import ConfigError, CorpusError

CLIPS: dict[str, Any] = {"classes": ["a", "b", "c"], "window_samples": 4}
PATCHES: dict[str, Any] = {"window_frames": 3, "bins": 4}


def clips_store(folder: Path, per_class: int = 10, length: int = 6) -> FeatureStore:
    """As many training clips of each of three classes, and half as many to validate and test."""
    recordings = []
    for split, count in (("train", per_class), ("validation", 5), ("test", 5)):
        for label in CLIPS["classes"]:
            for number in range(count):
                name = f"{split}{label}{number}"
                row = {"track_id": name, "split": split, "source": name, "duration_seconds": 1.0}
                samples = np.full(length, 1 + len(recordings), np.int16)
                recordings.append((row, {"samples": samples}, pd.DataFrame({"label": [label]})))
    # Not split by split, as a corpus is not.
    recordings = [recordings[i] for i in np.random.default_rng(1).permutation(len(recordings))]
    write_store(folder / "store", recordings, None)
    return open_store(folder / "store")


def chords_store(folder: Path) -> FeatureStore:
    """Four training tracks of six spans, one of which has no class, and one more track each."""
    recordings = []
    for track, split in enumerate(["train"] * 4 + ["validation", "test"]):
        spans = [OUTSIDE, 0, 5, 24, 5, 13]
        targets = np.repeat(np.array(spans, np.int8), [1, 3, 2, 4, 1, 2])
        frames = np.zeros((len(targets), 4), np.float32)
        row = {
            "track_id": str(track),
            "split": split,
            "source": str(track),
            "duration_seconds": 1.0,
        }
        arrays = {"frames": frames, "targets": targets}
        recordings.append((row, arrays, pd.DataFrame({"label": ["N"]})))
    write_store(folder / "store", recordings, None)
    return open_store(folder / "store")


def changed(before: FeatureStore, after: FeatureStore) -> pd.DataFrame:
    """Split, label before and after, of every clip."""
    one, other = (s.reference.set_index("track_id").label for s in (before, after))
    return pd.DataFrame({"split": before.tracks.split, "before": one, "after": other})


@pytest.mark.parametrize(("share", "wrong"), [(0.1, 3), (0.25, 8), (0.4, 12), (0.99, 30)])
def test_exactly_that_share_of_training_clips_is_wrong(
    tmp_path: Path, share: float, wrong: int
) -> None:
    store = clips_store(tmp_path)
    table = changed(store, with_wrong_labels(Instrument(), store, CLIPS, share))
    moved = table[table.before != table.after]
    assert len(moved) == wrong  # of 30; 7.5 are rounded up
    assert set(moved.split) == {"train"}
    assert set(table.after) == {"a", "b", "c"}


def test_wrong_labels_are_the_same_for_everybody_and_grow(tmp_path: Path) -> None:
    store = clips_store(tmp_path)
    few, again, many = (
        changed(store, with_wrong_labels(Instrument(), store, CLIPS, share)).after
        for share in (0.2, 0.2, 0.5)
    )
    assert few.equals(again)
    before = changed(store, store).after
    wrong_few, wrong_many = few.index[few != before], many.index[many != before]
    assert set(wrong_few) < set(wrong_many)
    assert few[wrong_few].equals(many[wrong_few])


def test_which_labels_are_wrong_hangs_on_their_names_alone() -> None:
    names, right = [f"x{i}" for i in range(40)], np.arange(40) % 7
    found = dict(zip(names, mislabelled(names, right, 7, 0.3), strict=True))
    turned = dict(zip(names[::-1], mislabelled(names[::-1], right[::-1], 7, 0.3), strict=True))
    assert found == turned
    others = mislabelled([f"y{i}" for i in range(40)], right, 7, 0.3)
    assert others.tolist() != list(found.values())


def test_every_other_class_takes_the_place_of_the_right_one() -> None:
    """Symmetric noise: 4 of 5 classes, each in a quarter of the cases."""
    right = np.full(4000, 2)
    found = mislabelled([str(i) for i in range(4000)], right, 5, 0.999)
    counts = np.bincount(found, minlength=5)
    assert counts[2] == 4
    # Deviation of a count of 3996 / 4: 27.
    assert (np.abs(np.delete(counts, 2) - 999) < 110).all()


def test_batches_of_every_epoch_see_the_same_wrong_labels(tmp_path: Path) -> None:
    store = clips_store(tmp_path)
    noisy = with_wrong_labels(Instrument(), store, CLIPS, 0.4)
    training = {**CLIPS, "batch_size": 30, "examples_per_epoch": 300}
    labels = class_indices(noisy, noisy.tracks, CLIPS)
    right = class_indices(store, store.tracks, CLIPS)
    assert int((labels != right).sum()) == 12
    for epoch in range(2):
        plain = list(Instrument().batches(store, training, np.random.default_rng(epoch)))
        given = list(Instrument().batches(noisy, training, np.random.default_rng(epoch)))
        assert all(torch.equal(a, b) for (a, _), (b, _) in zip(plain, given, strict=True))
        wrong = np.mean([float((a != b).float().mean()) for (_, a), (_, b)
                         in zip(plain, given, strict=True)])  # fmt: skip
        assert wrong == pytest.approx(0.4, abs=0.1)
    (one,) = Instrument().validation_batches(store, training)
    (other,) = Instrument().validation_batches(noisy, training)
    assert torch.equal(one[1], other[1])


def spans_of(store: FeatureStore, track: str) -> list[int]:
    """The class of each run of the six spans' frames; fails if a span has two."""
    rows = store.rows("targets", track).tolist()
    parts, found = [1, 3, 2, 4, 1, 2], []
    for count in parts:
        (only,) = set(rows[:count])
        found.append(only)
        rows = rows[count:]
    return found


@pytest.mark.parametrize(("share", "wrong"), [(0.1, 2), (0.4, 8), (0.95, 19)])
def test_spans_of_chords_are_wrong_as_a_whole(tmp_path: Path, share: float, wrong: int) -> None:
    store = chords_store(tmp_path)
    right = [OUTSIDE, 0, 5, 24, 5, 13]
    noisy = with_wrong_labels(Chord(), store, PATCHES, share)
    found = {track: spans_of(noisy, track) for track in noisy.tracks.index}
    moved = sum(a != b for track in "0123" for a, b in zip(found[track], right, strict=True))
    assert moved == wrong  # of 4 tracks · 5 spans that have a class
    assert found["4"] == found["5"] == right
    assert all(found[track][0] == OUTSIDE for track in "0123")
    assert all(0 <= label < CLASSES for track in "0123" for label in found[track][1:])
    # What is on disk, and in the store that others share, is untouched.
    assert spans_of(store, "0") == right


def test_a_wrong_chord_stays_wrong_however_it_is_transposed(tmp_path: Path) -> None:
    store = chords_store(tmp_path)
    noisy = with_wrong_labels(Chord(), store, PATCHES, 0.95)
    right, given = store.arrays["targets"].numpy(), noisy.arrays["targets"].numpy()
    wrong = right != given
    for semitones in range(-11, 12):
        moved = np.full(len(right), semitones)
        assert (transposed(right, moved) != transposed(given, moved))[wrong].all()
    training = {**PATCHES, "batch_size": 50, "examples_per_epoch": 50, "transpose_semitones": 0}
    ((_, one),) = Chord().batches(store, training, np.random.default_rng(3))
    ((_, other),) = Chord().batches(noisy, training, np.random.default_rng(3))
    assert float((one != other).float().mean()) > 0.8


def test_which_labels_are_wrong_and_which_classes_are_rare_stays_as_it_was() -> None:
    """Committed rows rest on it; the names alone decide."""
    zeros, threes = np.zeros(8, dtype=int), np.full(8, 3)
    assert mislabelled([*"abcdefgh"], zeros, 4, 0.5).tolist() == [0, 1, 1, 0, 3, 0, 0, 1]
    assert mislabelled([*"abcdefgh"], threes, 4, 1.0).tolist() == [1, 0, 0, 1, 2, 1, 1, 0]
    turned = mislabelled([*"hgfedcba"], zeros, 4, 0.5)
    assert turned.tolist() == [1, 0, 0, 3, 0, 1, 1, 0]
    assert frequent_first([*"abcdef"]) == frequent_first([*"fedcba"]) == [*"bcdaef"]
    assert frequent_first([*"abcdef"], 1) == [*"deabfc"]


def test_a_long_tail_by_hand() -> None:
    # 50 · 20^(−i/7): 50, 32.59, 21.24, 13.85, 9.03, 5.88, 3.84, 2.50
    assert long_tail([50] * 8, 20) == [50, 33, 21, 14, 9, 6, 4, 3]
    assert long_tail([40, 40, 40], 4) == [40, 20, 10]
    assert long_tail([40, 40, 40], 1) == [40, 40, 40]
    # The second class has 8 clips and is to have half of the first: so that has 16.
    assert long_tail([40, 8, 40], 4) == [16, 8, 4]
    assert long_tail([3, 3, 3], 1000) == [3, 1, 1]
    # The last of two is the rarest; one alone is rarer than none.
    assert long_tail([40, 40], 4) == [40, 10]
    assert long_tail([7], 4) == [7]


def test_clips_of_rare_classes_are_left_out_of_training(tmp_path: Path) -> None:
    store = clips_store(tmp_path)
    order = frequent_first(CLIPS["classes"])
    rare = with_rare_classes(store, CLIPS, 5)
    labels = store.reference.set_index("track_id").label
    counts = labels[rare.of_split("train").index].value_counts()
    # 10 · 5^(−1/2) = 4.47
    assert counts[order].tolist() == [10, 4, 2]
    for split in ("validation", "test"):
        assert rare.of_split(split).equals(store.of_split(split))
    fewer = with_rare_classes(store, CLIPS, 10)
    assert set(fewer.tracks.index) < set(rare.tracks.index)
    # Windows of what is left have the labels and samples that they had.
    training = {**CLIPS, "batch_size": 400, "examples_per_epoch": 400}
    assert Instrument().steps_per_epoch(rare, training) == 1
    ((inputs, targets),) = Instrument().batches(rare, training, np.random.default_rng(0))
    assert inputs.shape == (400, 1, 4)
    shares = torch.bincount(targets, minlength=3) / 400
    wanted = torch.tensor([counts[label] / 16 for label in CLIPS["classes"]])
    torch.testing.assert_close(shares, wanted.float(), atol=0.08, rtol=0)


def test_another_order_makes_others_rare() -> None:
    classes = [*"abcdefgh"]
    orders = {tuple(frequent_first(classes, order)) for order in range(5)}
    assert len(orders) == 5
    assert all(sorted(order) == classes for order in orders)
    # The order in which a configuration names them makes no difference.
    assert frequent_first(classes[::-1], 3) == frequent_first(classes, 3)


def test_both_flaws_are_made_one_after_the_other(tmp_path: Path) -> None:
    store = clips_store(tmp_path)
    training = {"label_noise": 0.25, "rare_classes": {"factor": 5}}
    flawed = flawed_store(Instrument(), store, CLIPS, training)
    train = flawed.of_split("train").index
    assert len(train) == 16
    table = changed(store, flawed).loc[train]
    assert int((table.before != table.after).sum()) == 4  # a quarter of what is left


def test_nothing_asked_for_is_nothing_changed(tmp_path: Path) -> None:
    store = clips_store(tmp_path)
    for training in ({}, {"label_noise": 0.0, "rare_classes": None}):
        assert flawed_store(Instrument(), store, CLIPS, training) is store


@pytest.mark.parametrize(
    ("task", "training", "said"),
    [
        (Onset(), {"label_noise": 0.1}, "onset: training.label_noise is for tasks with one"),
        (Chord(), {"rare_classes": {"factor": 2}}, "chord: training.rare_classes is for tasks"),
    ],
)
def test_a_task_that_does_not_know_how_is_named(
    tmp_path: Path, task: Any, training: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        flawed_store(task, clips_store(tmp_path), CLIPS, training)


def test_a_class_without_training_clips_is_named(tmp_path: Path) -> None:
    store = clips_store(tmp_path)
    with pytest.raises(CorpusError, match="class 'd' has no training clip"):
        with_rare_classes(store, {**CLIPS, "classes": [*CLIPS["classes"], "d"]}, 2)
