"""Chains: what is drawn follows from the generator, and every effect keeps within its limits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mirtrim.sound import effects
from mirtrim.sound.chain import Blurring, Chain

RATE = 16_000
FULL = Chain(
    tuning_cents=60, room=0.5, room_seconds=0.3, tilt_db=4, equaliser_db=9, band_limit=0.3,
    noise=0.8, noise_db=(0, 50), clipping=0.2, codec=0.2, level_db=-40,
)  # fmt: skip


def tones(rows: int = 6, count: int = 4096) -> np.ndarray:
    hertz = 200 * 2 ** (np.arange(rows)[:, None] / 6)
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(count) / RATE)).astype(np.float32)


def test_the_same_generator_gives_the_same_bits_and_another_one_others() -> None:
    one, cents = FULL.play(tones(), RATE, np.random.default_rng(1))
    again, cents_again = FULL.play(tones(), RATE, np.random.default_rng(1))
    other, _ = FULL.play(tones(), RATE, np.random.default_rng(2))
    assert one.tobytes() == again.tobytes()
    assert np.array_equal(cents, cents_again)
    assert not np.allclose(one, other)
    assert one.dtype == np.float32


def test_a_chain_that_is_off_changes_nothing() -> None:
    heard, cents = Chain().play(tones(), RATE, np.random.default_rng(0), slice(100, 1100))
    assert np.array_equal(heard, tones()[:, 100:1100])
    assert not cents.any()


@pytest.mark.parametrize(
    "settings",
    [
        {"room": 1.0}, {"tilt_db": 3.0}, {"equaliser_db": 6.0}, {"band_limit": 1.0},
        {"noise": 1.0}, {"clipping": 1.0}, {"codec": 1.0}, {"level_db": -30.0},
        {"tuning_cents": 50.0},
    ],
)  # fmt: skip
def test_each_effect_alone_does_something(settings: dict[str, Any]) -> None:
    heard, _ = Chain(**settings).play(tones(), RATE, np.random.default_rng(0))
    assert not np.allclose(heard, tones(), atol=1e-3)


def test_detuning_is_told_and_heard() -> None:
    heard, cents = Chain(tuning_cents=80).play(tones(8, 8192), RATE, np.random.default_rng(3))
    assert np.abs(cents).max() <= 80
    assert len(np.unique(cents)) == 8
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(8192), 1 << 18))
    hertz = spectrum.argmax(1) * RATE / (1 << 18)
    written = 200 * 2 ** (np.arange(8) / 6)
    assert 1200 * np.log2(hertz / written) == pytest.approx(cents, abs=3)


def test_noise_keeps_between_its_limits() -> None:
    rows = tones(200, 1024)
    heard, _ = Chain(noise=1.0, noise_db=(10, 20)).play(rows, RATE, np.random.default_rng(4))
    ratio = 20 * np.log10(effects.rms(rows) / effects.rms(heard - rows))
    assert ratio.min() >= 9.9
    assert ratio.max() <= 20.1
    assert ratio.std() > 2


def test_a_share_of_rows_is_clean() -> None:
    rows = tones(400, 256)
    heard, _ = Chain(noise=0.25).play(rows, RATE, np.random.default_rng(5))
    noisy = np.abs(heard - rows).max(1) > 0
    assert noisy.mean() == pytest.approx(0.25, abs=0.07)


def test_silence_with_noise_is_quiet_noise_and_no_division() -> None:
    chain, silence = replace(FULL, level_db=0), np.zeros((50, 2048), np.float32)
    heard, _ = chain.play(silence, RATE, np.random.default_rng(6))
    assert np.isfinite(heard).all()
    assert 0 < effects.rms(heard).max() <= 10 ** (-40 / 20) * 1.01


def test_what_stands_before_the_cut_rings_into_it() -> None:
    rows = np.zeros((1, 4000), np.float32)
    rows[0, 900] = 1
    dry, _ = Chain().play(rows, RATE, np.random.default_rng(7), slice(1000, 2000))
    wet, _ = Chain(room=1.0).play(rows, RATE, np.random.default_rng(7), slice(1000, 2000))
    assert not dry.any()
    assert np.abs(wet).max() > 0.005


def test_keys_of_other_chains_are_passed_over() -> None:
    settings = {"noise": 0.5, "noise_db": [3, 9], "band_gain": 1.0, "masked_bands": 4}
    assert Chain.of(settings) == Chain(noise=0.5, noise_db=(3.0, 9.0))
    assert Blurring.of(settings) == Blurring(band_gain=1.0, masked_bands=4)


def images(rows: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(rows, 1, 20, 30)).astype(np.float32)


def test_blurring_follows_its_generator_and_keeps_its_input() -> None:
    blurring, given = Blurring(1.0, 0.3, 5, 5), images()
    one = blurring.blur(given, np.random.default_rng(1))
    assert one.tobytes() == blurring.blur(images(), np.random.default_rng(1)).tobytes()
    assert np.array_equal(given, images())
    assert not np.allclose(one, blurring.blur(images(), np.random.default_rng(2)))


def test_gain_of_bands_is_the_same_in_all_frames_and_limited() -> None:
    change = Blurring(band_gain=0.5).blur(images(), np.random.default_rng(3)) - images()
    assert np.abs(change - change[..., :1]).max() < 1e-5
    assert 0.2 < np.abs(change).max() <= 0.5 * 7


def test_masks_hide_neighbours_and_no_more_than_said() -> None:
    ones = np.ones((300, 1, 20, 30), np.float32)
    bands = (Blurring(masked_bands=4).blur(ones, np.random.default_rng(4)) == 0)[:, 0, :, 0]
    assert set(bands.sum(1)) == {0, 1, 2, 3, 4}
    assert all(np.ptp(np.flatnonzero(row)) + 1 == row.sum() for row in bands if row.any())
    frames = (Blurring(masked_frames=6).blur(ones, np.random.default_rng(5)) == 0)[:, 0, 0, :]
    assert frames.sum(1).max() == 6
    assert frames[:, -1].any()


def test_noise_on_frames_has_at_most_its_deviation() -> None:
    change = Blurring(frame_noise=0.4).blur(images(300), np.random.default_rng(6)) - images(300)
    sizes = change.reshape(300, -1).std(1)
    assert 0.35 < sizes.max() < 0.45
    assert sizes.min() < 0.05
