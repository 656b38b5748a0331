"""Training data that are made worse on purpose: wrong labels, rare classes.

Both change only the training split; validation and test are unchanged. Which labels become wrong
and which clips are left out depends on names (of tracks, classes, spans), not on the seed of a
network: it is the same in every epoch, for every seed, and for dense and compressed networks. Flaws
of a low setting are included in those of a higher one.

`training.label_noise` (symmetric noise; He, Xie, Zhu, Qin, ICML 2022, who find that pruning may
aggravate overfitting to it). The task defines what a training label is: the class of a clip, or the
class of a span of neighbouring frames.

`training.rare_classes` (long tail; Cui, Jia, Lin, Song, Belongie, CVPR 2019). The class in place
i of C keeps

    n_i = N · factor^(−i / (C − 1)),  rounded, at least one

training clips, N as large as the corpus allows. Examples are drawn from the remaining clips, with
the usual number per epoch.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.chord_labels import CLASSES, OUTSIDE
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Parameters, Task
from mirtrim.utils.errors import ConfigError, CorpusError
from mirtrim.utils.seeds import derive


def flaws_of(training: Parameters) -> list[str]:
    """The settings of a training that make its data worse, those alone that are set."""
    return [key for key in ("rare_classes", "label_noise") if training.get(key)]


def check_flaws(task: Task, training: Parameters) -> None:
    """Whether the data of `task` can be altered in this way.

    Raises:
        ConfigError: they cannot; names the setting.
    """
    known = {"rare_classes": (Classification,), "label_noise": (Classification, Chord)}
    for key in flaws_of(training):
        if not isinstance(task, known[key]):
            kinds = {Classification: "tasks with one class per track", Chord: "chord"}
            told = " and ".join(kinds[kind] for kind in known[key])
            raise ConfigError(f"task {task.name}: training.{key} is for {told}; leave it out there")


def flawed_store(
    task: Task, store: FeatureStore, features: Parameters, training: Parameters
) -> FeatureStore:
    """The store as used for training; `store` itself if no flaw is configured.

    Raises:
        ConfigError: the task does not support this.
        CorpusError: a class that is to be rare has no training clip at all.
    """
    check_flaws(task, training)
    rare, noise = training.get("rare_classes"), training.get("label_noise")
    if rare:
        store = with_rare_classes(store, features, rare["factor"], rare.get("order", 0))
    return with_wrong_labels(task, store, features, noise) if noise else store


def mislabelled(names: Sequence[str], right: np.ndarray, classes: int, share: float) -> np.ndarray:
    """Labels of which a share is wrong: round(share · labels) of them, exactly.

    Args:
        names: identify the labels; they alone decide which become wrong, and how.
        right: the right classes, (labels,).
        classes: how many there are; all others are equally likely to take the place of one.

    Returns:
        (labels,), of the dtype of `right`.
    """
    order = np.argsort([derive(0, "wrong label", name) for name in names], kind="stable")
    wrong = order[: int(share * len(names) + 0.5)]
    steps = np.array([1 + derive(0, "wrong class", names[i]) % (classes - 1) for i in wrong])
    found = right.copy()
    if len(wrong):
        found[wrong] = (right[wrong] + steps) % classes
    return found


@singledispatch
def with_wrong_labels(
    task: Task, store: FeatureStore, features: Parameters, share: float
) -> FeatureStore:
    """The store with that share of its training labels wrong.

    Raises:
        TypeError: labels are not defined for this kind of task.
    """
    raise TypeError(f"task {task.name}: what its labels are is not known here; register it")


@with_wrong_labels.register
def _(
    task: Classification, store: FeatureStore, features: Parameters, share: float
) -> FeatureStore:
    """A label is the class of a clip."""
    classes = list(features["classes"])
    reference = store.reference.copy()
    rows = np.flatnonzero(reference.track_id.isin(store.of_split("train").index))
    tracks = reference.track_id.to_numpy()[rows]
    right = np.array([classes.index(label) for label in reference.label.to_numpy()[rows]])
    found = mislabelled([f"{task.name}/{track}" for track in tracks], right, len(classes), share)
    labels = reference.label.to_numpy().copy()
    labels[rows] = [classes[index] for index in found]
    return replace(store, reference=reference.assign(label=labels))


@with_wrong_labels.register
def _(task: Chord, store: FeatureStore, features: Parameters, share: float) -> FeatureStore:
    """A label is the class of a span: of neighbouring frames of one class, in one track.

    A wrong chord is transposed with its example like a right one, and so stays wrong. Frames of
    other chords are not learnt, and have no label.
    """
    targets = store.arrays["targets"].clone()
    values = targets.numpy()
    names: list[str] = []
    spans: list[slice] = []
    for track_id, track in store.of_split("train").iterrows():
        first, end = int(track["first"]), int(track["first"] + track["count"])
        starts = first + np.flatnonzero(np.diff(values[first:end], prepend=OUTSIDE - 1))
        for number, (start, stop) in enumerate(zip(starts, [*starts[1:], end], strict=True)):
            if values[start] != OUTSIDE:
                names.append(f"{task.name}/{track_id}/{number}")
                spans.append(slice(int(start), int(stop)))
    right = np.array([values[span.start] for span in spans], dtype=np.int64)
    for span, label in zip(spans, mislabelled(names, right, CLASSES, share), strict=True):
        targets[span] = int(label)
    return replace(store, arrays={**store.arrays, "targets": targets})


def frequent_first(classes: Sequence[str], order: int = 0) -> list[str]:
    """The classes as they become rarer; `order` draws another order."""
    return sorted(classes, key=lambda label: derive(order, "rare classes", label))


def long_tail(available: Sequence[int], factor: float) -> list[int]:
    """How many clips the classes keep, the most frequent first.

    Args:
        available: clips of each class, in that order.
        factor: ratio of the clips kept of the first class to those of the last one.
    """
    shares = factor ** (-np.arange(len(available)) / max(len(available) - 1, 1))
    most = float(min(np.asarray(available) / shares))
    return [max(1, int(most * share + 0.5)) for share in shares]


def with_rare_classes(
    store: FeatureStore, features: Parameters, factor: float, order: int = 0
) -> FeatureStore:
    """The store without most of the training clips of some classes.

    Args:
        factor: ratio of the most frequent class to the rarest one.
        order: draws which classes are the rare ones.

    Raises:
        CorpusError: a class has no training clip.
    """
    labels = store.reference.set_index("track_id").label
    train: dict[str, list[Any]] = {
        label: [] for label in frequent_first(features["classes"], order)
    }
    for track_id in store.of_split("train").index:
        train[labels[track_id]].append(track_id)
    if missing := [label for label, clips in train.items() if not clips]:
        raise CorpusError(
            f"class {missing[0]!r} has no training clip; it cannot be made rare, leave "
            "training.rare_classes out"
        )
    left_out: list[Any] = []
    counts = long_tail([len(clips) for clips in train.values()], factor)
    for clips, count in zip(train.values(), counts, strict=True):
        clips.sort(key=lambda track_id: derive(order, "clip of a rare class", str(track_id)))
        left_out += clips[count:]
    return replace(store, tracks=store.tracks.drop(index=left_out))
