"""Who plays: General MIDI programs that sustain or pluck a pitch, and tones that are computed."""

from collections.abc import Mapping, Sequence

LOWEST, HIGHEST = 33, 96  # A1 to C7, the promised range
# Families of programs (from 0) and the MIDI pitches within which banks sample them more or less;
# which notes of a bank really have their pitch is measured (`tuning`).
FAMILIES: Mapping[str, tuple[Sequence[int], int, int]] = {
    "pianos": ((0, 1, 2, 3, 4, 5), 28, 100),
    "plucked keys": ((6, 7, 15), 33, 93),
    "bars": ((8, 10, 11, 12, 13), 55, 100),
    "organs": ((16, 17, 18, 19, 20, 21, 22, 23), 33, 96),
    "guitars": ((24, 25, 26, 27, 28, 29, 30), 38, 88),
    "basses": ((32, 33, 34, 35, 36, 37, 38, 39), 28, 64),
    "violins": ((40, 44, 45, 110), 52, 100),
    "viola": ((41,), 46, 90),
    "cello": ((42,), 35, 80),
    "contrabass": ((43,), 28, 67),
    "harp": ((46,), 33, 98),
    "ensembles": ((48, 49, 50, 51), 33, 96),
    "voices": ((52, 53, 54), 45, 86),
    "trumpets": ((56, 59), 50, 88),
    "trombone": ((57,), 33, 76),
    "tuba": ((58,), 28, 64),
    "horns": ((60, 61, 62, 63), 36, 82),
    "high saxophones": ((64, 65), 48, 90),
    "low saxophones": ((66, 67), 33, 78),
    "double reeds": ((68, 69, 111), 50, 92),
    "bassoon": ((70,), 33, 76),
    "clarinet": ((71,), 45, 94),
    "flutes": ((72, 73, 74, 75, 77, 78, 79), 58, 100),
    "bottle": ((76,), 50, 88),
    "leads": ((80, 81, 82, 83, 84, 85, 87), 33, 98),
    "pads": ((88, 89, 90, 91, 94), 36, 92),
    "plucked": ((104, 105, 106, 107, 108), 40, 93),
    "bagpipe": ((109,), 50, 84),
}
RANGE: Mapping[int, tuple[int, int]] = {
    program: (low, high) for programs, low, high in FAMILIES.values() for program in programs
}
# Programs that only one split uses; all others are in training.
HELD_BACK: Mapping[str, tuple[int, ...]] = {
    "validation": (4, 7, 26, 35, 41, 67, 75, 80, 107),
    "test": (5, 25, 33, 43, 45, 66, 69, 79, 106),
}
COMPUTED = -1  # in the place of a program


def programs_of(split: str) -> tuple[int, ...]:
    """Programs that a split uses, rising."""
    if split in HELD_BACK:
        return HELD_BACK[split]
    away = {program for programs in HELD_BACK.values() for program in programs}
    return tuple(sorted(set(RANGE) - away))


def reaching(split: str, pitch: int, around: int) -> tuple[int, ...]:
    """Programs of a split whose range has `pitch` and spans at least `around` semitones."""
    return tuple(
        program
        for program in programs_of(split)
        if RANGE[program][0] <= pitch <= RANGE[program][1]
        and RANGE[program][1] - RANGE[program][0] >= around
    )
