"""Recording drums: kit and balance, backing, room, noise, level.

Everything is drawn from a stream named by the track, so a track sounds the same whatever
else is rendered, and in whatever order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pretty_midi

from mirtrim.corpora.annotations.drums import CYMBAL, FIVE_CLASSES, HIHAT
from mirtrim.corpora.rendering.backing import backing_parts
from mirtrim.corpora.rendering.drums.drummers import Drummer
from mirtrim.corpora.rendering.scene import Scene, amplitude, rms, take
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Note, Part, render
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.seeds import numpy_generator

# Roland pitches that General MIDI does not have, or has as another instrument.
GENERAL_MIDI_PITCH = {22: 42, 26: 46, 58: 43}
RING_SECONDS = 2.0


@dataclass(frozen=True)
class DrumScene(Scene):
    """How one performance is recorded. Levels are root-mean-square, relative to the drums.

    Attributes:
        kit, tuning_semitones: the drum kit.
        cymbal_gain_db: gain of cymbals and hi-hats against the drums.
        backing_db: level of the bass and keys, or None without them.
    """

    kit: int = 0
    tuning_semitones: float = 0.0
    cymbal_gain_db: float = 0.0
    backing_db: float | None = None


def draw_scene(seed: int, track_id: str, drummer: Drummer) -> DrumScene:
    """Recording conditions of a track, from the stream of its name."""
    rng = numpy_generator(seed, "scene", track_id)
    scene = DrumScene(
        kit=drummer.kit,
        tuning_semitones=drummer.tuning_semitones + rng.uniform(-0.3, 0.3),
        cymbal_gain_db=drummer.cymbal_gain_db + rng.uniform(-3, 3),
        backing_db=rng.uniform(-30, -12),
        room_db=rng.uniform(-20, -6),
        decay_seconds=rng.uniform(0.15, 0.8),
        noise_db=-rng.uniform(15, 35),
        noise_slope=rng.uniform(0.5, 2.0),
        peak_db=rng.uniform(-12, -1),
    )
    without_backing, without_room = rng.random() < 0.2, rng.random() < 0.15
    scene = replace(scene, backing_db=None) if without_backing else scene
    return replace(scene, room_db=None) if without_room else scene


def record(
    notes: Sequence[Note], seconds: float, tempo: float, scene: DrumScene, seed: int, track_id: str
) -> np.ndarray:
    """Render drum notes in Roland pitches; mono int16 at 16 kHz, (round(16000 · seconds),).

    Args:
        tempo: quarter notes per minute, for the backing.
        seed, track_id: name the streams of backing, room and noise.

    Raises:
        CorpusError: there is no stroke, so nothing would sound.
    """
    if not notes:
        raise CorpusError(f"{track_id}: the performance has no strokes; leave the track out")
    balanced = [
        replace(
            note,
            pitch=GENERAL_MIDI_PITCH.get(note.pitch, note.pitch),
            velocity=_balanced(note, scene.cymbal_gain_db),
        )
        for note in notes
    ]
    drums = Part(DRUM_CHANNEL, scene.kit, _let_ring(balanced), scene.tuning_semitones)
    mix = render([drums], seconds)
    drums_rms = rms(mix)
    if scene.backing_db is not None:
        backing = render(
            backing_parts(seconds, tempo, numpy_generator(seed, "backing", track_id)), seconds
        )
        mix += np.float32(amplitude(scene.backing_db) * drums_rms / rms(backing)) * backing
    return take(mix, seconds, drums_rms, scene, seed, track_id)


def _balanced(note: Note, cymbal_gain_db: float) -> int:
    """Velocity that puts cymbals `cymbal_gain_db` above the drums without exceeding 127.

    In this bank velocity changes nothing but the gain, by 40 · log10 decibels (measured: hits
    at 120 and 60 are copies of each other, 12.0 dB apart), so the louder group is left alone.
    """
    metal = note.pitch in CYMBAL + HIHAT
    gain_db = min(0.0, cymbal_gain_db) if metal else -max(0.0, cymbal_gain_db)
    return int(np.clip(round(note.velocity * 10 ** (gain_db / 40)), 1, 127))


def _let_ring(notes: Sequence[Note]) -> list[Note]:
    """Lengthen notes up to the next stroke on the same pitch: pads do not damp on release."""
    following: dict[int, float] = {}
    rung = []
    for note in sorted(notes, key=lambda note: -note.start_seconds):
        end = min(note.start_seconds + RING_SECONDS, following.get(note.pitch, np.inf))
        rung.append(replace(note, end_seconds=max(end, note.start_seconds)))
        following[note.pitch] = note.start_seconds
    return rung[::-1]


def published_notes(midi: pretty_midi.PrettyMIDI, path: Path) -> list[Note]:
    """Those of a published performance; a pitch of no kind listed is a `CorpusError`."""
    notes = drum_notes(midi)
    unknown = sorted({note.pitch for note in notes} - set(FIVE_CLASSES))
    if unknown:
        raise CorpusError(f"{path}: drum pitch {unknown[0]} is not one of the Roland kit")
    return notes


def drum_notes(midi: pretty_midi.PrettyMIDI) -> list[Note]:
    """Notes of all instruments of a drum performance, by time."""
    notes = [note for instrument in midi.instruments for note in instrument.notes]
    return [
        Note(float(note.start), float(note.end), note.pitch, note.velocity)
        for note in sorted(notes, key=lambda note: (note.start, note.pitch))
    ]
