"""From an audio file to what a trained network hears in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mirtrim.errors import ConfigError
from mirtrim.listening.audio import AudioFile, Progress, no_progress, open_audio
from mirtrim.listening.bundle import Bundle
from mirtrim.listening.chords import hear_chords
from mirtrim.listening.events import hear_events
from mirtrim.listening.pitch import hear_pitch
from mirtrim.listening.results import Heard
from mirtrim.listening.tags import hear_class
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.task import Task
from mirtrim.tasks.transcription import Transcription

LISTENERS: tuple[tuple[type[Task], Callable[[Bundle, Any, AudioFile, Progress], Heard]], ...] = (
    (Transcription, hear_events),
    (Pitch, hear_pitch),
    (Chord, hear_chords),
    (Classification, hear_class),
)


def listen(path: str | Path, bundle: Bundle, progress: Progress = no_progress) -> Heard:
    """Listen to a file of any length in bounded memory.

    What is held is one stretch of the file (10 to 30 s) and the activations of the whole, less
    than 1 kB per second.

    Args:
        path: anything libsndfile reads, any rate, any number of channels.
        bundle: a trained network (`read_bundle`).
        progress: called with (seconds read, seconds to read) after each block.

    Returns:
        `Events`, `PitchCurve`, `Chords` or `Tags`, as the task has it. A silent file gives an
        empty one with a note.

    Raises:
        AudioError: the file is missing, empty, no audio, or damaged.
        ConfigError: it is not known how to listen with the bundle's task.
    """
    audio = open_audio(path)
    for kind, hear in LISTENERS:
        if isinstance(bundle.task, kind):
            return hear(bundle, bundle.task, audio, progress)
    raise ConfigError(f"task {bundle.task.name!r}: listening does not know it")
