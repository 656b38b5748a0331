"""Chord charts: progressions of five styles, written as Roman numerals."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Semitones above the root, under the shorthands of Harte et al. (ISMIR 2005).
QUALITIES: Mapping[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "maj6": (0, 4, 7, 9),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "9": (0, 4, 7, 10, 14),
    "hdim7": (0, 3, 6, 10),
    "sus4": (0, 5, 7),
}
DEGREES = {"I": 0, "II": 2, "III": 4, "IV": 5, "V": 7, "VI": 9, "VII": 11}
SUFFIXES = {"6": "maj6", "maj7": "maj7", "9": "9", "ø": "hdim7", "sus": "sus4"}


@dataclass(frozen=True)
class Chord:
    """Root as pitch class (C is 0), and a key of `QUALITIES`."""

    root: int
    quality: str

    @property
    def label(self) -> str:
        """Harte's notation, for instance Eb:min7."""
        return f"{PITCH_NAMES[self.root]}:{self.quality}"

    @property
    def triad_label(self) -> str:
        """The chord without its sevenths and ninths, as a lead sheet would have it."""
        intervals = QUALITIES[self.quality]
        if intervals[1:3] == (4, 7):
            return f"{PITCH_NAMES[self.root]}:maj"
        return f"{PITCH_NAMES[self.root]}:min" if intervals[1:3] == (3, 7) else self.label


@dataclass(frozen=True)
class Change:
    """A chord of a chart and its length in beats; no chord: only the drums play."""

    chord: Chord | None
    beats: int


@dataclass(frozen=True)
class Style:
    """Progressions of one style, and how they are played.

    Attributes:
        name: as the GuitarSet file names abbreviate it.
        major, minor: progressions of one chord per half bar or bar.
        tempo: lowest and highest quarter notes per minute.
        swing: where the off-beat eighth falls, as a share of the beat.
        beats_per_chord: lengths that are drawn for a whole chorus.
    """

    name: str
    major: tuple[str, ...]
    minor: tuple[str, ...]
    tempo: tuple[int, int]
    swing: float = 0.5
    beats_per_chord: tuple[int, ...] = (4, 4, 2)


# fmt: off
STYLES = (
    Style("Rock",
        ("I V vi IV", "I IV V IV", "I bVII IV I", "I Isus IV V", "I iii IV iv"),
        ("i bVI bIII bVII", "i bVII bVI V", "i iv bVII i", "i bIII IV bVI"),
        (90, 150)),
    Style("SS",
        ("I V vi iii IV I IV V", "vi IV I V", "I iii IV V", "I ii IV Vsus", "IV I V vi"),
        ("i V i bVII bIII bVII i V", "i bVI iv V", "i bVII iv Vsus"),
        (70, 125)),
    Style("BN",
        ("Imaj7 vi7 ii7 V9", "I6 II7 ii7 V7", "Imaj7 IVmaj7 iii7 VI7 ii7 V7"),
        ("i7 iv7 iiø V7", "i7 bVImaj7 iiø V7", "i7 IV9 bVImaj7 V7"),
        (100, 150)),
    Style("Jazz",
        ("ii7 V7 Imaj7 I6", "I7 IV7 I7 VI7 ii7 V7", "iii7 VI7 ii7 V9 Imaj7 IV9"),
        ("iv7 bVII7 bIIImaj7 bVImaj7 iiø V7 i7 i7", "i7 iiø V7 i7", "i7 iv7 bVI7 V7"),
        (90, 160), swing=0.63),
    Style("Funk",
        ("I9 IV9", "I7 bVII7 IV9 I7", "I7 bIII7 IV7 V9"),
        ("i7 IV9", "i7 iv7 bVII9 i7", "i7 bVI7 V9"),
        (85, 120), beats_per_chord=(4, 4, 8)),
)
# fmt: on


def chord_of(numeral: str, tonic: int) -> Chord:
    """The chord of a Roman numeral: bVII7 in C is Bb:7; lower case is minor."""
    match = re.fullmatch(r"(b?)([IViv]+)(.*)", numeral)
    if match is None:
        raise ValueError(f"{numeral!r} is no Roman numeral")
    flat, degree, suffix = match.groups()
    minor = degree.islower()
    root = (tonic + DEGREES[degree.upper()] - len(flat)) % 12
    if suffix in SUFFIXES:
        return Chord(root, SUFFIXES[suffix])
    return Chord(root, ("min" if minor else "maj") if suffix == "" else "min7" if minor else "7")


def draw_chart(
    style: Style, tonic: int, minor: bool, beats: int, rng: np.random.Generator
) -> list[Change]:
    """Choruses of the style's progressions until at least `beats` beats are filled.

    Between choruses the band may pause for two beats, so that "no chord" occurs inside
    a piece and not only around it.
    """
    progressions = style.minor if minor else style.major
    chart: list[Change] = []
    filled = 0
    while filled < beats:
        numerals = str(rng.choice(np.array(progressions))).split()
        length = int(rng.choice(np.array(style.beats_per_chord)))
        chorus = [Change(chord_of(numeral, tonic), length) for numeral in numerals]
        if rng.random() < 0.4:
            chorus.append(Change(None, 2))
        chart += chorus
        filled += sum(change.beats for change in chorus)
    return merged(chart)


def merged(chart: Sequence[Change]) -> list[Change]:
    """Successive changes to the same chord as one, so that every boundary is a real one."""
    result: list[Change] = []
    for change in chart:
        if result and result[-1].chord == change.chord:
            result[-1] = Change(change.chord, result[-1].beats + change.beats)
        else:
            result.append(change)
    return result
