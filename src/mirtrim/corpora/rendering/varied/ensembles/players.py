"""Who plays in the embedded corpus of pieces for any instruments, and in which company."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Player:
    """One part of a piece.

    Attributes:
        programs: General MIDI, from 0; one is drawn.
        lowest, highest: its range in MIDI pitches.
        textures: texture → how often, in any unit.
        spread_ms: how far apart the notes of a chord are struck, as a mean; half of the chords
            have less than a third of it.
        jitter_ms: standard deviation of every note.
        pedal: chance that notes ring on until a pedal is lifted.
        legato: length of a note as a share of what is written.
    """

    programs: tuple[int, ...]
    lowest: int
    highest: int
    textures: Mapping[str, float]
    spread_ms: float = 4.0
    jitter_ms: float = 6.0
    pedal: float = 0.0
    legato: float = 0.9


RIGHT = {
    "melody": 4, "octaves": 1, "chords": 2, "broken": 2, "run": 2, "repeated": 1, "held": 0.5,
    "silence": 0.5,
}  # fmt: skip
LEFT = {
    "melody": 1, "octaves": 1.5, "chords": 2.5, "broken": 3, "run": 0.5, "repeated": 1, "held": 1,
    "silence": 1,
}  # fmt: skip
PIANOS = (0, 0, 0, 1, 1, 2)

# fmt: off
PLAYERS: Mapping[str, Player] = {
    "piano right": Player(PIANOS, 57, 100, RIGHT, 6.0, 7.0, 0.6),
    "piano left": Player(PIANOS, 24, 62, LEFT, 6.0, 7.0, 0.6),
    "electric piano": Player((4, 5, 7), 36, 88,
        {"chords": 4, "melody": 2, "broken": 1, "held": 1}, 3.0, 6.0, 0.2),
    "harpsichord": Player((6, 6, 7), 36, 86,
        {"broken": 3, "melody": 2, "run": 2, "chords": 1}, 8.0),
    "mallets": Player((8, 9, 10, 11, 12, 13, 14, 15), 53, 96,
        {"melody": 3, "broken": 2, "run": 1, "chords": 1, "repeated": 1}, 3.0, 6.0, 0.5),
    "harp": Player((46,), 31, 96,
        {"broken": 4, "run": 1, "chords": 2, "melody": 1}, 25.0, 6.0, 0.8),
    "guitar": Player((24, 25, 26, 27, 28), 40, 79,
        {"chords": 3, "broken": 4, "melody": 3, "run": 1, "repeated": 1}, 22.0, 7.0, 0.5),
    "loud guitar": Player((29, 30), 40, 79,
        {"chords": 3, "melody": 3, "repeated": 2, "run": 1}, 10.0),
    "plucked": Player((104, 105, 106, 107, 108), 45, 84,
        {"melody": 4, "broken": 2, "repeated": 1}, 12.0, 7.0, 0.5),
    "pizzicato": Player((45,), 40, 88,
        {"melody": 2, "chords": 2, "broken": 2, "repeated": 1}, 8.0),
    "bass": Player((32, 33, 34, 35, 36, 37, 38), 28, 52,
        {"melody": 4, "repeated": 2, "broken": 1, "silence": 0.5}, 3.0),
    "organ": Player((16, 17, 18), 36, 88,
        {"chords": 2, "melody": 3, "held": 2, "run": 1}),
    "strings": Player((48, 49, 44), 40, 88,
        {"held": 3, "chords": 1, "melody": 1}, 6.0, 9.0, 0.0, 1.0),
    "bowed": Player((40, 41, 42, 110), 48, 90,
        {"melody": 5, "run": 1, "repeated": 1, "broken": 1}, 4.0, 9.0, 0.0, 0.95),
    "brass": Player((56, 57, 58, 59, 60, 61), 45, 82,
        {"melody": 4, "repeated": 1, "chords": 1, "silence": 1}, 4.0, 8.0),
    "wind": Player((64, 65, 66, 68, 69, 70, 71, 73, 72, 75), 53, 90,
        {"melody": 5, "run": 1, "broken": 1, "silence": 0.5}, 4.0, 8.0),
    "lead": Player((80, 81, 87, 62, 63), 48, 88,
        {"melody": 3, "run": 1, "repeated": 1, "broken": 1}),
}
# fmt: on

# (what is played together, how often in a hundred pieces, chance of a drum kit).
ENSEMBLES: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (("piano right", "piano left"), 34, 0.0),
    (("piano right", "piano left", "bowed"), 3, 0.0),
    (("piano right", "piano left", "bass"), 5, 0.7),
    (("piano right", "piano left", "strings"), 2, 0.0),
    (("guitar",), 8, 0.0),
    (("guitar", "plucked"), 2, 0.2),
    (("guitar", "bass"), 4, 0.6),
    (("loud guitar", "bass"), 4, 1.0),
    (("electric piano", "bass"), 4, 0.7),
    (("electric piano", "bass", "wind"), 3, 0.8),
    (("harpsichord",), 1, 0.0),
    (("mallets",), 3, 0.0),
    (("harp",), 2, 0.0),
    (("pizzicato", "bowed"), 2, 0.0),
    (("organ", "bass"), 2, 0.6),
    (("bowed", "bowed", "strings"), 2, 0.0),
    (("brass", "brass", "bass"), 2, 0.7),
    (("wind",), 2, 0.0),
    (("lead", "bass"), 2, 1.0),
    ((), 15, 1.0),
)
