"""Onsets that cannot be heard in a recording are not annotated."""

import numpy as np

from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.soundbank import Note
from mirtrim.corpora.rendering.varied.audible import audible, rises_db

PARTIALS_HZ = np.arange(200, 7900, 150)


def chord_with_steps(levels_db: list[float]) -> np.ndarray:
    """A steady sound with power in all bands, of which each second has another level."""
    rng = np.random.default_rng(5)
    times = np.arange(len(levels_db) * SAMPLE_RATE) / SAMPLE_RATE
    phases = rng.uniform(0, 2 * np.pi, len(PARTIALS_HZ))
    sound = np.sin(2 * np.pi * PARTIALS_HZ[:, None] * times + phases[:, None]).sum(axis=0)
    gains = np.repeat(10 ** (np.array(levels_db) / 20), SAMPLE_RATE)
    return (1e-4 * gains * sound).astype(np.float32)


def test_a_rise_is_the_step_of_the_level() -> None:
    rises = rises_db(chord_with_steps([0, 0, 10, 40, 20]), [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(rises[:3], [0, 10, 30], atol=0.5)
    assert rises[3] < 0


def test_a_rise_in_one_place_of_the_spectrum_is_one() -> None:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    bass = np.sin(2 * np.pi * 110 * times) * (times >= 1)
    fade = np.clip((times - 1) / 0.02, 0, 1)  # no click, which all bands have
    samples = chord_with_steps([0, 0]) + (0.1 * bass * fade).astype(np.float32)
    assert rises_db(samples, [1.0])[0] > 15


def test_soft_notes_under_loud_ones_are_left_out() -> None:
    samples = chord_with_steps([-20, 10, 10.5, -30, -10])
    notes = [Note(second, second + 0.5, 60 + second, 90) for second in (1, 2, 3, 4)]
    # The second note adds half a decibel, the third is a fall.
    assert [note.pitch for note in audible(notes, samples)] == [61, 64]


def test_silence_and_the_ends_of_a_recording() -> None:
    silent = np.zeros(SAMPLE_RATE, dtype=np.float32)
    assert audible([], silent) == []
    assert audible([Note(0.5, 0.6, 60, 90)], silent) == []
    rises = rises_db(chord_with_steps([0]), [0.0, 0.999])
    assert np.isfinite(rises).all()
