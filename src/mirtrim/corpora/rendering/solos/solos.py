"""A soloist's performance of a tune: key, tempo, articulation, vibrato, and its recording."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from mirtrim.corpora.rendering.backing import backing_parts
from mirtrim.corpora.rendering.scene import Scene, draw_scene
from mirtrim.corpora.rendering.solos.soloists import Soloist
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.tunes import Tune
from mirtrim.utils.seeds import numpy_generator

BEND_STEP_SECONDS = 0.02
# Notes that began this long before a clip are rendered into it.
LEAD_SECONDS = 0.3
RESPONSE_LIMIT_DB = 15.0


@dataclass(frozen=True)
class Song:
    """How one soloist plays and is recorded; the same for all clips of the song.

    Attributes:
        program: General MIDI program.
        transposition, tuning_semitones: of all notes of the tune.
        beat_seconds: length of a quarter note.
        legato: length of a note as a share of its written length.
        loudness: mean MIDI velocity.
        vibrato_semitones, vibrato_hz: of every note.
        doubling_chance: of playing an interval instead of a single note.
        bleed_velocity: loudest velocity of a band in the next room, or None.
        tilt_db: change of the microphone's response per octave.
        bumps: (Hz, gain in dB, width in octaves) of its resonances.
        scene: room, noise and level.
    """

    program: int
    transposition: int
    tuning_semitones: float
    beat_seconds: float
    legato: float
    loudness: float
    vibrato_semitones: float
    vibrato_hz: float
    doubling_chance: float
    bleed_velocity: int | None
    tilt_db: float
    bumps: tuple[tuple[float, float, float], ...]
    scene: Scene


def draw_song(soloist: Soloist, split: str, tune: Tune, rng: np.random.Generator) -> Song:
    """Draw everything about a song except its notes."""
    programs = soloist.programs[split]
    pitches = [note.pitch for note in tune.notes]
    # The median of the tune lies anywhere that keeps most of it within the range.
    middle = int(rng.integers(soloist.lowest + 7, soloist.highest - 7))
    typical_beats = float(np.median([note.duration_beats for note in tune.notes]))
    return Song(
        program=programs[int(rng.integers(len(programs)))],
        transposition=middle - int(np.median(pitches)),
        tuning_semitones=rng.uniform(-0.5, 0.5),
        beat_seconds=float(np.exp(rng.uniform(np.log(0.13), np.log(0.5)))) / typical_beats,
        legato=rng.uniform(0.5, 1.0),
        loudness=rng.uniform(60, 110),
        vibrato_semitones=soloist.vibrato_semitones * rng.uniform(0, 1),
        vibrato_hz=rng.uniform(4.5, 6.5),
        doubling_chance=rng.uniform(0, 0.6) if soloist.doubling else 0.0,
        bleed_velocity=int(rng.integers(8, 20)) if rng.random() < 0.3 else None,
        tilt_db=rng.uniform(-1, 1),
        bumps=tuple(
            (
                float(np.exp(rng.uniform(np.log(150), np.log(5000)))),
                rng.uniform(-3, 3),
                rng.uniform(0.2, 0.8),
            )
            for _ in range(2)
        ),
        scene=draw_scene(rng, 0.85, (-20, -6), (0.15, 0.8), (22, 45), (0.0, 2.0), (-18, -3)),
    )


def song_parts(
    song: Song,
    soloist: Soloist,
    tune: Tune,
    begin_seconds: float,
    seconds: float,
    seed: int,
    name: str,
) -> list[Part]:
    """Notes of the song from `begin_seconds` on, on a clock that starts there.

    Args:
        seed, name: name the streams of what differs from clip to clip.
    """
    rng = numpy_generator(seed, "playing", name)
    turn_seconds = tune.beats * song.beat_seconds + 0.4
    notes: list[Note] = []
    first_turn = int(begin_seconds // turn_seconds)
    last_turn = int((begin_seconds + seconds) // turn_seconds)
    for turn in range(first_turn, last_turn + 1):
        for written in tune.notes:
            start = turn * turn_seconds + written.onset_beats * song.beat_seconds - begin_seconds
            length = max(0.06, song.legato * written.duration_beats * song.beat_seconds)
            start += rng.uniform(0, 0.015)
            if start < 0 or start >= seconds:
                continue
            velocity = int(np.clip(song.loudness + rng.normal(0, 8), 30, 127))
            pitch = _within(written.pitch + song.transposition, soloist)
            notes.append(Note(start, start + length, pitch, velocity))
            if rng.random() < song.doubling_chance:
                second = pitch + soloist.doubling[int(rng.integers(len(soloist.doubling)))]
                notes.append(Note(start, start + length, second, velocity))
    bends = _vibrato(song, seconds)
    parts = [Part(0, song.program, notes, song.tuning_semitones, bends)]
    if song.bleed_velocity is not None:
        for channel, part in enumerate(backing_parts(seconds, 100.0, rng), start=1):
            quiet = [replace(note, velocity=song.bleed_velocity) for note in part.notes]
            parts.append(Part(channel, part.program, quiet))
    return parts


def _within(pitch: int, soloist: Soloist) -> int:
    """Bring a pitch into the range by octaves, as a player would."""
    while pitch < soloist.lowest:
        pitch += 12
    while pitch > soloist.highest:
        pitch -= 12
    return pitch


def _vibrato(song: Song, seconds: float) -> Sequence[tuple[float, float]]:
    if song.vibrato_semitones < 0.05:
        return ()
    times = np.arange(0, seconds, BEND_STEP_SECONDS)
    bends = song.vibrato_semitones * np.sin(2 * np.pi * song.vibrato_hz * times)
    return list(zip(times.tolist(), bends.tolist(), strict=True))


def microphone(mix: np.ndarray, song: Song) -> np.ndarray:
    """A mix at 48 kHz through the song's microphone, (samples,) → (samples,).

    The response is zero-phase, so onsets do not move, and is limited to ±15 dB.
    """
    length = next_fast_len(len(mix), real=True)
    octaves = np.log2(np.maximum(rfftfreq(length, 1 / RENDERER_RATE), 40.0) / 1000)
    gain_db = song.tilt_db * octaves
    for centre_hz, bump_db, width_octaves in song.bumps:
        gain_db += bump_db * np.exp(
            -0.5 * ((octaves - np.log2(centre_hz / 1000)) / width_octaves) ** 2
        )
    gain = 10 ** (np.clip(gain_db, -RESPONSE_LIMIT_DB, RESPONSE_LIMIT_DB) / 20)
    return irfft(rfft(mix, length) * gain.astype(np.float32), length)[: len(mix)]
