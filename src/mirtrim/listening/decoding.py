"""Which numbers, chosen on validation, turn the activations of a task into an answer."""

from collections.abc import Mapping

import numpy as np

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.task import Task
from mirtrim.tasks.transcription import Transcription
from mirtrim.utils.errors import ConfigError

# Optional, of a classifier: the probability from which on its answer is sure.
SURE_FROM = "sure_from"
# So many of the sure answers shall be right on validation.
SURE_ACCURACY = 0.8


def sure_from(probability: Mapping[str, np.ndarray], true: Mapping[str, int]) -> float:
    """The lowest probability from which on `SURE_ACCURACY` of the answers are right.

    Args:
        probability: track → (windows, classes), as `Classification.predict` gives it.
        true: track → its class.

    Returns:
        1.0 if even the most probable answers are wrong too often.
    """
    means = {track: windows.mean(0) for track, windows in probability.items()}
    answers = sorted(
        ((float(mean.max()), int(mean.argmax()) == true[track]) for track, mean in means.items()),
        reverse=True,
    )
    right = np.cumsum([correct for _, correct in answers]) / np.arange(1, len(answers) + 1)
    enough = np.flatnonzero(right >= SURE_ACCURACY)
    return answers[int(enough[-1])][0] if len(enough) else 1.0


def optional_decoding_names(task: Task) -> tuple[str, ...]:
    """Names of numbers that a bundle may have beside `decoding_names`."""
    return (SURE_FROM,) if isinstance(task, Classification) else ()


def decoding_names(task: Task) -> tuple[str, ...]:
    """Names of the numbers that the task's `tune` chooses; they stand in a row's scores.

    Raises:
        ConfigError: it is not known how to listen with this task.
    """
    if isinstance(task, Transcription):
        return tuple(f"threshold_{detector}" for detector in task.detectors)
    if isinstance(task, Pitch):
        return ("threshold",)
    if isinstance(task, Chord):
        return ("change_penalty",)
    if isinstance(task, Classification):
        return ()
    raise ConfigError(f"task {task.name!r}: listening does not know how to decode it")
