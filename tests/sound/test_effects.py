"""Effects in numbers: decibels, hertz, samples."""

import numpy as np
import pytest

from mirtrim.sound import effects
from mirtrim.sound.effects import Curve

RATE = 16_000


def sine(hz: float, seconds: float = 1.0, peak: float = 0.5) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(
        np.float32
    )


def gain_db(hz: float, curve: Curve) -> float:
    """Measured in the middle of a sine, away from its ends."""
    middle = slice(4000, 12_000)
    before = sine(hz)
    return float(
        20 * np.log10(effects.rms(effects.equalise(before, RATE, curve)[middle])[0])
        - 20 * np.log10(effects.rms(before[middle])[0])
    )


def test_a_bump_has_its_gain_at_its_frequency_and_none_far_away() -> None:
    curve = Curve(bumps=[(1000, 6.0, 0.3)])
    assert gain_db(1000, curve) == pytest.approx(6.0, abs=0.05)
    assert gain_db(1000 * 2**0.3, curve) == pytest.approx(6 * np.exp(-0.5), abs=0.1)
    assert gain_db(100, curve) == pytest.approx(0.0, abs=0.05)


def test_a_tilt_counts_octaves_from_1_khz() -> None:
    assert gain_db(4000, Curve(tilt_db=3.0)) == pytest.approx(6.0, abs=0.05)
    assert gain_db(250, Curve(tilt_db=3.0)) == pytest.approx(-6.0, abs=0.05)


def test_band_limits_take_3_db_at_the_edge_and_24_db_an_octave_beyond() -> None:
    curve = Curve(lowest_hz=200, highest_hz=3000)
    assert gain_db(200, curve) == pytest.approx(-3.0, abs=0.1)
    assert gain_db(100, curve) == pytest.approx(-24.1, abs=0.3)
    assert gain_db(3000, curve) == pytest.approx(-3.0, abs=0.1)
    assert gain_db(6000, curve) == pytest.approx(-24.1, abs=0.3)


def test_gains_of_bumps_are_held_at_24_db() -> None:
    curve = Curve(bumps=[(500, 20.0, 1.0), (500, 20.0, 1.0)])
    assert curve.gain_db(np.array([500.0]))[0] == 24.0


def test_an_equaliser_leaves_an_onset_where_it_is() -> None:
    click = np.zeros(8000, dtype=np.float32)
    click[4000] = 1
    heard = effects.equalise(click, RATE, Curve(tilt_db=-2, bumps=[(300, 9, 0.5)]))
    assert int(np.abs(heard).argmax()) == 4000


@pytest.mark.parametrize(("level_db", "peak"), [(-6.0, 0.50119), (-20.0, 0.1), (0.0, 1.0)])
def test_level(level_db: float, peak: float) -> None:
    assert np.abs(effects.at_level(sine(300, peak=0.013), level_db)).max() == pytest.approx(
        peak, rel=1e-4
    )


def test_slope_of_noise_in_decibels_per_octave() -> None:
    rows = effects.noise((2, 160_000), np.array([[0.0], [2.0]]), RATE, np.random.default_rng(4))
    assert effects.rms(rows)[:, 0] == pytest.approx([1, 1], rel=1e-4)
    power = np.abs(np.fft.rfft(rows)) ** 2
    hertz = np.fft.rfftfreq(160_000, 1 / RATE)
    octave = [power[:, (hertz > low) & (hertz < 2 * low)].mean(1) for low in (500, 1000)]
    fall = 10 * np.log10(octave[0] / octave[1])
    assert fall == pytest.approx([0.0, 6.02], abs=0.3)


def test_clipping_cuts_at_its_share_of_the_peak() -> None:
    samples = sine(200, peak=0.8)
    hard = effects.clipped(samples, 0.5)
    assert np.abs(hard).max() == pytest.approx(0.4, abs=1e-3)
    assert np.array_equal(hard[np.abs(samples) < 0.39], samples[np.abs(samples) < 0.39])
    soft = effects.clipped(samples, 0.5, soft=True)
    assert np.abs(soft).max() == pytest.approx(0.4 * np.tanh(2), abs=1e-3)


def test_quantising_leaves_so_many_steps() -> None:
    steps = np.unique(effects.quantised(sine(50), 3))
    assert len(steps) == 9  # 8 steps between the peaks have 9 ends
    assert np.diff(steps) == pytest.approx(2 * 0.5 / 8, rel=1e-3)


@pytest.mark.parametrize("cents", [50.0, -120.0, 1200.0])
def test_retuning_moves_a_pitch_and_keeps_the_centre(cents: float) -> None:
    samples = sine(440)
    heard = effects.retuned(samples, cents, centre=3000)
    spectrum = np.abs(np.fft.rfft(heard[:7000] * np.hanning(7000), 1 << 18))
    hertz = spectrum.argmax() * RATE / (1 << 18)
    assert hertz == pytest.approx(440 * 2 ** (cents / 1200), rel=1e-3)
    assert heard[3000] == pytest.approx(samples[3000], abs=1e-6)


def test_rows_are_retuned_each_by_its_own() -> None:
    rows = np.stack([sine(440), sine(440)])
    heard = effects.retuned(rows, np.array([[0.0], [100.0]]))
    assert np.allclose(heard[0], rows[0], atol=1e-6)
    assert np.allclose(heard[1], effects.retuned(rows[1], 100.0), atol=1e-6)


def test_a_room_begins_with_the_direct_sound_and_has_its_level() -> None:
    response = effects.room(0.4, -6.0, RATE, np.random.default_rng(5))
    assert len(response) == 6400
    assert response[0] == 1
    assert 10 * np.log10(np.sum(response[1:] ** 2)) == pytest.approx(-6.0, abs=0.01)
    early, late = np.sum(response[1:3200] ** 2), np.sum(response[3200:] ** 2)
    assert 10 * np.log10(early / late) > 25  # half of 60 dB later
