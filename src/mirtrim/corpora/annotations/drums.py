"""Drum strokes of a track: when they sound, and which instrument class was struck.

Pitches are those of the Roland TD-11 kit of the Groove MIDI Dataset (Gillick et al., ICML
2019), as listed by mirdata's `groove_midi.DRUM_MAPPING`. Three of them (22, 26, 58) mean
something else, or nothing, in General MIDI.
"""

import io
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi

from mirtrim.utils.errors import CorpusError

# (tick, 0 for what comes first of a tick, message)
Event = tuple[int, int, Any]


def read_midi(path: str | Path) -> pretty_midi.PrettyMIDI:
    """Read a MIDI file; one that cannot be read is a `CorpusError` that names it."""
    try:
        file = mido.MidiFile(str(path))
        tracks = [_absolute(track) for track in file.tracks]
        tempos = [e for track in tracks[1:] for e in track if e[2].type == "set_tempo"]
        closed = [_closed(track) for track in tracks]
        if not tempos and all(new is old for new, old in zip(closed, tracks, strict=True)):
            return pretty_midi.PrettyMIDI(str(path))
        first, *others = closed
        others = [[e for e in track if e[2].type != "set_tempo"] for track in others]
        file.tracks = [_relative(track) for track in ([*first, *tempos], *others)]
        stream = io.BytesIO()
        file.save(file=stream)
        stream.seek(0)
        return pretty_midi.PrettyMIDI(stream)
    except Exception as error:  # mido and pretty_midi raise many types on damaged files
        raise CorpusError(
            f"{path}: cannot be read as MIDI ({str(error) or type(error).__name__}); "
            "fetch or generate it again"
        ) from error


def _absolute(track: Any) -> list[Event]:
    tick, events = 0, []
    for message in track:
        tick += message.time
        events.append((tick, 1, message))
    return events


def _relative(events: list[Event]) -> mido.MidiTrack:
    track, before = mido.MidiTrack(), 0
    # The end of a track comes after everything else at its tick.
    for tick, _, message in sorted(
        events, key=lambda event: (event[0], event[2].type == "end_of_track", event[1])
    ):
        track.append(message.copy(time=tick - before))
        before = tick
    return track


def _closed(events: list[Event]) -> list[Event]:
    """The same events, with every stroke at least a tick long; the same object if all are."""
    opened: dict[tuple[int, int], list[int]] = defaultdict(list)
    result, changed = [], False
    for tick, order, message in events:
        if message.type in ("note_on", "note_off"):
            key = (message.channel, message.note)
            if message.type == "note_on" and message.velocity > 0:
                opened[key].append(tick)
            elif opened[key] and min(opened[key]) == tick:
                # The end comes with the beginning; it must come before what follows a tick later.
                opened[key].clear()
                result.append((tick + 1, 0, message))
                changed = True
                continue
            else:
                # As pretty_midi has it: what began at this very tick stays open.
                opened[key] = [start for start in opened[key] if start == tick]
        result.append((tick, order, message))
    for (channel, note), starts in opened.items():
        for start in starts:
            end = mido.Message("note_off", channel=channel, note=note)
            result.append((start + 1, 0, end))
            changed = True
    return result if changed else events


KICK = (36,)
SIDE_STICK = (37,)
SNARE = (38, 40)
TOM = (43, 45, 47, 48, 50, 58)
HIHAT = (22, 26, 42, 44, 46)
CYMBAL = (49, 51, 52, 53, 55, 57, 59)


def _classes(**pitches_of: tuple[int, ...]) -> Mapping[int, str]:
    return {pitch: label for label, pitches in pitches_of.items() for pitch in pitches}


FIVE_CLASSES = _classes(kick=KICK, snare=SNARE + SIDE_STICK, tom=TOM, hihat=HIHAT, cymbal=CYMBAL)
# Kick, everything else with a skin or a shell, everything made of bronze. The side stick is
# played on the snare drum and sounds nothing like a kick.
THREE_CLASSES = _classes(kick=KICK, snare=SNARE + SIDE_STICK + TOM, hihat=HIHAT + CYMBAL)


def drum_onsets(
    track: Any, classes: Mapping[int, str] = THREE_CLASSES
) -> tuple[np.ndarray, list[str]]:
    """Strokes of a groove_midi track in the order in which they sound.

    Args:
        track: mirdata groove_midi track.
        classes: MIDI pitch → class label.

    Returns:
        Times in seconds, (strokes,) float64, and one label per stroke. Strokes of the same
        class at the same instant are given once.

    Raises:
        CorpusError: the MIDI file cannot be read, or has a pitch that `classes` does not name.
    """
    # Not `track.midi`, which is read without what `read_midi` puts right.
    midi = read_midi(track.midi_path)
    strokes = set()
    for note in (note for instrument in midi.instruments for note in instrument.notes):
        if note.pitch not in classes:
            raise CorpusError(
                f"{track.midi_path}: drum pitch {note.pitch} at {note.start:.3f} s has no class; "
                "add it to the class mapping or leave the track out"
            )
        strokes.add((float(note.start), classes[note.pitch]))
    ordered = sorted(strokes)
    return np.array([time for time, _ in ordered], dtype=np.float64), [name for _, name in ordered]
