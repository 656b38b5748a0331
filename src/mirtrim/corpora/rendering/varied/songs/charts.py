"""Chord charts of songs: progressions of many kinds, through keys, at many speeds."""

import numpy as np

from mirtrim.corpora.rendering.chords.harmony import STYLES, Change, chord_of, merged

# Of songs and pieces from Schubert's time to ours, beside those of the styles.
MAJOR = (
    "I V7 I V7 I IV V7 I", "I IV I V7 I", "I vi ii V7 I", "I I7 IV iv I V7 I", "I II7 V7 I",
    "I VI7 ii V7 I", "I III7 vi II7 V V7 I", "I iii vi ii7 V7 I", "I V vi iii IV I ii V7",
    "I bVI IV V7 I", "I IV V I", "vi IV I V", "I vi IV V", "ii V7 I vi", "I V7 vi V7 I",
    "I iv I V7 I", "I bIII IV I",
)  # fmt: skip
MINOR = (
    "i V7 i V7 i iv V7 i", "i iv V7 i", "i bVI iv V7 i", "i bIII7 bVI V7 i", "i bVII bVI V7",
    "i V i bVII bIII bVI iv V", "i iv bVII bIII bVI iiø V7 i", "i VI7 iv V7 i", "i II7 V7 i",
    "i bIII bVII i", "i bVI bIII bVII", "i IV i V7 i", "i V7 I V7 i", "i bII V7 i",
)  # fmt: skip
BEATS = (1, 2, 2, 3, 4, 4, 6, 8)
# To the dominant, the subdominant, the relative, the parallel, a third away.
MOVES = ((7, False), (5, False), (9, True), (3, True), (0, True), (4, False), (8, False))
OLD_SHARE = 0.6
MOVING_CHANCE = 0.3
PAUSE_CHANCE = 0.2


def draw_song_chart(tonic: int, minor: bool, beats: int, rng: np.random.Generator) -> list[Change]:
    """Phrases until at least `beats` beats are filled; some move to a related key, some pause."""
    chart: list[Change] = []
    filled = 0
    key, mode = tonic, minor
    unit = int(rng.choice(BEATS))
    while filled < beats:
        if rng.random() < OLD_SHARE:
            progressions: tuple[str, ...] = MINOR if mode else MAJOR
        else:
            style = STYLES[int(rng.integers(len(STYLES)))]
            progressions = style.minor if mode else style.major
        numerals = progressions[int(rng.integers(len(progressions)))].split()
        for numeral in numerals:
            length = unit if rng.random() < 0.75 else int(rng.choice(BEATS))
            chart.append(Change(chord_of(numeral, key), length))
        if rng.random() < PAUSE_CHANCE:
            chart.append(Change(None, 2))
        filled = sum(change.beats for change in chart)
        if rng.random() < MOVING_CHANCE:
            step, changes = MOVES[int(rng.integers(len(MOVES)))]
            key, mode = (key + step) % 12, mode != changes
        elif rng.random() < 0.3:
            key, mode = tonic, minor
    return merged(chart)
