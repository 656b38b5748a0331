"""Run a trained network on an audio file."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mirtrim.listening.about import Network
from mirtrim.listening.audio import AudioFile, Progress, no_progress, open_audio, share
from mirtrim.listening.chords import hear_chords
from mirtrim.listening.events import hear_events
from mirtrim.listening.pitch import hear_pitch
from mirtrim.listening.results import Heard
from mirtrim.listening.tags import hear_class

# Kind of result → function that computes it, and how often that reads the file.
LISTENERS: Mapping[str, tuple[Callable[[Network, AudioFile, Progress], Heard], int]] = {
    "events": (hear_events, 1),
    "pitch": (hear_pitch, 1),
    "chords": (hear_chords, 2),
    "classes": (hear_class, 2),
}


def listen(path: str | Path, network: Network, progress: Progress = no_progress) -> Heard:
    """Listen to a file of any length in bounded memory.

    The file is decoded once to find its length and defects, and again for the network.

    Memory holds one stretch of the file (10 to 30 s) and all activations, less than 1 kB per
    second.

    Args:
        path: anything libsndfile reads, any rate, any number of channels.
        network: a trained network (`open_listener`, or `read_bundle` for one in torch).
        progress: called with (seconds read, seconds to read) after each block.

    Returns:
        `Events`, `PitchCurve`, `Chords` or `Tags`, as the task has it. A silent file gives an
        empty one with a note. Notes on the file come before notes on the result.

    Raises:
        AudioError: the file is missing, empty, no audio, or damaged.
        ConfigError: the network's task does not say how it is listened with.
    """
    hear, readings = LISTENERS[network.manner.kind]
    audio = open_audio(path, share(progress, 0, 1 + readings))
    read = audio.duration_seconds
    heard = hear(network, audio, lambda done, total: progress(read + done, read + total))
    return replace(heard, notes=(*audio.notes, *heard.notes))
