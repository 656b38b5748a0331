"""Who plays in the embedded corpus of solos: the eight classes of Medley-solos-DB.

Programs are General MIDI, counted from 0. Half of the validation and test songs of two classes
are played by programs that are not in training: the overdriven guitar (with its own samples) and
the electric grand piano (modified samples of the other pianos). The bank has one program for each
of the other classes, two of them for the singer. The female singer is sampled: choirs that sing
"aah" and "ooh" without words.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Soloist:
    """One class.

    Attributes:
        instrument_id: its number in Medley-solos-DB.
        programs: split → programs, one of which is drawn for a song.
        lowest, highest: MIDI pitches within which melodies are placed.
        vibrato_semitones: largest vibrato of a song; 0 for instruments that have none.
        doubling: intervals in semitones of which one may be played along with a note.
    """

    instrument: str
    instrument_id: int
    programs: Mapping[str, tuple[int, ...]]
    lowest: int
    highest: int
    vibrato_semitones: float = 0.0
    doubling: tuple[int, ...] = ()


def _always(*programs: int) -> Mapping[str, tuple[int, ...]]:
    return {"train": programs, "validation": programs, "test": programs}


def _train_else(train: tuple[int, ...], other: tuple[int, ...]) -> Mapping[str, tuple[int, ...]]:
    return {"train": train, "validation": other, "test": other}


SOLOISTS = (
    Soloist("clarinet", 0, _always(71), 50, 90),
    Soloist("distorted electric guitar", 1, _train_else((30,), (29, 30)), 43, 84, 0.3, (-12, 7)),
    Soloist("female singer", 2, _always(52, 53), 57, 81, 0.5),
    Soloist("flute", 3, _always(73), 60, 93, 0.3),
    Soloist("piano", 4, _train_else((0, 1), (0, 2)), 41, 91, 0.0, (-12, -8, 4, 7)),
    Soloist("tenor saxophone", 5, _always(66), 46, 77, 0.3),
    Soloist("trumpet", 6, _always(56), 54, 84, 0.2),
    Soloist("violin", 7, _always(40), 55, 95, 0.5),
)
