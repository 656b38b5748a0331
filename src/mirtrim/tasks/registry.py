"""The tasks by name."""

from mirtrim.tasks.chord import Chord
from mirtrim.tasks.drums import Drums, DrumsFive
from mirtrim.tasks.genre import Genre
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.task import Task
from mirtrim.utils.errors import ConfigError

TASKS: dict[str, type[Task]] = {
    kind.name: kind for kind in (Instrument, Pitch, Chord, Drums, DrumsFive, Onset, Genre)
}


def get_task(name: str) -> Task:
    """The task called `name`; an unknown name is a `ConfigError`."""
    if name not in TASKS:
        raise ConfigError(f"unknown task {name!r}; known: {', '.join(sorted(TASKS))}")
    return TASKS[name]()
