"""How to listen with a task, and which numbers turn its activations into a result."""

from collections.abc import Mapping

import numpy as np

from mirtrim.tasks.hearing import Hearing
from mirtrim.tasks.task import Task
from mirtrim.utils.errors import ConfigError

# Share of sure answers that must be correct on validation.
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


def hearing_of(task: Task) -> Hearing:
    """How a task is listened with.

    Raises:
        ConfigError: the task does not say.
    """
    if task.hearing is None:
        raise ConfigError(
            f"task {task.name!r} cannot be listened with; give it a `hearing`"
            " (see mirtrim.tasks.hearing)"
        )
    return task.hearing


def decoding_names(task: Task) -> tuple[str, ...]:
    """Names of the numbers that decoding needs; they are stored in a row's scores."""
    return () if task.hearing is None else task.hearing.decoding


def names_classes(task: Task) -> bool:
    """Whether the answer is one of several classes, which may be unsure."""
    return task.hearing is not None and task.hearing.kind == "classes"
