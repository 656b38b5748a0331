"""Reading the MIDI file of a drum performance, with everything that it says.

pretty_midi loses strokes that end when they begin, as pads send them, and strokes that never end,
and does not look for tempo changes behind the first track. Such files are put right before it
reads them; all others reach it as they are.
"""

import io
from collections import defaultdict
from pathlib import Path
from typing import Any

import mido
import pretty_midi

from mirtrim.errors import CorpusError

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
    # What ends a track stands behind all else of its tick.
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
