"""Who plays in the embedded corpus: invented drummers, each with a kit and habits.

Spreads and offsets follow the literature on human timing: drummers deviate from the grid by about 5
to 20 ms, place the snare late or the cymbals early as a matter of style, and swing at ratios that
depend on tempo (Hellmer & Madison, Music Perception 2015; Räsänen et al., PLoS ONE 2015; Friberg &
Sundström, Music Perception 2002).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Drummer:
    """Habits of one player.

    Attributes:
        kit: program of the drum kit in the sound bank.
        tuning_semitones: tuning of all drums and cymbals of the kit.
        cymbal_gain_db: loudness of cymbals and hi-hats against the drums.
        kick_ms, snare_ms, cymbal_ms: mean place against the grid; positive is late.
        jitter_ms: standard deviation of each stroke.
        drift_ms: standard deviation of the slow wandering around the tempo.
        swing: place of the second of two sixteenths; 0.5 is straight, 0.67 a triplet.
        ghosts: probability of playing a possible ghost note.
        fill_bars: number of bars between fills.
        flams: probability that an accent is played as a flam.
        edge: probability that a hi-hat or rim is struck on its edge.
        accent: velocity between weak and strong beats.
        styles: what this drummer plays.
    """

    name: str
    kit: int
    tuning_semitones: float
    cymbal_gain_db: float
    kick_ms: float
    snare_ms: float
    cymbal_ms: float
    jitter_ms: float
    drift_ms: float
    swing: float
    ghosts: float
    fill_bars: int
    flams: float
    edge: float
    accent: int
    styles: tuple[str, ...]


STANDARD, ROOM, POWER, ELECTRONIC, TR808, JAZZ, BRUSH, ORCHESTRA = 0, 8, 16, 24, 25, 32, 40, 48

# fmt: off
#       name        kit       tune  cym   kick snare  cym  jit drift swing ghosts fill flam edge acc
_TABLE = (
    ("drummer1", STANDARD,    0.0,  6.0,   0.0,  4.0, -2.0, 5.0, 6.0, 0.50, 0.5, 4, 0.03, 0.3, 26,
     ("rock", "funk", "pop", "ballad")),
    ("drummer2", ROOM,       -0.6,  8.0,   2.0,  9.0,  0.0, 7.0, 9.0, 0.54, 0.8, 8, 0.06, 0.6, 34,
     ("funk", "hiphop", "soul", "shuffle")),
    ("drummer3", POWER,       0.4,  7.0,  -2.0,  1.0, -5.0, 8.0, 5.0, 0.50, 0.2, 4, 0.10, 0.8, 18,
     ("punk", "rock", "metal", "halftime")),
    ("drummer4", ELECTRONIC,  0.0,  4.0,   0.0,  0.0,  0.0, 4.0, 3.0, 0.50, 0.3, 8, 0.00, 0.2, 22,
     ("pop", "dance", "hiphop", "latin")),
    ("drummer5", BRUSH,       0.3,  5.0,   4.0, 12.0, -4.0, 9.0, 12.0, 0.60, 0.7, 8, 0.04, 0.4, 30,
     ("jazz", "ballad", "waltz", "latin")),
    ("drummer6", TR808,       0.0,  1.0,   0.0,  6.0,  3.0, 6.0, 4.0, 0.57, 0.4, 4, 0.02, 0.1, 28,
     ("hiphop", "dance", "halftime", "soul")),
    ("drummer7", ORCHESTRA,  -0.3,  5.0,   3.0,  6.0, -3.0, 8.0, 10.0, 0.55, 0.6, 4, 0.08, 0.5, 32,
     ("waltz", "sixeight", "rock", "afro")),
    ("drummer8", JAZZ,        1.2,  8.0,  -3.0,  7.0, -6.0, 7.0, 8.0, 0.52, 0.6, 8, 0.05, 0.7, 24,
     ("jazz", "afro", "funk", "sixeight", "shuffle")),
)
# fmt: on
DRUMMERS = {row[0]: Drummer(*row) for row in _TABLE}

# Training and validation share their players; one test piece in four has a player, and a kit or #
# tuning, that are not in training.
PLAYERS_OF_SPLIT = {
    "train": ("drummer1", "drummer2", "drummer3", "drummer4", "drummer5", "drummer6"),
    "validation": ("drummer1", "drummer2", "drummer3", "drummer4", "drummer5", "drummer6"),
    "test": tuple(DRUMMERS),
}
