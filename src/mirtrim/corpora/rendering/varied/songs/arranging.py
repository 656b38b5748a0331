"""Arranging a chart: who plays which figure of a chord, and what is sung over it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mirtrim.corpora.rendering.chords.accompaniment import (
    MAJOR_SCALE,
    MINOR_SCALE,
    Played,
    Segment,
    beaten,
)
from mirtrim.corpora.rendering.chords.harmony import QUALITIES, Change, Chord
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Note, Part
from mirtrim.corpora.rendering.varied.songs.charts import draw_song_chart

TUNING_SEMITONES = 0.5
RELEASE_SECONDS = 0.015
# Where in the chord a figure goes, note by note; "all" strikes together what is left of it.
FIGURES: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "held": (),
    "struck": ((-1,),),
    "bass and chord": ((0,), (-2,)),
    "waltz": ((0,), (-2,), (-2,)),
    "alberti": ((0,), (2,), (1,), (2,)),
    "up": ((0,), (1,), (2,), (3,)),
    "up and down": ((0,), (1,), (2,), (3,), (2,), (1,)),
    "down": ((3,), (2,), (1,), (0,)),
    "wide": ((0,), (2,), (4,), (3,)),
    "rocking": ((0, 1), (2, 3)),
    "unison": ((0,), (1,), (2,), (1,)),  # in octaves, and nothing else
}
ALL, ALL_BUT_LOWEST = -1, -2


@dataclass(frozen=True)
class Band:
    """Instruments of a song; programs are General MIDI, from 0, one of each drawn.

    Attributes:
        low, high: voicings begin between these MIDI pitches.
    """

    comping: tuple[tuple[int, ...], ...]
    melody: tuple[int, ...]
    bass: tuple[int, ...] = ()
    low: int = 43
    high: int = 58
    drums: float = 0.0


VOICES = (52, 53, 54, 85, 65, 66, 73, 68, 71, 40, 41, 42)
PIANOS = (0, 0, 0, 1, 1, 2)
# (band, how often).
BANDS: tuple[tuple[Band, float], ...] = (
    (Band((PIANOS,), VOICES, low=36, high=55), 30),
    (Band((PIANOS,), (), low=36, high=55), 8),
    (Band(((24, 25),), VOICES, low=40, high=52), 10),
    (Band(((24, 25, 26, 27),), (56, 65, 73, 78, 53), (32, 33, 34, 35), drums=0.7), 14),
    (Band((PIANOS, (48, 49, 24)), VOICES, (32, 33), drums=0.5), 10),
    (Band(((4, 5, 7, 16, 17, 18),), (56, 64, 66, 80, 81), (32, 33, 36, 38), drums=0.8), 10),
    (Band(((29, 30, 28),), (29, 30, 80, 53), (33, 34), drums=1.0), 6),
    (Band(((48, 49, 50, 51, 44),), (40, 68, 71, 73), (42, 43)), 6),
    (Band(((19, 20, 21),), (52, 53, 68)), 3),
    (Band(((46, 11, 12, 6, 107),), (73, 40, 75)), 3),
)


def play_song(
    tonic: int, minor: bool, tempo: float, seconds: float, rng: np.random.Generator
) -> Played:
    """One piece; everything about it comes from `rng`. Drums, in General MIDI, are last."""
    weights = np.array([weight for _, weight in BANDS])
    band = BANDS[int(rng.choice(len(BANDS), p=weights / weights.sum()))][0]
    beat = 60 / tempo
    chart = draw_song_chart(tonic, minor, int(seconds / beat), rng)
    if rng.random() < 0.5:
        chart = [Change(None, int(rng.integers(1, 3))), *chart]
    segments = _in_seconds(chart, beat, seconds - float(rng.uniform(0.1, 1.0)), seconds)
    tuning = float(rng.uniform(-TUNING_SEMITONES, TUNING_SEMITONES))
    parts = [
        Part(channel, int(rng.choice(programs)), _comped(band, segments, beat, rng), tuning)
        for channel, programs in enumerate(band.comping)
    ]
    if band.bass:
        notes = _bass(segments, beat, rng)
        parts.append(Part(len(parts), int(rng.choice(band.bass)), notes, tuning))
    if band.melody and rng.random() < 0.85:
        scale = [(tonic + step) % 12 for step in (MINOR_SCALE if minor else MAJOR_SCALE)]
        notes = _melody(segments, scale, beat, rng)
        parts.append(Part(len(parts), int(rng.choice(band.melody)), notes, tuning))
    if rng.random() < band.drums:
        eighths = np.arange(0, seconds - 0.1, beat / 2).tolist()
        notes = beaten(eighths, (35, 90), 100, [0.1, 0.7, 0.2], rng)
        parts.append(Part(DRUM_CHANNEL, 0, notes))
    beats = [float(time) for time in np.arange(0, seconds, beat)]
    return Played(segments, beats, parts)


def _in_seconds(chart: Sequence[Change], beat: float, end: float, seconds: float) -> list[Segment]:
    """The chart in seconds up to `end`, then silence up to `seconds`."""
    segments: list[Segment] = []
    now = 0.0
    for change in chart:
        after = min(now + change.beats * beat, end)
        if after - now < 0.25:
            break
        segments.append(Segment(now, after, change.chord))
        now = after
    if segments[-1].chord is None:
        return [*segments[:-1], Segment(segments[-1].start_seconds, seconds, None)]
    return [*segments, Segment(now, seconds, None)]


def _voicing(chord: Chord, lowest: int, rng: np.random.Generator) -> list[int]:
    """Pitches from the bass upwards over about two octaves; the first inversions are rarer."""
    tones = [(chord.root + interval) % 12 for interval in QUALITIES[chord.quality]]
    draw = rng.random()
    bass = tones[0] if draw < 0.72 else tones[1] if draw < 0.88 else tones[2]
    pitches = [lowest + (bass - lowest) % 12]
    # Fifths of sevenths are left out by many players.
    sung = [
        t for i, t in enumerate(tones) if not (i == 2 and len(tones) > 3 and rng.random() < 0.3)
    ]
    gap = int(rng.integers(3, 13))
    while len(pitches) < int(rng.integers(4, 6)):
        above = pitches[-1] + (gap if len(pitches) == 1 else 2)
        pitches.append(min(above + (tone - above) % 12 for tone in sung))
    return pitches


def _comped(
    band: Band, segments: Sequence[Segment], beat: float, rng: np.random.Generator
) -> list[Note]:
    names = list(FIGURES)
    name = names[int(rng.integers(len(names)))]
    step = beat * float(rng.choice([0.25, 0.5, 0.5, 1.0, 1 / 3]))
    while step < 0.09:
        step *= 2
    legato, pedal = float(rng.uniform(0.4, 1.0)), rng.random() < 0.45
    loudness = float(rng.uniform(45, 100))
    strum = float(rng.choice([0.0, 0.004, 0.018]))
    notes: list[Note] = []
    for segment in segments:
        if rng.random() < 0.08:
            name = names[int(rng.integers(len(names)))]
        if segment.chord is None:
            continue
        pitches = _voicing(segment.chord, int(rng.integers(band.low, band.high + 1)) - 4, rng)
        until = segment.end_seconds - RELEASE_SECONDS
        figure = FIGURES[name]
        times = [segment.start_seconds]
        while figure and times[-1] + step < until - 0.05:
            times.append(times[-1] + step)
        for index, time in enumerate(times):
            struck = _struck(pitches, figure[index % len(figure)] if figure else (ALL,))
            if name == "unison":
                struck = [struck[0] % 12 + 36, struck[0] % 12 + 60]
            end = until if pedal or not figure else min(time + max(0.08, legato * step), until)
            for voice, pitch in enumerate(struck):
                start = time + voice * strum + (float(rng.uniform(0, 0.012)) if index else 0.0)
                velocity = int(np.clip(loudness + rng.normal(0, 7), 20, 120))
                if end > start + 0.02:
                    notes.append(Note(start, end, pitch, velocity))
    return notes


def _struck(pitches: Sequence[int], places: tuple[int, ...]) -> list[int]:
    if places == (ALL,):
        return list(pitches)
    if places == (ALL_BUT_LOWEST,):
        return list(pitches[1:])
    return [pitches[place % len(pitches)] for place in places]


def _bass(segments: Sequence[Segment], beat: float, rng: np.random.Generator) -> list[Note]:
    moving = float(rng.uniform(0, 0.9))
    loudness = float(rng.uniform(60, 100))
    notes: list[Note] = []
    for segment in segments:
        if segment.chord is None:
            continue
        tones = [(segment.chord.root + i) % 12 for i in QUALITIES[segment.chord.quality][:3]]
        time, first = segment.start_seconds, True
        while time < segment.end_seconds - 0.1:
            tone = tones[0] if first or rng.random() < 0.5 else tones[int(rng.integers(3))]
            passing = rng.random() < 0.08 and not first
            if passing:
                tone = (tone + int(rng.choice([-1, 1, 2]))) % 12
            length = beat if rng.random() < moving else segment.end_seconds - time
            end = min(time + length, segment.end_seconds) - RELEASE_SECONDS
            velocity = int(np.clip(loudness + rng.normal(0, 6), 30, 120))
            notes.append(Note(time, end, 28 + (tone - 28) % 12, velocity))
            time, first = time + length, False
    return notes


def _melody(
    segments: Sequence[Segment], scale: Sequence[int], beat: float, rng: np.random.Generator
) -> list[Note]:
    """Mostly chord tones on beats, steps of the scale between them, and rests."""
    low = int(rng.integers(52, 66))
    high = low + 16
    pitch = int(rng.integers(low + 3, high - 3))
    loudness = float(rng.uniform(55, 112))
    resting = float(rng.uniform(0.05, 0.4))
    notes: list[Note] = []
    for segment in segments:
        if segment.chord is None:
            continue
        tones = {(segment.chord.root + i) % 12 for i in QUALITIES[segment.chord.quality]}
        time = segment.start_seconds
        while time < segment.end_seconds - 0.08:
            length = beat * float(rng.choice([0.25, 0.5, 0.5, 1.0, 1.0, 1.5, 2.0]))
            if rng.random() > resting:
                strong = length >= beat or rng.random() < 0.5
                wanted = tones if strong and rng.random() < 0.85 else {*scale, *tones}
                near = [p for p in range(low, high) if p % 12 in wanted and abs(p - pitch) <= 6]
                pitch = int(rng.choice(near)) if near else pitch
                velocity = int(np.clip(loudness + rng.normal(0, 8), 30, 125))
                # A last note may be sustained over the change of chord.
                end = time + 0.95 * length
                start = max(0.0, time + float(rng.normal(0, 0.012)))
                notes.append(Note(start, max(end, start + 0.05), pitch, velocity))
            time += length
    return notes
