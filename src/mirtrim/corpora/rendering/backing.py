"""Quiet bass and chords accompanying the drums, so that not every sound is a drum."""

import numpy as np

from mirtrim.corpora.rendering.soundbank import Note, Part

BASSES = (32, 33, 34, 35, 36, 38)
KEYS = (0, 4, 5, 16, 24, 25, 27, 48)
# Chord roots of common four-bar progressions, in semitones above the tonic.
PROGRESSIONS = ((0, 7, 9, 5), (0, 5, 7, 5), (9, 5, 0, 7), (0, 0, 5, 7), (2, 7, 0, 9), (0, 10, 5, 0))
MINOR_DEGREES = (2, 4, 9, 11)
BEATS_PER_CHORD = 4


def backing_parts(seconds: float, tempo: float, rng: np.random.Generator) -> list[Part]:
    """Bass and chords at `tempo` quarter notes per minute, from 0 to `seconds`.

    Their rhythm is independent: a note may fall between strokes, so the network has to distinguish
    drums from other instruments.
    """
    beat = 60 / tempo
    tonic = int(rng.integers(0, 12))
    progression = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    step = beat / 2
    bass_chance = rng.uniform(0.3, 0.9)
    comping = rng.random(8) < rng.uniform(0.15, 0.5)
    comping[0] = True
    bass: list[Note] = []
    keys: list[Note] = []
    offset = rng.uniform(0.1, 0.5)
    for index in range(int(max(1, (seconds - offset) // step))):
        time = max(0.0, offset + index * step + rng.normal(0, 0.008))
        root = (tonic + progression[index // (2 * BEATS_PER_CHORD) % len(progression)]) % 12
        if index % 8 == 0 or rng.random() < bass_chance / (1 if index % 2 == 0 else 2):
            pitch = 36 + root - (12 if root > 7 else 0) + int(rng.choice([0, 0, 0, 7, 12]))
            bass.append(Note(time, time + 0.9 * step, pitch, int(rng.integers(70, 105))))
        if comping[index % 8]:
            third = 3 if (root - tonic) % 12 in MINOR_DEGREES else 4
            length = step * float(rng.uniform(0.6, 2.5))
            velocity = int(rng.integers(55, 90))
            keys += [Note(time, time + length, 52 + root + i, velocity) for i in (0, third, 7)]
    return [
        Part(0, BASSES[rng.integers(len(BASSES))], bass),
        Part(1, KEYS[rng.integers(len(KEYS))], keys),
    ]
