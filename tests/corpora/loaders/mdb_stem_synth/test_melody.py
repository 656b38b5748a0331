"""Lines for soloists: pitch gestures by hand, and f0 measured on what is rendered."""

import numpy as np
import pytest

from mirtrim.corpora.rendering.melodies.melodists import MELODISTS, Melodist, melodists_of_split
from mirtrim.corpora.rendering.melodies.melody import (
    STILL,
    Gesture,
    Line,
    bank_vibrato,
    play_tune,
    transposition,
)
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note, render
from mirtrim.corpora.rendering.tunes import Tune, TuneNote
from tests.corpora.loaders.mdb_stem_synth.f0_measurement import measured_cents

SINGER = Melodist("Nobody", "train", 40, 0.0, 55, 84, True)
SCALE = Tune(
    "scale", "", (4, 4), tuple(TuneNote(i / 2, 0.5, p) for i, p in enumerate((60, 62, 64, 65) * 16))
)


def errors_cents(line: Line, moments: np.ndarray) -> np.ndarray:
    """Measured minus written f0 of the rendered line at `moments`, over 24 ms or five periods."""
    seconds = float(moments[-1]) + 0.2
    samples = render([line.part(seconds)], seconds)
    errors = []
    for moment, guess in zip(moments, line.f0_hz(moments), strict=True):
        half = round(max(0.012, 2.5 / guess) * RENDERER_RATE)
        here = round(moment * RENDERER_RATE)
        errors.append(measured_cents(samples[here - half : here + half], RENDERER_RATE, guess))
    return np.array(errors)


def test_a_glide_arrives_linearly():
    glide = Gesture(glide_semitones=-1.0, glide_seconds=0.1)
    np.testing.assert_allclose(
        glide.semitones(np.array([0, 0.05, 0.1, 0.2])), [-1, -0.5, 0, 0], atol=1e-12
    )


def test_vibrato_waits_then_grows():
    # 5 Hz, delay 0.12 s, full after another 0.15 s: 0.12 + 0.25 s is a quarter period later.
    shake = Gesture(vibrato_semitones=0.3, vibrato_hz=5.0)
    moments = np.array([0.1, 0.12 + 0.05, 0.12 + 0.25, 0.12 + 0.35])
    np.testing.assert_allclose(shake.semitones(moments), [0, 0.1, 0.3, -0.3], atol=1e-9)


def test_f0_is_that_of_the_note_begun_last():
    notes = [Note(1.0, 1.5, 69, 90), Note(2.0, 2.5, 81, 90)]
    line = Line(SINGER, notes, [STILL, STILL], tuning_semitones=0.0)
    f0 = line.f0_hz(np.array([0.5, 1.0, 1.9, 2.0, 3.0]))
    np.testing.assert_allclose(f0, [0, 440, 440, 880, 880])
    sharp = Line(SINGER, notes, [STILL, STILL], tuning_semitones=0.5)
    assert sharp.f0_hz(np.array([1.2]))[0] == pytest.approx(440 * 2 ** (0.5 / 12))


@pytest.mark.parametrize("melodist", MELODISTS, ids=lambda melodist: melodist.name)
def test_every_soloist_sounds_at_the_f0_that_is_written(melodist: Melodist):
    span = np.linspace(melodist.lowest, melodist.highest, 4).astype(int)
    notes = [Note(0.1 + 0.5 * i, 0.5 + 0.5 * i, int(p), 90) for i, p in enumerate(span)]
    line = Line(melodist, notes, [STILL] * 4, tuning_semitones=0.2)
    samples = render([line.part(2.2)], 2.2)
    for note in notes:
        middle = note.start_seconds + 0.2
        f0 = float(line.f0_hz(np.array([middle]))[0])
        half = int(min(0.1, 10 / f0) * RENDERER_RATE)
        here = round(middle * RENDERER_RATE)
        assert abs(measured_cents(samples[here - half : here + half], RENDERER_RATE, f0)) < 5


def test_the_vibrato_of_the_bank_is_a_triangle_of_ten_cents():
    # 5 Hz from 0.4 s on: a quarter of a turn takes 0.05 s.
    shaking = Melodist("Nobody", "train", 40, 0.0, 55, 84, True, 0.4, 5.0)
    moments = np.array([0.3, 0.4, 0.425, 0.45, 0.5, 0.55, 0.6])
    np.testing.assert_allclose(
        bank_vibrato(shaking, moments), [0, 0, 0.05, 0.1, 0, -0.1, 0], atol=1e-9
    )
    assert not bank_vibrato(SINGER, moments).any()


@pytest.mark.parametrize(
    "melodist", [m for m in MELODISTS if m.sustained], ids=lambda melodist: melodist.name
)
def test_long_notes_sound_at_the_f0_that_is_written(melodist: Melodist):
    line = Line(melodist, [Note(0.1, 1.6, melodist.highest - 12, 90)], [STILL], 0.0)
    errors = errors_cents(line, np.arange(0.4, 1.5, 0.06))
    assert np.abs(errors).max() < 5


def test_f0_follows_glide_and_vibrato():
    notes = [Note(0.1, 1.6, 72, 100)]
    gesture = Gesture(-1.0, 0.2, 0.4, 5.0)
    line = Line(next(m for m in MELODISTS if m.name == "Clarinet"), notes, [gesture], -0.3)
    moments = np.arange(0.18, 1.5, 0.04)
    assert np.ptp(1200 * np.log2(line.f0_hz(moments))) > 80
    assert np.abs(errors_cents(line, moments)).max() < 5


def test_a_tune_is_brought_into_the_range():
    rng = np.random.default_rng(0)
    drawn = {transposition([60, 72], SINGER, rng) for _ in range(300)}
    assert drawn == set(range(-5, 13))  # 55 … 72 for the lowest note
    assert transposition([40, 90], SINGER, rng) == 4  # too wide: 44 … 94 around 55 … 84


def test_a_line_is_one_note_at_a_time_inside_the_range():
    line = play_tune(SCALE, SINGER, 20.0, np.random.default_rng(5))
    starts = [note.start_seconds for note in line.notes]
    ends = [note.end_seconds for note in line.notes]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert ends[-1] <= 20.0
    assert starts[-1] > 18.0
    assert all(SINGER.lowest <= note.pitch <= SINGER.highest for note in line.notes)
    assert line == play_tune(SCALE, SINGER, 20.0, np.random.default_rng(5))
    assert line != play_tune(SCALE, SINGER, 20.0, np.random.default_rng(6))


def test_no_program_plays_in_two_splits():
    splits = {
        s: {m.program for m in melodists_of_split(s)} for s in ("train", "validation", "test")
    }
    assert sum(map(len, splits.values())) == len(set().union(*splits.values())) == len(MELODISTS)
