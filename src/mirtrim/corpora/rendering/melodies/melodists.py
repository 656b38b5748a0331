"""Invented soloists of the embedded melodies: which program plays, how high, and in what tune.

Only programs whose samples hold their pitch are here. Each was measured note by note (sum of
the energy of six partials, maximised over f0): after the first 60 ms of a note, f0 lies within
3 cents of the note plus `tuning_cents` and the bank's own vibrato, mostly within 1. Left out
are, among others, choirs, accordions, trumpet, oboe, flute and saxophones, which waver by 5 to
60 cents, and organs and bells, whose octave is ambiguous. Attacks may bend by some 10 cents, as
they do in life.
"""

from dataclasses import dataclass

# Of all programs below that have a vibrato of their own (generator 5 of the bank's presets).
LFO_CENTS = 10.0


@dataclass(frozen=True)
class Melodist:
    """One program of the sound bank as a soloist.

    Attributes:
        name: without underscores, as it becomes part of a track id.
        split: the only split that uses the program. A few programs of the bank share samples in
            part of their range (viola and violin).
        program: General MIDI program, from 0.
        tuning_cents: f0 relative to equal temperament at 440 Hz.
        lowest, highest: MIDI pitches of its range.
        sustained: whether it can bend and shake a note while it sounds.
        lfo_delay_seconds, lfo_hz: the vibrato that the bank itself adds, if lfo_hz is not 0: a
            triangle of `LFO_CENTS`, rising first, in all notes that last longer than the delay.
    """

    name: str
    split: str
    program: int
    tuning_cents: float
    lowest: int
    highest: int
    sustained: bool
    lfo_delay_seconds: float = 0.0
    lfo_hz: float = 0.0


MELODISTS = (
    Melodist("Epiano", "train", 4, 3.3, 41, 88, False),
    Melodist("Harpsichord", "train", 6, 3.3, 41, 88, False),
    Melodist("NylonGuitar", "train", 24, 1.6, 43, 84, False),
    Melodist("JazzGuitar", "train", 26, 2.4, 43, 84, False),
    Melodist("DistortionGuitar", "train", 30, 2.9, 43, 84, True),
    Melodist("AcousticBass", "train", 32, 2.7, 36, 64, False),
    Melodist("Violin", "train", 40, 2.2, 58, 91, True, 0.375, 5.165),
    Melodist("Cello", "train", 42, 3.0, 45, 76, True, 0.375, 5.165),
    Melodist("Trombone", "train", 57, 2.9, 43, 76, True, 0.555, 4.873),
    Melodist("Clarinet", "train", 71, 2.9, 52, 90, True, 0.537, 5.378),
    Melodist("Banjo", "train", 105, 3.6, 63, 88, False),
    Melodist("Shamisen", "train", 106, 3.1, 52, 86, False),
    Melodist("Shanai", "train", 111, 3.4, 55, 88, True),
    Melodist("Clavinet", "validation", 7, 2.8, 43, 86, False),
    Melodist("Viola", "validation", 41, 3.3, 52, 84, True, 0.384, 5.165),
    Melodist("Harp", "validation", 46, 3.4, 62, 91, False),
    Melodist("Tuba", "validation", 58, 2.8, 40, 67, True, 0.555, 4.873),
    Melodist("Charang", "validation", 84, 2.7, 50, 86, True),
    Melodist("Koto", "validation", 107, 3.4, 50, 88, False),
    Melodist("TineEpiano", "test", 5, 2.7, 43, 88, False),
    Melodist("SteelGuitar", "test", 25, 1.4, 50, 86, False),
    Melodist("OverdrivenGuitar", "test", 29, 2.5, 43, 84, True),
    Melodist("FretlessBass", "test", 35, 3.2, 40, 67, True),
    Melodist("Contrabass", "test", 43, 2.8, 48, 72, True, 0.375, 5.090),
    Melodist("EnglishHorn", "test", 69, 3.1, 52, 84, True, 0.510, 5.378),
    Melodist("Recorder", "test", 74, 3.1, 65, 93, True),
    Melodist("Kalimba", "test", 108, 2.8, 62, 88, False),
)


def melodists_of_split(split: str) -> tuple[Melodist, ...]:
    """The soloists of a split, in a fixed order."""
    return tuple(melodist for melodist in MELODISTS if melodist.split == split)
