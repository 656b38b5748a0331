"""Notes to samples: General MIDI synthesis with the sound bank in the pretty_midi wheel."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import midirenderer
import mido
import numpy as np
import pretty_midi
import soundfile

DRUM_CHANNEL = 9
RENDERER_RATE = 48_000
FULL_SCALE = 32_768
# 20 µs per tick at the default tempo of 120 beats per minute.
TICKS_PER_BEAT = 25_000
TICKS_PER_SECOND = 2 * TICKS_PER_BEAT
BEND_RANGE_SEMITONES = 2.0
REVERB_SEND, CHORUS_SEND = 91, 93


@dataclass(frozen=True)
class Note:
    """One note: seconds from the beginning of the piece, MIDI pitch and velocity (1 to 127)."""

    start_seconds: float
    end_seconds: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Part:
    """Notes of one MIDI channel, played by one program of the bank.

    On the drum channel the program selects the kit, and `tuning_semitones` tunes its drums.
    `bends` are (seconds, semitones) added to the tuning, each valid until the next one.
    """

    channel: int
    program: int
    notes: Sequence[Note]
    tuning_semitones: float = 0.0
    bends: Sequence[tuple[float, float]] = ()


@cache
def _bank() -> bytes:
    return (Path(pretty_midi.__file__).parent / "TimGM6mb.sf2").read_bytes()


def render(parts: Sequence[Part], seconds: float, bank: bytes | None = None) -> np.ndarray:
    """Mono samples at 48 kHz without reverb or chorus, (round(48000 · seconds),) float32.

    Args:
        bank: content of a SoundFont; None is the one in the pretty_midi wheel.

    The sound of a stroke begins less than 4 ms after its `start_seconds` (measured for every
    kit and drum of the bank). Full scale is 1.
    """
    midi = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    midi.tracks.extend(_midi_track(part, seconds) for part in parts)
    stream = io.BytesIO()
    midi.save(file=stream)
    wave = midirenderer.render_wave_from(bank or _bank(), stream.getvalue())
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="int16", always_2d=True)
    if rate != RENDERER_RATE:
        raise ValueError(f"midirenderer gave {rate} Hz, not {RENDERER_RATE} Hz")
    # The mean of both channels, exactly; taking it row by row would be ten times slower.
    mono = (samples[:, 0].astype(np.float32) + samples[:, 1]) / np.float32(2 * FULL_SCALE)
    count = round(seconds * RENDERER_RATE)
    return np.pad(mono[:count], (0, max(0, count - len(mono))))


def _midi_track(part: Part, seconds: float) -> mido.MidiTrack:
    channel = part.channel
    track = mido.MidiTrack(
        [
            mido.Message("program_change", channel=channel, program=part.program),
            mido.Message("pitchwheel", channel=channel, pitch=_wheel(part.tuning_semitones)),
            mido.Message("control_change", channel=channel, control=REVERB_SEND, value=0),
            mido.Message("control_change", channel=channel, control=CHORUS_SEND, value=0),
        ]
    )
    # Events of one tick sort as note-off, bend, note-on: a note begins at its own pitch.
    events = []
    for note in part.notes:
        start = round(note.start_seconds * TICKS_PER_SECOND)
        end = max(start + 1, round(note.end_seconds * TICKS_PER_SECOND))
        events.append((start, 2, note.pitch, note.velocity))
        events.append((end, 0, note.pitch, 0))
    for seconds_of_bend, semitones in part.bends:
        wheel = _wheel(part.tuning_semitones + semitones)
        events.append((round(seconds_of_bend * TICKS_PER_SECOND), 1, wheel, 0))
    now = 0
    for tick, kind, value, velocity in sorted(events):
        if kind == 1:
            message = mido.Message("pitchwheel", channel=channel, pitch=value, time=tick - now)
        else:  # velocity 0 is a note-off
            message = mido.Message(
                "note_on", channel=channel, note=value, velocity=velocity, time=tick - now
            )
        track.append(message)
        now = tick
    # The renderer stops at the last event of the longest track.
    end_tick = max(now, round(seconds * TICKS_PER_SECOND))
    track.append(mido.MetaMessage("end_of_track", time=end_tick - now))
    return track


def _wheel(semitones: float) -> int:
    """Position of the pitch wheel; beyond its range it stays at the end."""
    return round(8191 * float(np.clip(semitones / BEND_RANGE_SEMITONES, -1, 1)))
