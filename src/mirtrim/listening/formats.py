"""Writing down what was heard, in the formats that other programs read."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pretty_midi

from mirtrim.errors import ConfigError
from mirtrim.files import atomic_path, write_text
from mirtrim.listening.jams import jams_of
from mirtrim.listening.results import Chords, Events, Heard, PitchCurve, Tags
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.task import Task
from mirtrim.tasks.transcription import Transcription

ENDINGS = {"midi": ".mid", "csv": ".csv", "lab": ".lab", "jams": ".jams"}
# General MIDI level 1, percussion key map.
DRUM_NOTES: Mapping[str, int] = {"kick": 36, "snare": 38, "hihat": 42, "tom": 45, "cymbal": 49}
VELOCITY = 100  # the networks do not say how loud a stroke is
NOTE_SECONDS = 0.05
# At 120 beats per minute a tick is about half a millisecond.
TICKS_PER_BEAT = 960


def formats_of(task: Task) -> tuple[str, ...]:
    """Formats for what a task hears, the usual one first."""
    if isinstance(task, Transcription):
        return (
            ("midi", "csv", "jams") if set(task.detectors) <= set(DRUM_NOTES) else ("csv", "jams")
        )
    for kind, formats in (
        (Pitch, ("csv", "jams")),
        (Chord, ("lab", "jams")),
        (Classification, ("csv", "jams")),
    ):
        if isinstance(task, kind):
            return formats
    raise ConfigError(f"task {task.name!r}: there is no format for what it hears")


def write_heard(heard: Heard, path: Path, form: str, title: str, tool: str) -> None:
    """Write a result in one atomic step.

    Args:
        form: one of `formats_of` the task.
        title: name of the piece, kept by jams.
        tool: what heard it, kept by jams.
    """
    if form == "jams":
        write_text(path, jams_of(heard, title, tool))
    else:
        WRITERS[type(heard), form](heard, path)


def write_midi(events: Events, path: Path) -> None:
    """Drum strokes on channel 10 of a MIDI file."""
    drums = pretty_midi.Instrument(program=0, is_drum=True, name="drums")
    for label, strokes in events.table.groupby("label"):
        starts = strokes.time_seconds.to_list()
        # A note ends before the next one of its drum.
        for start, following in zip(starts, [*starts[1:], float("inf")], strict=True):
            end = min(start + NOTE_SECONDS, following)
            drums.notes.append(pretty_midi.Note(VELOCITY, DRUM_NOTES[str(label)], start, end))
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_BEAT, initial_tempo=120)
    midi.instruments.append(drums)
    with atomic_path(path) as temporary:
        midi.write(str(temporary))


def write_events_csv(events: Events, path: Path) -> None:
    """time_seconds, label, confidence; one line per event."""
    _write_csv(events.table, path, "%.4f")


def write_pitch_csv(pitch: PitchCurve, path: Path) -> None:
    """time_seconds, frequency_hz (0 where nothing sounds), confidence; one line per frame."""
    columns = {
        "time_seconds": pitch.times_seconds,
        "frequency_hz": pitch.frequency_hz * pitch.voiced,
        "confidence": pitch.confidence,
    }
    _write_csv(pd.DataFrame(columns), path, "%.4f")


def write_lab(chords: Chords, path: Path) -> None:
    """Start, end and label, with tabs between them; one line per segment (as in Isophonics)."""
    lines = [
        f"{start:.4f}\t{end:.4f}\t{label}\n"
        for (start, end), label in zip(chords.intervals, chords.labels, strict=True)
    ]
    write_text(path, "".join(lines))


def write_tags_csv(tags: Tags, path: Path) -> None:
    """class, probability; the most probable first."""
    columns = {"class": list(tags.classes), "probability": tags.probabilities}
    _write_csv(pd.DataFrame(columns), path, "%.4f")


def _write_csv(table: pd.DataFrame, path: Path, float_format: str) -> None:
    write_text(path, table.to_csv(index=False, float_format=float_format))


WRITERS: Mapping[tuple[type[Heard], str], Callable[[Any, Path], None]] = {
    (Events, "midi"): write_midi,
    (Events, "csv"): write_events_csv,
    (PitchCurve, "csv"): write_pitch_csv,
    (Chords, "lab"): write_lab,
    (Tags, "csv"): write_tags_csv,
}
