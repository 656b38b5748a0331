"""Playing a piece like people do: tempo, touch, pedal, loud and soft, together and not quite."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mirtrim.corpora.rendering.drums.drummers import DRUMMERS
from mirtrim.corpora.rendering.drums.performance import perform
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Note, Part
from mirtrim.corpora.rendering.varied.ensembles.players import ENSEMBLES, PLAYERS, Player
from mirtrim.corpora.rendering.varied.ensembles.textures import (
    TEXTURES,
    Frame,
    Written,
    scale_between,
)

SOFTEST, LOUDEST = 18, 118
SECTION_BEATS = (2, 4, 4, 6, 8)
TUNING_SEMITONES = 0.4
SHORTEST_SECONDS = 0.04
TAIL_SECONDS = 0.4
# A struck string is damped, and a voice of the synthesiser freed, after that long at the latest.
LONGEST_SECONDS = 5.0


@dataclass(frozen=True)
class Section:
    """Some beats in one tempo.

    Attributes:
        level: velocity of its notes.
        swell: by how much that grows from its beginning to its end.
    """

    start_seconds: float
    beats: float
    beat_seconds: float
    level: float
    swell: float


@dataclass(frozen=True)
class Piece:
    """What is played.

    Attributes:
        parts: drums are last, if there are any; the channels differ.
        title: who plays.
    """

    parts: tuple[Part, ...]
    title: str


def play_piece(seconds: float, rng: np.random.Generator) -> Piece:
    """One piece of `seconds`; everything about it comes from `rng`."""
    weights = np.array([weight for _, weight, _ in ENSEMBLES])
    names, _, drummed = ENSEMBLES[int(rng.choice(len(ENSEMBLES), p=weights / weights.sum()))]
    tuning = float(rng.uniform(-TUNING_SEMITONES, TUNING_SEMITONES))
    beat = 60 / float(rng.uniform(45, 150))
    loudness = float(rng.uniform(SOFTEST + 15, LOUDEST - 12))
    piano = int(rng.choice(PLAYERS["piano right"].programs))
    sections = _sections(seconds, beat, loudness, rng)
    parts = []
    for channel, name in enumerate(names):
        player = PLAYERS[name]
        program = piano if name.startswith("piano") else int(rng.choice(player.programs))
        notes = play_part(player, seconds, sections, rng)
        parts.append(Part(channel, program, notes, tuning))
    title = ", ".join(names)
    if rng.random() < drummed:
        parts.append(_drums(seconds, rng))
        title = f"{title}, drums".removeprefix(", ")
    return Piece(tuple(parts), title)


def _drums(seconds: float, rng: np.random.Generator) -> Part:
    """An invented drummer; the kit is that of the scene in which the piece is recorded."""
    drummer = DRUMMERS[str(rng.choice(sorted(DRUMMERS)))]
    notes = perform(drummer, seconds, rng).notes
    quieter = float(rng.uniform(0.55, 1.0))
    softened = (replace(n, velocity=max(10, round(quieter * n.velocity))) for n in notes)
    return Part(DRUM_CHANNEL, drummer.kit, tuple(softened), float(rng.uniform(-1.5, 1.5)))


def _sections(
    seconds: float, beat_seconds: float, loudness: float, rng: np.random.Generator
) -> list[Section]:
    """Sections from the beginning to the end of a piece, which all players keep to."""
    sections = []
    now = float(rng.uniform(0.1, 0.6))
    while now < seconds - TAIL_SECONDS:
        beats = float(rng.choice(SECTION_BEATS))
        tempo = beat_seconds * float(np.exp(rng.normal(0, 0.05)))
        level = float(np.clip(loudness + rng.normal(0, 16), SOFTEST, LOUDEST))
        sections.append(Section(now, beats, tempo, level, float(rng.normal(0, 10))))
        now += beats * tempo
    return sections


def play_part(
    player: Player, seconds: float, sections: Sequence[Section], rng: np.random.Generator
) -> tuple[Note, ...]:
    """Notes of one player that begin before `seconds`, in the order of time."""
    names = list(player.textures)
    weights = np.array([player.textures[name] for name in names])
    scale = scale_between(player.lowest, player.highest, rng)
    balance = float(rng.normal(0, 6))
    notes: list[Note] = []
    for section in sections:
        low, high = _hand(scale, rng)
        frame = Frame(section.beats, scale[low:high], section.beat_seconds)
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        notes += _touch(player, TEXTURES[name](frame, rng), section, balance, rng)
    ends = seconds - TAIL_SECONDS
    return _one_at_a_time(
        [
            replace(note, end_seconds=min(note.end_seconds, seconds))
            for note in notes
            if note.start_seconds < ends
        ]
    )


def _hand(scale: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int]:
    """A stretch of the scale of about two octaves that a hand stays in."""
    size = min(len(scale), int(rng.integers(8, 16)))
    first = int(rng.integers(len(scale) - size + 1))
    return first, first + size


def _touch(
    player: Player,
    written: list[Written],
    section: Section,
    balance: float,
    rng: np.random.Generator,
) -> list[Note]:
    """Written notes as they are struck."""
    pedalled = rng.random() < player.pedal
    pedal_beats = float(rng.choice([1.0, 2.0, 2.0, 4.0]))
    rolled = rng.random() < 0.06
    level = section.level + balance
    notes: list[Note] = []
    together: dict[float, list[Written]] = {}
    for note in written:
        together.setdefault(note.beat, []).append(note)
    for at, chord in together.items():
        upwards = sorted(chord, key=lambda note: note.pitch)
        order = upwards if rng.random() < 0.7 else upwards[::-1]
        # Some players never strike together, most almost do.
        apart = rng.exponential(player.spread_ms) if rng.random() < 0.5 else player.spread_ms / 4
        apart = rng.uniform(45, 90) if rolled and len(order) > 2 else apart
        begin = (
            section.start_seconds
            + at * section.beat_seconds
            + rng.normal(0, player.jitter_ms) / 1000
        )
        share = at / section.beats
        for voice, note in enumerate(order):
            sounds = max(0.0, begin + voice * apart / 1000 / max(1, len(order) - 1) * 2)
            length = note.beats * section.beat_seconds * player.legato
            end = sounds + max(length, SHORTEST_SECONDS)
            if pedalled:
                lifted = (np.floor(at / pedal_beats) + 1) * pedal_beats * section.beat_seconds
                end = max(end, section.start_seconds + lifted)
            velocity = round(level + section.swell * (share - 0.5) + note.accent + rng.normal(0, 5))
            notes.append(
                Note(
                    float(sounds),
                    float(min(end, sounds + LONGEST_SECONDS)),
                    note.pitch,
                    int(np.clip(velocity, 10, 127)),
                )
            )
    return notes


def _one_at_a_time(notes: list[Note]) -> tuple[Note, ...]:
    """End a note where its own pitch is struck again; of two at once the later is left out."""
    following: dict[int, float] = {}
    kept = []
    for note in sorted(notes, key=lambda n: (-n.start_seconds, n.pitch)):
        after = following.get(note.pitch, np.inf)
        if after - note.start_seconds < SHORTEST_SECONDS:
            continue
        following[note.pitch] = note.start_seconds
        kept.append(replace(note, end_seconds=min(note.end_seconds, after - 0.005)))
    return tuple(kept[::-1])
