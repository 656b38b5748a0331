"""What a hand or a player plays for a few seconds: notes in beats, of many textures.

A texture is a function (Frame, rng) → notes of one section. It decides pitches and rhythm; how
exactly and how loudly they are played is decided in `playing`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

SCALES = (
    (0, 2, 4, 5, 7, 9, 11),
    (0, 2, 3, 5, 7, 8, 10),
    (0, 2, 3, 5, 7, 8, 11),
    (0, 2, 4, 7, 9),
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
)
# Chords as steps of a scale above its root.
STACKS = ((0, 2, 4), (0, 2, 4), (0, 2, 4, 6), (0, 3, 4), (0, 4), (0, 2), (0, 4, 7), (0, 2, 4, 7))
LENGTHS = (0.25, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0)
FIGURES = ((0, 2, 1, 2), (0, 1, 2, 1), (0, 1, 2, 3), (3, 2, 1, 0), (0, 1, 2), (2, 1, 0), (0, 1))


@dataclass(frozen=True)
class Frame:
    """Where a section stands.

    Attributes:
        beats: its length.
        pitches: the scale between the lowest and the highest pitch that the player uses, rising.
        beat_seconds: limits how fast a figure may be.
    """

    beats: float
    pitches: tuple[int, ...]
    beat_seconds: float


@dataclass(frozen=True)
class Written:
    """One note as it is written.

    Attributes:
        beat, beats: when it begins within its section, and how long it lasts.
        accent: velocity relative to that of the section.
    """

    beat: float
    beats: float
    pitch: int
    accent: int = 0


Texture = Callable[[Frame, np.random.Generator], list[Written]]


def scale_between(lowest: int, highest: int, rng: np.random.Generator) -> tuple[int, ...]:
    """A scale on a drawn tonic, between two pitches, both included."""
    tonic, steps = int(rng.integers(12)), SCALES[int(rng.integers(len(SCALES)))]
    return tuple(p for p in range(lowest, highest + 1) if (p - tonic) % 12 in steps)


def _rhythm(frame: Frame, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Beginnings and lengths in beats of one voice that is sometimes silent."""
    factor = float(rng.choice([0.5, 1.0, 1.0, 4 / 3]))
    at = 0.0
    while at < frame.beats - 1e-6:
        length = min(factor * float(rng.choice(LENGTHS)), frame.beats - at)
        if rng.random() > 0.12:
            yield at, length
        at += length


def _walk(count: int, frame: Frame, rng: np.random.Generator) -> Iterator[int]:
    """Positions in the scale of a melody: mostly steps, some leaps, some repeated notes."""
    top = len(frame.pitches) - 1
    place = int(rng.integers(top + 1))
    for _ in range(count):
        yield place
        leap = rng.random() < 0.2
        step = int(rng.integers(-5, 6)) if leap else int(rng.choice([-2, -1, -1, 0, 1, 1, 2]))
        place = place + step if 0 <= place + step <= top else place - step
        place = int(np.clip(place, 0, top))


def melody(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """One voice."""
    times = list(_rhythm(frame, rng))
    places = _walk(len(times), frame, rng)
    return [Written(t, n, frame.pitches[p], 6) for (t, n), p in zip(times, places, strict=True)]


def octaves(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """One voice and the same an octave higher, where there is one."""
    low = melody(frame, rng)
    highest = frame.pitches[-1]
    return low + [replace(n, pitch=n.pitch + 12) for n in low if n.pitch + 12 <= highest]


def _stack(frame: Frame, rng: np.random.Generator) -> list[int]:
    """Pitches of one chord, rising."""
    root = int(rng.integers(max(1, len(frame.pitches) - 4)))
    places = (root + step for step in STACKS[int(rng.integers(len(STACKS)))])
    return [frame.pitches[p] for p in places if p < len(frame.pitches)]


def chords(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """All notes of a chord together; it is struck again or changes."""
    notes, pitches = [], _stack(frame, rng)
    for at, length in _rhythm(frame, rng):
        if rng.random() < 0.6:
            pitches = _stack(frame, rng)
        notes += [Written(at, length, pitch) for pitch in pitches]
    return notes


def broken(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """The notes of a chord one after the other, in a figure."""
    step = float(rng.choice([0.25, 0.5, 1 / 3, 1 / 6, 0.125]))
    while step * frame.beat_seconds < 0.075:  # no hand is faster
        step *= 2
    figure = FIGURES[int(rng.integers(len(FIGURES)))]
    notes, pitches, at, count = [], _stack(frame, rng), 0.0, 0
    while at < frame.beats - 1e-6:
        if count % (2 * len(figure)) == 0 and rng.random() < 0.6:
            pitches = _stack(frame, rng)
        place = figure[count % len(figure)]
        pitch = pitches[place % len(pitches)]
        notes.append(Written(at, step * 1.05, pitch, 8 if count % len(figure) == 0 else 0))
        at, count = at + step, count + 1
    return notes


def run(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """Up and down the scale, as fast as it goes."""
    step = float(rng.choice([0.125, 0.25, 1 / 6]))
    while step * frame.beat_seconds < 0.075:
        step *= 2
    top = len(frame.pitches) - 1
    place, direction = int(rng.integers(top + 1)), int(rng.choice([-1, 1]))
    notes = []
    for index in range(int(frame.beats / step)):
        notes.append(Written(index * step, step, frame.pitches[place], 5 * (index % 4 == 0)))
        if not 0 <= place + direction <= top or rng.random() < 0.05:
            direction = -direction
        place = int(np.clip(place + direction, 0, top))
    return notes


def repeated(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """One note or one chord again and again, or two notes in turn."""
    step = float(rng.choice([0.25, 0.5, 0.125]))
    while step * frame.beat_seconds < 0.08:
        step *= 2
    pitches = _stack(frame, rng)
    chord, trill = rng.random() < 0.4, rng.random() < 0.3
    notes = []
    for index in range(int(frame.beats / step)):
        if rng.random() < 0.05:
            pitches = _stack(frame, rng)
        struck = pitches if chord else pitches[:1] if not trill else pitches[index % 2 :][:1]
        notes += [Written(index * step, 0.8 * step, pitch) for pitch in struck or pitches[:1]]
    return notes


def held(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """Long chords."""
    notes, at = [], 0.0
    while at < frame.beats - 1e-6:
        length = min(float(rng.choice([2.0, 3.0, 4.0])), frame.beats - at)
        notes += [Written(at, length, pitch) for pitch in _stack(frame, rng)]
        at += length
    return notes


def silence(frame: Frame, rng: np.random.Generator) -> list[Written]:
    """Nothing."""
    return []


TEXTURES: Mapping[str, Texture] = {
    function.__name__: function
    for function in (melody, octaves, chords, broken, run, repeated, held, silence)
}
