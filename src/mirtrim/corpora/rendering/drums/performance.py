"""Playing a style like a human: variation, fills, dynamics and timing."""

from dataclasses import dataclass

import numpy as np

from mirtrim.corpora.rendering.drums.drummers import Drummer
from mirtrim.corpora.rendering.drums.styles import STYLES, Style
from mirtrim.corpora.rendering.soundbank import Note

# Roland pitches; a second one is the edge or the rim of the same instrument.
PITCHES = {
    "kick": (36, 36), "snare": (38, 40), "ghost": (38, 38), "stick": (37, 37),
    "closed": (42, 22), "open": (46, 26), "pedal": (44, 44), "ride": (51, 59), "bell": (53, 53),
    "crash": (49, 55), "crash2": (57, 52), "tom": (43, 58), "tom1": (48, 50), "tom2": (45, 47),
}  # fmt: skip
VELOCITY = {
    "kick": 92, "snare": 100, "ghost": 38, "stick": 84, "closed": 72, "open": 82, "pedal": 62,
    "ride": 76, "bell": 84, "crash": 108, "crash2": 104, "tom": 96, "tom1": 94, "tom2": 94,
}  # fmt: skip
DRUMS_LATE_LIKE_SNARE = ("snare", "ghost", "stick", "tom", "tom1", "tom2")
STROKE_SECONDS = 0.1
TAIL_SECONDS = 0.3
DRIFT_MEMORY = 0.8  # of one bar in the next


@dataclass(frozen=True)
class Stroke:
    """A stroke before it is played: bar, slot (may be fractional), voice, velocity."""

    bar: int
    slot: float
    voice: str
    velocity: int


@dataclass(frozen=True)
class Performance:
    """A piece as played.

    Attributes:
        notes: strokes in Roland pitches, in order of time.
        grid_seconds: where each note would be without human timing, one per note.
    """

    style: str
    tempo: int
    meter: tuple[int, int]
    notes: tuple[Note, ...]
    grid_seconds: tuple[float, ...]


def perform(drummer: Drummer, seconds: float, rng: np.random.Generator) -> Performance:
    """Let `drummer` play one piece that fits into `seconds`."""
    name = drummer.styles[rng.integers(len(drummer.styles))]
    style = STYLES[name]
    tempo = int(rng.integers(style.tempo[0], style.tempo[1] + 1))
    slot_seconds = 60 / tempo / style.slots_per_quarter
    lead_seconds = rng.uniform(0.1, 0.5)
    bars = int(np.ceil((seconds - lead_seconds) / (slot_seconds * style.slots)))
    strokes = _score(style, drummer, bars, rng)
    played = _play(strokes, style, drummer, bars, slot_seconds, rng)
    kept = sorted(
        (lead_seconds + time, voice_pitch, velocity, lead_seconds + grid)
        for time, voice_pitch, velocity, grid in played
        if lead_seconds + time > 0 and lead_seconds + time < seconds - TAIL_SECONDS
    )
    notes = tuple(Note(time, time + STROKE_SECONDS, p, v) for time, p, v, _ in kept)
    return Performance(name, tempo, style.meter, notes, tuple(grid for *_, grid in kept))


def _score(style: Style, drummer: Drummer, bars: int, rng: np.random.Generator) -> list[Stroke]:
    sections = [_bar_pattern(style, drummer, rng) for _ in range(2)]
    ride = rng.random() < (0.9 if "pedal" in style.rows else 0.35)
    timekeepers = ("closed", "ride") if not ride else ("ride", "closed")
    strokes: list[Stroke] = []
    crash_next = rng.random() < 0.3
    for bar in range(bars):
        phrase = bar // drummer.fill_bars
        section = phrase % 2
        timekeeper = timekeepers[section] if rng.random() < 0.97 else "bell"
        fill = bar % drummer.fill_bars == drummer.fill_bars - 1 and rng.random() < 0.85
        fill_from = style.slots // 2 if rng.random() < 0.6 else 3 * style.slots // 4
        until = fill_from if fill else style.slots
        bar_strokes = [
            Stroke(bar, slot, timekeeper if voice == "time" else voice, velocity)
            for voice, slot, velocity in sections[section]
            if slot < until
            and rng.random() < (0.93 if voice in ("kick", "ghost", "tom") else 0.985)
        ]
        if crash_next:
            crash = "crash" if rng.random() < 0.7 else "crash2"
            bar_strokes = [s for s in bar_strokes if s.slot > 0 or s.voice != timekeeper]
            bar_strokes += [Stroke(bar, 0, crash, 108), Stroke(bar, 0, "kick", 100)]
        if fill:
            bar_strokes += _fill(style, bar, fill_from, rng)
        crash_next = fill and rng.random() < 0.8
        strokes += bar_strokes
    return list({(s.bar, s.slot, s.voice): s for s in strokes}.values())


def _bar_pattern(
    style: Style, drummer: Drummer, rng: np.random.Generator
) -> list[tuple[str, int, int]]:
    """One bar drawn from the style: (voice, slot, velocity)."""
    pattern = []
    for voice, row in style.rows.items():
        for slot, digit in enumerate(row):
            chance = 0 if digit == "." else int(digit) / 9
            if rng.random() >= chance * (drummer.ghosts if voice == "ghost" else 1):
                continue
            base = VELOCITY["closed" if voice == "time" else voice]
            beat, half = style.slots_per_quarter, style.slots_per_quarter // 2
            weak = slot % beat != 0 if half == 1 else slot % half != 0
            strong = slot % beat == 0
            accent = drummer.accent if voice in ("time", "kick", "open") else drummer.accent // 3
            velocity = base + (accent // 3 if strong else -accent if weak else -accent // 3)
            pattern.append((voice, slot, velocity))
    taken = {slot for voice, slot, _ in pattern if voice in ("snare", "stick")}
    opened = {slot for voice, slot, _ in pattern if voice == "open"}
    return [
        (voice, slot, velocity)
        for voice, slot, velocity in pattern
        if not (voice == "ghost" and slot in taken) and not (voice == "time" and slot in opened)
    ]


def _fill(style: Style, bar: int, first: int, rng: np.random.Generator) -> list[Stroke]:
    """Snare and toms from slot `first` to the end of the bar, growing louder."""
    step = rng.choice([1.0, 1.0, 2.0, 4 / 3]) if style.slots_per_quarter == 4 else 1.0
    slots = np.arange(first, style.slots - 1e-6, step)
    order = [("snare", "tom1", "tom2", "tom"), ("snare",) * 4, ("tom1", "tom1", "tom2", "tom")]
    route = order[rng.integers(3)]
    strokes = []
    for index, slot in enumerate(slots):
        if rng.random() < 0.12:
            continue
        voice = route[min(3, 4 * index // len(slots))]
        velocity = int(70 + 40 * index / max(1, len(slots) - 1) + (10 if index % 2 == 0 else -8))
        strokes.append(Stroke(bar, float(slot), voice, velocity))
    return strokes


def _play(
    strokes: list[Stroke],
    style: Style,
    drummer: Drummer,
    bars: int,
    slot_seconds: float,
    rng: np.random.Generator,
) -> list[tuple[float, int, int, float]]:
    """(seconds, pitch, velocity, seconds on the grid) of every stroke."""
    drift = np.zeros(bars + 2)
    for bar in range(1, bars + 2):
        spread = drummer.drift_ms * np.sqrt(1 - DRIFT_MEMORY**2)
        drift[bar] = DRIFT_MEMORY * drift[bar - 1] + rng.normal(0, spread)
    played = []
    for stroke in strokes:
        grid = (stroke.bar * style.slots + stroke.slot) * slot_seconds
        place = stroke.bar + stroke.slot / style.slots
        late_ms = float(np.interp(place, np.arange(bars + 2), drift))
        late_ms += rng.normal(0, drummer.jitter_ms)
        if stroke.voice == "kick":
            late_ms += drummer.kick_ms
        elif stroke.voice in DRUMS_LATE_LIKE_SNARE:
            late_ms += drummer.snare_ms
        else:
            late_ms += drummer.cymbal_ms
        if style.swung and stroke.slot % 2 == 1:
            grid += (2 * drummer.swing - 1) * slot_seconds
        time = grid + late_ms / 1000
        pitch = PITCHES[stroke.voice][int(rng.random() < drummer.edge)]
        velocity = int(np.clip(round(stroke.velocity + rng.normal(0, 7)), 12, 127))
        played.append((time, pitch, velocity, grid))
        if stroke.voice == "snare" and velocity > 95 and rng.random() < drummer.flams:
            early = rng.uniform(0.025, 0.045)
            played.append((time - early, 38, max(12, velocity // 2), grid - early))
    return played
