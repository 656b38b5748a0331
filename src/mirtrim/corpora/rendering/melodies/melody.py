"""How a soloist plays a tune: tempo, place, articulation, glides and vibrato, with exact f0."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirtrim.corpora.rendering.melodies.melodists import LFO_CENTS, Melodist
from mirtrim.corpora.rendering.soundbank import Note, Part
from mirtrim.corpora.rendering.tunes import Tune

CONCERT_PITCH_HZ = 440.0
CONCERT_PITCH = 69
# Steps of the pitch wheel; a step holds the value at its middle, so that it does not lag.
BEND_STEP_SECONDS = 0.005
SHORTEST_VIBRATO_NOTE_SECONDS = 0.3
VIBRATO_DELAY_SECONDS = 0.12
VIBRATO_RISE_SECONDS = 0.15


@dataclass(frozen=True)
class Gesture:
    """What the pitch does in one note, until the next one begins; 0 means that it does not.

    Attributes:
        glide_semitones: where the note begins, relative to itself; it arrives linearly.
        vibrato_semitones: largest deviation of the vibrato.
    """

    glide_semitones: float = 0.0
    glide_seconds: float = 0.0
    vibrato_semitones: float = 0.0
    vibrato_hz: float = 0.0

    def semitones(self, seconds: np.ndarray) -> np.ndarray:
        """Deviation at times since the beginning of the note, in semitones."""
        bend = np.zeros_like(seconds)
        if self.glide_semitones:
            bend += self.glide_semitones * np.clip(1 - seconds / self.glide_seconds, 0, None)
        if self.vibrato_semitones:
            late = seconds - VIBRATO_DELAY_SECONDS
            depth = self.vibrato_semitones * np.clip(late / VIBRATO_RISE_SECONDS, 0, 1)
            bend += depth * np.sin(2 * np.pi * self.vibrato_hz * late)
        return bend


STILL = Gesture()


@dataclass(frozen=True)
class Line:
    """A melody as it is played.

    Attributes:
        notes: in the order of time; none begins before another ends.
        gestures: one per note.
        tuning_semitones: of all notes, on top of the program's own.
    """

    melodist: Melodist
    notes: Sequence[Note]
    gestures: Sequence[Gesture]
    tuning_semitones: float

    def part(self, seconds: float) -> Part:
        """The line for the sound bank."""
        bends = bends_of(self.notes, self.gestures, seconds)
        return Part(0, self.melodist.program, self.notes, self.tuning_semitones, bends)

    def f0_hz(self, times: np.ndarray) -> np.ndarray:
        """Fundamental of the note begun last, at `times` in seconds, (times,); 0 before any."""
        starts = np.array([note.start_seconds for note in self.notes])
        index = np.searchsorted(starts, times, side="right") - 1
        result = np.zeros(len(times))
        tuning = self.tuning_semitones + self.melodist.tuning_cents / 100 - CONCERT_PITCH
        for number in np.unique(index[index >= 0]):
            here = index == number
            since = times[here] - starts[number]
            bend = self.gestures[number].semitones(since) + bank_vibrato(self.melodist, since)
            semitones = self.notes[number].pitch + tuning + bend
            result[here] = CONCERT_PITCH_HZ * 2 ** (semitones / 12)
        return result


def bends_of(
    notes: Sequence[Note], gestures: Sequence[Gesture], seconds: float
) -> list[tuple[float, float]]:
    """What the pitch wheel does in a line of notes up to `seconds`; (seconds, semitones)."""
    ends = [note.start_seconds for note in notes[1:]] + [seconds]
    bends: list[tuple[float, float]] = []
    for note, gesture, end in zip(notes, gestures, ends, strict=True):
        if gesture == STILL:
            bends.append((note.start_seconds, 0.0))
            continue
        grid = np.arange(0, max(end - note.start_seconds, 1e-9), BEND_STEP_SECONDS)
        values = gesture.semitones(grid + BEND_STEP_SECONDS / 2)
        bends += zip((note.start_seconds + grid).tolist(), values.tolist(), strict=True)
    return bends


def bank_vibrato(melodist: Melodist, seconds: np.ndarray) -> np.ndarray:
    """What the sound bank adds at times since the beginning of a note, in semitones."""
    if melodist.lfo_hz == 0:
        return np.zeros_like(seconds)
    turns = melodist.lfo_hz * np.clip(seconds - melodist.lfo_delay_seconds, 0, None)
    triangle = 2 / np.pi * np.arcsin(np.sin(2 * np.pi * turns))
    return LFO_CENTS / 100 * triangle


@dataclass(frozen=True)
class Manner:
    """How one piece is played.

    Attributes:
        beat_seconds: length of a quarter note.
        legato: share of a note's written length that sounds.
        phrase_beats: number of quarter notes after which there may be a breath.
        glide_chance: probability that a note is approached with a glide.
        vibrato_semitones, vibrato_hz: of notes long enough; 0 without vibrato.
    """

    beat_seconds: float
    legato: float
    velocity: float
    phrase_beats: float
    glide_chance: float
    vibrato_semitones: float
    vibrato_hz: float


def draw_manner(tune: Tune, melodist: Melodist, rng: np.random.Generator) -> Manner:
    """A manner in which the melodist may play the tune; its median note takes 0.16 to 0.45 s."""
    median_beats = float(np.median([note.duration_beats for note in tune.notes]))
    median_seconds = float(np.exp(rng.uniform(np.log(0.16), np.log(0.45))))
    expressive = melodist.sustained and rng.random() < 0.8
    return Manner(
        beat_seconds=median_seconds / median_beats,
        legato=rng.uniform(0.55, 1.0),
        velocity=rng.uniform(75, 105),
        phrase_beats=float(rng.choice([4, 8])) * (1.5 if tune.meter[1] == 8 else 1.0),
        glide_chance=rng.uniform(0.1, 0.4) if expressive else 0.0,
        vibrato_semitones=rng.uniform(0.1, 0.4) if expressive else 0.0,
        vibrato_hz=rng.uniform(4.5, 6.5),
    )


def play_tune(tune: Tune, melodist: Melodist, seconds: float, rng: np.random.Generator) -> Line:
    """Play a tune from its beginning, again if it is over before `seconds`."""
    manner = draw_manner(tune, melodist, rng)
    shift = transposition([note.pitch for note in tune.notes], melodist, rng)
    tuning_semitones = rng.uniform(-0.5, 0.5)
    notes: list[Note] = []
    gestures: list[Gesture] = []
    turn = rng.uniform(0.1, 0.6)
    while turn < seconds:
        for written in tune.notes:
            start = turn + written.onset_beats * manner.beat_seconds
            length = written.duration_beats * manner.beat_seconds
            late = rng.uniform(0, min(0.012, 0.2 * length))
            ends_phrase = (
                written.onset_beats + written.duration_beats
            ) % manner.phrase_beats < 1e-6
            breath = ends_phrase and rng.random() < 0.5
            sounding = (length - late) * (0.5 * manner.legato if breath else manner.legato)
            velocity = int(np.clip(round(manner.velocity + rng.normal(0, 8)), 40, 127))
            gesture = draw_gesture(manner, sounding, rng)
            if start + late < seconds:
                begin, pitch = start + late, written.pitch + shift
                notes.append(Note(begin, min(begin + sounding, seconds), pitch, velocity))
                gestures.append(gesture)
        turn += tune.beats * manner.beat_seconds + rng.uniform(0.2, 0.8)
    return Line(melodist, notes, gestures, tuning_semitones)


def draw_gesture(manner: Manner, sounding_seconds: float, rng: np.random.Generator) -> Gesture:
    """What the pitch does in a note of this length."""
    glides = rng.random() < manner.glide_chance
    semitones, glide_seconds = rng.uniform(-1.2, 0.6), rng.uniform(0.05, 0.12)
    shakes = manner.vibrato_semitones and sounding_seconds >= SHORTEST_VIBRATO_NOTE_SECONDS
    return Gesture(
        glide_semitones=semitones if glides else 0.0,
        glide_seconds=min(glide_seconds, sounding_seconds) if glides else 0.0,
        vibrato_semitones=manner.vibrato_semitones if shakes else 0.0,
        vibrato_hz=manner.vibrato_hz if shakes else 0.0,
    )


def transposition(pitches: Sequence[int], melodist: Melodist, rng: np.random.Generator) -> int:
    """Semitones that bring a tune into the melodist's range.

    Drawn from all that fit; a tune that is wider than the range is centred in it.
    """
    lowest = melodist.lowest - min(pitches)
    highest = melodist.highest - max(pitches)
    if lowest > highest:
        return (lowest + highest) // 2
    return int(rng.integers(lowest, highest + 1))
