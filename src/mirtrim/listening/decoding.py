"""Which numbers, chosen on validation, turn the activations of a task into an answer."""

from mirtrim.errors import ConfigError
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.task import Task
from mirtrim.tasks.transcription import Transcription


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
