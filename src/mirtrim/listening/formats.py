"""Write results in formats that other programs read."""

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
        title: name of the piece, stored in JAMS.
        tool: the program that analysed it, stored in JAMS.
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
    """Notes (number, start and end in seconds) on one track, after the tempo track."""
    import mido  # not by those who write something else

    ticks_per_second = TICKS_PER_BEAT * BEATS_PER_MINUTE / 60
    # At the same tick, ends come before starts.
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
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name=name),
            mido.Message("program_change", program=0, channel=channel),
        ]
    )
    before = 0
    for tick, begins, number in changes:
        note = {"note": number, "velocity": VELOCITY if begins else 0, "channel": channel}
        track.append(mido.Message("note_on", **note, time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=1))
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, tracks=[tempo, track])
    with atomic_path(path) as temporary:
        midi.save(str(temporary))


def notes_of(pitch: PitchCurve) -> list[tuple[int, float, float]]:
    """Notes of a pitch curve: MIDI number, beginning and end in seconds.

    Frames that sound are rounded to semitones. A note shorter than `SHORTEST_NOTE_SECONDS`, such as
    a slide or a slip, is merged into the note that it follows without a gap, or else dropped.
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


def write_lab(chords: Chords, path: Path) -> None:
    """Start, end and label, with tabs between them; one line per segment (as in Isophonics)."""
    lines = [
        f"{start:.4f}\t{end:.4f}\t{label}\n"
        for (start, end), label in zip(chords.intervals, chords.labels, strict=True)
    ]
    write_text(path, "".join(lines))


def write_csv(heard: Events | PitchCurve | Tags, path: Path) -> None:
    """One line per event, frame or class, the most probable first.

    Times are in seconds, frequencies in Hz, 0 where nothing sounds. `mir_eval.io.load_events` reads
    events of one detector, `load_labeled_events(…, delimiter=",")` those of several, which have
    labels, and `load_time_series(…, delimiter=",")` pitch. Columns are named in a comment, which
    readers of annotations skip; they take no header.
    """
    columns: dict[str, Sequence[Any]]
    head = []
    if isinstance(heard, Tags):
        columns = {"class": heard.classes, "probability": heard.probabilities.tolist()}
        head = [] if heard.sure else ["unsure"]
    else:
        columns = {"time_seconds": heard.times_seconds.tolist()}
        if isinstance(heard, PitchCurve):
            columns["frequency_hz"] = (heard.frequency_hz * heard.voiced).tolist()
        elif len(heard.detectors) > 1:
            columns["label"] = heard.labels.tolist()
    lines = [f"# {line}" for line in (*head, ",".join(columns))]
    lines += [",".join(map(_cell, row)) for row in zip(*columns.values(), strict=True)]
    write_text(path, "".join(f"{line}\n" for line in lines))


def _cell(value: Any) -> str:
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    if not set(text) & set(',"\n\r'):
        return text
    quoted = text.replace('"', '""')
    return f'"{quoted}"'


WRITERS: Mapping[tuple[type[Heard], str], Callable[[Any, Path], None]] = {
    (Events, "midi"): write_midi,
    (PitchCurve, "midi"): write_notes,
    (Chords, "lab"): write_lab,
    **{(kind, "csv"): write_csv for kind in (Events, PitchCurve, Tags)},
}
