"""Who plays in varied solos: the eight classes of Medley-solos-DB, each with several voices."""

from dataclasses import dataclass

SUNG = -1  # in the place of a program: a computed voice


@dataclass(frozen=True)
class Player:
    """One class.

    Attributes:
        instrument_id: its number in Medley-solos-DB.
        programs: General MIDI, from 0, one of which is drawn for a clip; SUNG is a computed voice.
        overdriven: programs that become this class behind an amplifier alone.
        lowest, highest: MIDI pitches.
        sustained: whether pitches have bends and vibrato.
        doubling: intervals in semitones of which some are played along with a note.
    """

    instrument: str
    instrument_id: int
    programs: tuple[int, ...]
    lowest: int
    highest: int
    sustained: bool = True
    overdriven: tuple[int, ...] = ()
    doubling: tuple[int, ...] = ()


PLAYERS = (
    Player("clarinet", 0, (71,), 50, 91),
    Player(
        "distorted electric guitar", 1, (29, 30, 26, 27), 40, 84,
        overdriven=(26, 27), doubling=(-12, -5, 7),
    ),
    Player("female singer", 2, (52, 53, 85, SUNG, SUNG, SUNG, SUNG), 55, 82),
    Player("flute", 3, (73,), 60, 96),
    Player("piano", 4, (0, 0, 1, 2), 31, 96, False, doubling=(-24, -12, -8, -5, 3, 4, 7)),
    Player("tenor saxophone", 5, (66, 66, 65, 67), 44, 77),
    Player("trumpet", 6, (56, 56, 59), 52, 86),
    Player("violin", 7, (40, 40, 110, 44, 45), 55, 98),
)  # fmt: skip
