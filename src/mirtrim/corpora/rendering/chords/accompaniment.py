"""Playing a chord chart: comping, bass, a melody and drums, with the chords' exact times."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirtrim.corpora.rendering.chords.accompanists import Accompanist
from mirtrim.corpora.rendering.chords.harmony import QUALITIES, Change, Chord, Style, draw_chart
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Note, Part

MAJOR_SCALE = (0, 2, 4, 5, 7, 9, 11)
MINOR_SCALE = (0, 2, 3, 5, 7, 8, 10)
BASS_LOWEST, BASS_HIGHEST = 28, 43
MELODY_LOWEST, MELODY_HIGHEST = 67, 88
KICK, SNARE, HAT = 36, 38, 42
# Silence between chords in the same voice, so that changes are audible.
RELEASE_SECONDS = 0.02
TUNING_SEMITONES = 0.3


@dataclass(frozen=True)
class Segment:
    """A chord, or silence and drums, between two times in seconds."""

    start_seconds: float
    end_seconds: float
    chord: Chord | None


@dataclass(frozen=True)
class Played:
    """What a band plays, before it is recorded.

    Attributes:
        segments: without gaps from 0 to the end of the piece. A chord begins with its first
            note, played by bass and comping together.
        beats_seconds: times of the beats.
        parts: the bass is tuned like the rest; drums are last, if there are any.
    """

    segments: Sequence[Segment]
    beats_seconds: Sequence[float]
    parts: Sequence[Part]


def play(
    player: Accompanist,
    style: Style,
    tempo: int,
    tonic: int,
    minor: bool,
    seconds: float,
    rng: np.random.Generator,
) -> Played:
    """One piece of `seconds`; everything about it comes from `rng`."""
    beat = 60 / tempo
    lead_in = int(rng.integers(1, 4))
    end = seconds - rng.uniform(0.2, 1.2)
    chart = [Change(None, lead_in), *draw_chart(style, tonic, minor, int(seconds / beat), rng)]
    segments = _segments(chart, beat, end, seconds)
    steps = step_times(seconds, beat, style.swing)
    scale = [(tonic + s) % 12 for s in (MINOR_SCALE if minor else MAJOR_SCALE)]
    tuning = rng.uniform(-TUNING_SEMITONES, TUNING_SEMITONES)
    parts = [
        Part(0, _draw(player.comping, rng), _comping(player, segments, steps, rng), tuning),
        Part(1, _draw(player.bass, rng), _bass(player, segments, steps, rng), tuning),
    ]
    if rng.random() < 0.7:
        notes = _melody(scale, segments, steps, rng)
        parts.append(Part(2, _draw(player.melody, rng), notes, tuning))
    if rng.random() < 0.5:
        times = [time for time in steps if time < seconds - 0.1]
        notes = beaten(times, (40, 85), 90, [0.1, 0.8, 0.2, 0.3], rng)
        parts.append(Part(DRUM_CHANNEL, 0, notes))
    return Played(segments, [time for time in steps[::2] if time < seconds], parts)


def step_times(seconds: float, beat_seconds: float, swing: float) -> list[float]:
    """Times of the eighths from 0, the second of each beat delayed by `swing`."""
    beats = int(seconds / beat_seconds) + 1
    return [(index + part) * beat_seconds for index in range(beats) for part in (0.0, swing)]


def _draw(programs: Sequence[int], rng: np.random.Generator) -> int:
    return programs[int(rng.integers(len(programs)))]


def _segments(
    chart: Sequence[Change], beat_seconds: float, end: float, seconds: float
) -> list[Segment]:
    """The chart in seconds, cut at `end`; silence up to `seconds`."""
    segments: list[Segment] = []
    beats = 0
    for change in chart:
        start = beats * beat_seconds
        beats += change.beats
        # A chord shorter than half a beat before the end would hardly be heard.
        if start > end - 0.5 * beat_seconds:
            break
        segments.append(Segment(start, min(beats * beat_seconds, end), change.chord))
    last = segments[-1]
    if last.chord is None:
        segments[-1] = Segment(last.start_seconds, seconds, None)
    else:
        segments.append(Segment(last.end_seconds, seconds, None))
    return segments


def voicing(player: Accompanist, chord: Chord, rng: np.random.Generator) -> list[int]:
    """MIDI pitches of the comping hand, rising; holds every tone of the chord."""
    pitches = []
    lowest = player.lowest_pitch + int(rng.integers(0, 5))
    for interval in QUALITIES[chord.quality]:
        pitch_class = (chord.root + interval) % 12
        pitches.append(lowest + (pitch_class - lowest) % 12)
    pitches.sort()
    if rng.random() < player.spread:
        pitches[1] += 12
    if rng.random() < player.doubling:
        root = next(p for p in pitches if p % 12 == chord.root)
        pitches.append(root + 12)
    return sorted(set(pitches))


def _comping(
    player: Accompanist,
    segments: Sequence[Segment],
    steps: Sequence[float],
    rng: np.random.Generator,
) -> list[Note]:
    notes: list[Note] = []
    on_beat, off_beat = 1.5 * player.busyness, player.busyness
    loudness = int(rng.integers(65, 95))
    for segment in segments:
        if segment.chord is None:
            continue
        strokes = [segment.start_seconds]
        for index, time in enumerate(steps):
            inside = segment.start_seconds + 0.05 < time < segment.end_seconds - 0.1
            if inside and rng.random() < (off_beat if index % 2 else on_beat):
                strokes.append(time)
        pitches = voicing(player, segment.chord, rng)
        for time, following in zip(strokes, [*strokes[1:], segment.end_seconds], strict=True):
            end = min(
                time + player.legato * (following - time), segment.end_seconds - RELEASE_SECONDS
            )
            order = pitches if rng.random() < 0.7 else pitches[::-1]
            first = time == segment.start_seconds
            for voice, pitch in enumerate(order):
                start = time + voice * player.strum_seconds + (0 if first else rng.uniform(0, 0.01))
                velocity = int(np.clip(loudness + rng.normal(0, 7), 30, 115))
                notes.append(Note(start, max(end, start + 0.05), pitch, velocity))
    return notes


def _bass(
    player: Accompanist,
    segments: Sequence[Segment],
    steps: Sequence[float],
    rng: np.random.Generator,
) -> list[Note]:
    notes: list[Note] = []
    walking = rng.uniform(0.2, 0.9)
    loudness = int(rng.integers(65, 100))
    for segment in segments:
        if segment.chord is None:
            continue
        tones = [(segment.chord.root + i) % 12 for i in QUALITIES[segment.chord.quality][:3]]
        first = tones[int(rng.integers(1, 3))] if rng.random() < player.inversion else tones[0]
        strokes = [(segment.start_seconds, first)]
        for time in steps[::2]:
            inside = segment.start_seconds + 0.05 < time < segment.end_seconds - 0.1
            if inside and rng.random() < walking:
                passing = rng.random() < 0.25
                root = tones[int(rng.choice([0, 0, 1, 2]))]
                strokes.append(
                    (time, (root + int(rng.choice([-2, -1, 1, 2]))) % 12 if passing else root)
                )
        ends = [time for time, _ in strokes[1:]] + [segment.end_seconds]
        for (time, pitch_class), end in zip(strokes, ends, strict=True):
            pitch = BASS_LOWEST + (pitch_class - BASS_LOWEST) % 12
            if pitch + 12 <= BASS_HIGHEST and rng.random() < 0.3:
                pitch += 12
            velocity = int(np.clip(loudness + rng.normal(0, 6), 40, 115))
            notes.append(Note(time, max(time + 0.05, end - RELEASE_SECONDS), pitch, velocity))
    return notes


def _melody(
    scale: Sequence[int],
    segments: Sequence[Segment],
    steps: Sequence[float],
    rng: np.random.Generator,
) -> list[Note]:
    """Steps through the scale; chord tones are likelier on beats."""
    notes: list[Note] = []
    density = rng.uniform(0.3, 0.8)
    loudness = int(rng.integers(60, 105))
    pitch = int(rng.integers(MELODY_LOWEST + 5, MELODY_HIGHEST - 5))
    for index, (time, following) in enumerate(itertools.pairwise(steps)):
        chord = next(s.chord for s in segments if s.start_seconds <= time < s.end_seconds + 1e-9)
        if chord is None or rng.random() > density:
            continue
        tones = [(chord.root + i) % 12 for i in QUALITIES[chord.quality]]
        wanted = tones if rng.random() < (0.4 if index % 2 else 0.7) else scale
        near = [
            p for p in range(max(MELODY_LOWEST, pitch - 5), min(MELODY_HIGHEST, pitch + 6))
            if p % 12 in wanted and p != pitch
        ]  # fmt: skip
        pitch = int(rng.choice(near)) if near else pitch
        length = (following - time) * float(rng.choice([0.9, 0.9, 1.8]))
        velocity = int(np.clip(loudness + rng.normal(0, 8), 30, 110))
        notes.append(Note(time + rng.uniform(0, 0.015), time + length, pitch, velocity))
    return notes


def beaten(
    eighths: Sequence[float],
    loudness_range: tuple[float, float],
    loudest: int,
    kicks: Sequence[float],
    rng: np.random.Generator,
) -> list[Note]:
    """A drum pattern of two bars, repeated.

    Args:
        eighths: times of the eighth notes, in seconds.
        kicks: chances of the bass drum, of which one is drawn for each eighth off the first ones.
    """
    loudness = float(rng.uniform(*loudness_range))
    chances = {KICK: rng.choice(kicks, 16), SNARE: np.zeros(16), HAT: np.ones(16)}
    chances[KICK][::8], chances[SNARE][2::4] = 1.0, 0.95
    chances[HAT][1::2] = rng.uniform(0, 1)
    pattern = {pitch: rng.random(16) < chance for pitch, chance in chances.items()}
    return [
        Note(time, time + 0.2, pitch, int(np.clip(loudness + rng.normal(0, 5), 15, loudest)))
        for index, time in enumerate(eighths)
        for pitch, hits in pattern.items()
        if hits[index % 16]
    ]
