"""Invented accompanists of mini_guitarset: who plays what, and how."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Accompanist:
    """Habits of one player and of the band around him. Programs are General MIDI, from 0.

    Attributes:
        split: the only split that the player occurs in.
        comping, bass, melody: programs, one of each drawn for a piece.
        lowest_pitch: the voicings begin at or above this MIDI pitch.
        spread: chance that the second voice from below goes up an octave.
        doubling: chance that the root is doubled an octave above.
        strum_seconds: time between successive voices of a chord.
        busyness: chance of a stroke on an off-beat eighth; beats have 1.5 times as much.
        legato: length of a stroke as a share of the time to the next one.
        inversion: chance that the bass plays another chord tone on the change.
    """

    name: str
    split: str
    comping: tuple[int, ...]
    bass: tuple[int, ...]
    melody: tuple[int, ...]
    lowest_pitch: int
    spread: float
    doubling: float
    strum_seconds: float
    busyness: float
    legato: float
    inversion: float


# No program occurs in two splits, and no player.
_PLAYERS = (
    Accompanist("00", "train", (25,), (33,), (73,), 50, 0.6, 0.8, 0.018, 0.45, 0.95, 0.1),
    Accompanist("01", "train", (0, 2), (32,), (66, 40), 52, 0.2, 0.3, 0.0, 0.3, 0.8, 0.15),
    Accompanist("02", "train", (4, 6), (35,), (71,), 55, 0.1, 0.1, 0.002, 0.55, 0.6, 0.1),
    Accompanist("03", "train", (16, 19), (38,), (80,), 48, 0.3, 0.4, 0.0, 0.15, 1.0, 0.2),
    Accompanist("04", "train", (27, 28), (33,), (56, 73), 50, 0.7, 0.6, 0.012, 0.6, 0.4, 0.1),
    Accompanist("05", "train", (48, 21), (32,), (40,), 53, 0.5, 0.5, 0.0, 0.1, 1.0, 0.2),
    Accompanist("06", "validation", (24, 1), (34,), (68,), 51, 0.5, 0.5, 0.01, 0.4, 0.85, 0.15),
    Accompanist("07", "validation", (17, 50), (36,), (65,), 49, 0.3, 0.3, 0.0, 0.25, 0.9, 0.15),
    Accompanist("08", "test", (26, 3), (39,), (74,), 51, 0.5, 0.5, 0.012, 0.4, 0.85, 0.15),
    Accompanist("09", "test", (5, 11), (37,), (64,), 54, 0.2, 0.3, 0.002, 0.35, 0.7, 0.15),
    Accompanist("10", "test", (18, 20, 49), (43,), (41,), 49, 0.4, 0.4, 0.0, 0.2, 0.95, 0.15),
)
ACCOMPANISTS: Mapping[str, Accompanist] = {player.name: player for player in _PLAYERS}


def players_of_split(split: str) -> tuple[str, ...]:
    """Names of the players of a split."""
    return tuple(player.name for player in _PLAYERS if player.split == split)
