"""How sure a network is, and how often it is right: calibration, and the class it knows worst.

Every task states something with a probability: this track is a flute, this frame is C:maj, this
frame has an onset. Statements with probability p should be true in a share p of all cases (Guo,
Pleiss, Sun, Weinberger, ICML 2017):

    ECE = Σ_b (n_b / n) · |share_b − probability_b|

over bins b of statements of like probability, with n_b statements, the share of them that is true
and their mean probability.
"""

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.chord_labels import LABELS, OUTSIDE
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Parameters, Predictions, Task
from mirtrim.tasks.transcription import Transcription

BINS = 15  # as in the paper
# A pitch is right within a quarter tone, as mir_eval's raw pitch accuracy has it.
RIGHT_CENTS = 50.0
# For classes with fewer statements, the share that is true is unreliable.
LEAST_OF_CLASS = 20
NO_CLASS = ""
C0_HZ = 16.352  # octave 4 begins with middle C, 261.6 Hz


@dataclass(frozen=True)
class Statements:
    """Predictions of a network for a split.

    Attributes:
        probability: that it gives to every statement, (statements,), 0 to 1.
        true: whether that was so, (statements,).
        classes: what really was there, (statements,); `NO_CLASS` where that has no class.
    """

    probability: np.ndarray
    true: np.ndarray
    classes: np.ndarray

    def __post_init__(self) -> None:
        shapes = {self.probability.shape, self.true.shape, self.classes.shape}
        if len(shapes) != 1 or self.probability.ndim != 1 or not len(self.probability):
            raise ValueError(f"statements need one shape (n,) with n above 0, not {shapes}")


@dataclass(frozen=True)
class Reliability:
    """Statements sorted into bins by probability; empty bins are left out.

    Attributes:
        counts: statements of each bin, (bins,).
        probability: their mean probability, (bins,).
        share: the share of them that is true, (bins,).
    """

    counts: np.ndarray
    probability: np.ndarray
    share: np.ndarray

    @property
    def calibration_error(self) -> float:
        """ECE of these bins."""
        gaps = np.abs(self.share - self.probability)
        return float((self.counts * gaps).sum() / self.counts.sum())


def reliability(said: Statements, bins: int = BINS) -> Reliability:
    """In bins of equal width; bin m holds probabilities above (m − 1) / bins, up to m / bins."""
    place = np.clip(np.ceil(said.probability * bins).astype(int) - 1, 0, bins - 1)
    return _sorted_into(said, place)


def reliability_of_equal_mass(said: Statements, bins: int = BINS) -> Reliability:
    """In bins of as many statements each, or one more: most probabilities are near 0 or 1.

    Statements of one probability may fall into two bins, in their own order.
    """
    place = np.empty(len(said.probability), dtype=int)
    order = np.argsort(said.probability, kind="stable")
    place[order] = np.arange(len(order)) * bins // len(order)
    return _sorted_into(said, place)


def _sorted_into(said: Statements, place: np.ndarray) -> Reliability:
    counts = np.bincount(place)
    sums = (np.bincount(place, weights=said.probability), np.bincount(place, weights=said.true))
    filled = counts > 0
    means = [total[filled] / counts[filled] for total in sums]
    return Reliability(counts[filled], *means)


def worst_class(said: Statements, at_least: int = LEAST_OF_CLASS) -> tuple[str, float]:
    """The class whose statements are true least often, and that share.

    Args:
        at_least: classes with fewer statements are passed over.

    Returns:
        ("-", NaN) if no class has that many.
    """
    found = {}
    for name in sorted(set(said.classes) - {NO_CLASS}):
        of_class = said.true[said.classes == name]
        if len(of_class) >= at_least:
            found[str(name)] = float(of_class.mean())
    if not found:
        return "-", float("nan")
    worst = min(found, key=lambda name: found[name])
    return worst, found[worst]


@singledispatch
def statements(
    task: Task, predictions: Predictions, store: FeatureStore, features: Parameters
) -> Statements:
    """What the predictions of a split, as `Task.predict` makes them, state.

    Raises:
        TypeError: this kind of task has no statements defined.
    """
    raise TypeError(f"task {task.name}: what its outputs state is not known here; register it")


@statements.register
def _(
    task: Classification, predictions: Predictions, store: FeatureStore, features: Parameters
) -> Statements:
    """ "This track is of that class", of the class with the highest mean probability."""
    label_of = store.reference.set_index("track_id").label
    means = np.stack([probability.mean(0) for probability in predictions.values()])
    classes = np.array([str(label_of[track]) for track in predictions])
    named = np.array(features["classes"])[means.argmax(1)]
    return Statements(means.max(1).astype(np.float64), named == classes, classes)


@statements.register
def _(
    task: Chord, predictions: Predictions, store: FeatureStore, features: Parameters
) -> Statements:
    """ "This frame is that chord", before smoothing; frames of other chords are left out."""
    probability, named, truth = [], [], []
    for track_id, log_probability in predictions.items():
        starts = task.predicted_starts(store.tracks.loc[track_id], features)
        probability.append(np.exp(log_probability.astype(np.float64)).max(1))
        named.append(log_probability.argmax(1))
        truth.append(task.targets(store, features)(starts).numpy())
    joined = np.concatenate(truth)
    known = joined != OUTSIDE
    return Statements(
        np.concatenate(probability)[known].clip(0, 1),
        (np.concatenate(named) == joined)[known],
        np.array(LABELS)[joined[known]],
    )


@statements.register
def _(
    task: Pitch, predictions: Predictions, store: FeatureStore, features: Parameters
) -> Statements:
    """ "This frame sounds, at that pitch": true within a quarter tone. Classes are octaves."""
    probability, true, classes = [], [], []
    for track_id, (estimate_hz, activation) in predictions.items():
        starts = task.track_starts(store.tracks.loc[track_id], features)
        truth_hz = store.arrays["f0_hz"][starts].numpy()
        sounds = truth_hz > 0
        safe_hz = np.where(sounds, truth_hz, 1.0)
        cents = 1200 * np.log2(np.maximum(estimate_hz, 1e-3) / safe_hz)
        probability.append(activation.astype(np.float64))
        true.append(sounds & (np.abs(cents) < RIGHT_CENTS))
        octave = np.floor(np.log2(safe_hz / C0_HZ)).astype(int)
        classes.append(np.where(sounds, [f"octave {number}" for number in octave], NO_CLASS))
    return Statements(np.concatenate(probability), np.concatenate(true), np.concatenate(classes))


@statements.register
def _(
    task: Transcription, predictions: Predictions, store: FeatureStore, features: Parameters
) -> Statements:
    """ "This frame has an event of this detector", of every frame and detector.

    No classes: detectors are judged by their F-measure, not by frames, most of which are empty.
    """
    probability, true = [], []
    for track_id, activation in predictions.items():
        probability.append(activation.T.ravel().astype(np.float64))
        true.append(store.rows("targets", track_id).numpy().ravel() > 0)
    joined = np.concatenate(probability)
    return Statements(joined, np.concatenate(true), np.full(len(joined), NO_CLASS))
