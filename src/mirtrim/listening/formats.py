"""Writing down what was heard, in the formats that other programs read."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mirtrim.listening.jams import jams_of
from mirtrim.listening.results import Chords, Events, Heard, PitchCurve, Tags
from mirtrim.utils.files import atomic_path, write_text

ENDINGS = {"midi": ".mid", "csv": ".csv", "lab": ".lab", "jams": ".jams"}
# General MIDI level 1, percussion key map.
DRUM_NOTES: Mapping[str, int] = {"kick": 36, "snare": 38, "hihat": 42, "tom": 45, "cymbal": 49}
VELOCITY = 100  # the networks do not say how loud a stroke is
NOTE_SECONDS = 0.05
SHORTEST_NOTE_SECONDS = 0.05
DRUM_CHANNEL = 9  # counted from 0
BEATS_PER_MINUTE = 120
# At this tempo a tick is about half a millisecond.
TICKS_PER_BEAT = 960


def write_heard(heard: Heard, path: Path, form: str, title: str, tool: str) -> None:
    """Write a result in one atomic step.

    Args:
        form: one of the formats of the network's `Manner`.
        title: name of the piece, kept by jams.
        tool: what heard it, kept by jams.
    """
    if form == "jams":
        write_text(path, jams_of(heard, title, tool))
    else:
        WRITERS[type(heard), form](heard, path)


def write_midi(events: Events, path: Path) -> None:
    """Drum strokes on channel 10 of a MIDI file."""
    notes = []
    for label in sorted(set(events.labels.tolist())):
        starts = events.of(label)[0].tolist()
        # A note ends before the next one of its drum.
        for start, following in zip(starts, [*starts[1:], float("inf")], strict=True):
            notes.append((DRUM_NOTES[label], start, min(start + NOTE_SECONDS, following)))
    _write_midi("drums", DRUM_CHANNEL, notes, path)


def write_notes(pitch: PitchCurve, path: Path) -> None:
    """The melody as notes of equal temperament in a MIDI file."""
    _write_midi("melody", 0, notes_of(pitch), path)


def _write_midi(
    name: str, channel: int, notes: Sequence[tuple[int, float, float]], path: Path
) -> None:
    """Notes (number, beginning and end in seconds) on one track beside that of the tempo."""
    import mido  # not by those who write something else

    ticks_per_second = TICKS_PER_BEAT * BEATS_PER_MINUTE / 60
    # At one tick, what ends stands before what begins.
    changes = sorted(
        (round(seconds * ticks_per_second), begins, number)
        for number, start, end in notes
        for begins, seconds in ((1, start), (0, end))
    )
    tempo = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=round(6e7 / BEATS_PER_MINUTE)),
            mido.MetaMessage("time_signature", numerator=4, denominator=4),
            mido.MetaMessage("end_of_track", time=1),
        ]
    )
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    track.append(mido.Message("program_change", program=0, channel=channel))
    before = 0
    for tick, begins, number in changes:
        velocity = VELOCITY if begins else 0
        track.append(
            mido.Message(
                "note_on", note=number, velocity=velocity, channel=channel, time=tick - before
            )
        )
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=1))
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[tempo, track])
    with atomic_path(path) as temporary:
        midi.save(str(temporary))


def notes_of(pitch: PitchCurve) -> list[tuple[int, float, float]]:
    """Notes of a pitch curve: MIDI number, beginning and end in seconds.

    Frames that sound are rounded to semitones. What is shorter than `SHORTEST_NOTE_SECONDS`, a
    slide or a slip, goes to the note that it follows without a gap, or else is left out.
    """
    if len(pitch.times_seconds) < 2:
        return []
    hop_seconds = float(pitch.times_seconds[1] - pitch.times_seconds[0])
    semitones = np.rint(69 + 12 * np.log2(np.maximum(pitch.frequency_hz, 1.0) / 440))
    numbers = np.where(pitch.voiced, semitones.clip(0, 127), -1).astype(int)
    edges = np.flatnonzero(np.diff(numbers, prepend=-2, append=-2))
    notes: list[tuple[int, float, float]] = []
    for begin, end in pairwise(edges):
        number = int(numbers[begin])
        # A frame stands for the hop around its centre.
        start, stop = (
            min(max(0.0, (edge - 0.5) * hop_seconds), pitch.duration_seconds)
            for edge in (begin, end)
        )
        follows = bool(notes) and notes[-1][2] == start
        if number < 0 or stop <= start:
            continue
        if follows and (notes[-1][0] == number or stop - start < SHORTEST_NOTE_SECONDS):
            notes[-1] = (notes[-1][0], notes[-1][1], stop)
        elif stop - start >= SHORTEST_NOTE_SECONDS:
            notes.append((number, start, stop))
    return notes


def write_events_csv(events: Events, path: Path) -> None:
    """Times in seconds, one line per event; with several detectors also the label.

    `mir_eval.io.load_events` reads the former, `load_labeled_events(…, delimiter=",")` the latter.
    """
    columns: dict[str, Sequence[Any]] = {"time_seconds": events.times_seconds.tolist()}
    if len(events.detectors) > 1:
        columns["label"] = events.labels.tolist()
    _write_csv(columns, path)


def write_pitch_csv(pitch: PitchCurve, path: Path) -> None:
    """Time in seconds, frequency in Hz (0 where nothing sounds); one line per frame.

    `mir_eval.io.load_time_series(…, delimiter=",")` reads it.
    """
    columns = {
        "time_seconds": pitch.times_seconds.tolist(),
        "frequency_hz": (pitch.frequency_hz * pitch.voiced).tolist(),
    }
    _write_csv(columns, path)


def write_lab(chords: Chords, path: Path) -> None:
    """Start, end and label, with tabs between them; one line per segment (as in Isophonics)."""
    lines = [
        f"{start:.4f}\t{end:.4f}\t{label}\n"
        for (start, end), label in zip(chords.intervals, chords.labels, strict=True)
    ]
    write_text(path, "".join(lines))


def write_tags_csv(tags: Tags, path: Path) -> None:
    """Class and probability, the most probable first."""
    columns = {"class": list(tags.classes), "probability": tags.probabilities.tolist()}
    _write_csv(columns, path, [] if tags.sure else ["unsure"])


def _write_csv(
    columns: Mapping[str, Sequence[Any]], path: Path, remarks: Sequence[str] = ()
) -> None:
    """Columns are named in a comment, which readers of annotations skip; they take no header."""
    head = "".join(f"# {line}\n" for line in (*remarks, ",".join(columns)))
    rows = (",".join(map(_cell, row)) + "\n" for row in zip(*columns.values(), strict=True))
    write_text(path, head + "".join(rows))


def _cell(value: Any) -> str:
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    if not set(text) & set(',"\n\r'):
        return text
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


WRITERS: Mapping[tuple[type[Heard], str], Callable[[Any, Path], None]] = {
    (Events, "midi"): write_midi,
    (Events, "csv"): write_events_csv,
    (PitchCurve, "csv"): write_pitch_csv,
    (PitchCurve, "midi"): write_notes,
    (Chords, "lab"): write_lab,
    (Tags, "csv"): write_tags_csv,
}
