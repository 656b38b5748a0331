"""What a listener computes without torch, against what the tasks compute in training."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.signal import find_peaks

from mirtrim.listening import features as ours
from mirtrim.tasks import audio, chord, classification, constant_q, f0, pitch, windows
from mirtrim.tasks.store import FeatureStore


def noise(rate, seconds, seed=0):
    rng = np.random.default_rng(seed)
    times = np.arange(int(rate * seconds)) / rate
    tone = 0.2 * np.sin(2 * np.pi * rng.uniform(60, 900) * times)
    return (tone + 0.03 * rng.standard_normal(len(times))).astype(np.float32)


def store_of(**arrays):
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return FeatureStore(tensors, pd.DataFrame(), pd.DataFrame(), {}, "")


def test_constants_are_those_of_the_tasks():
    pairs = [
        (ours.FULL_SCALE, pitch.FULL_SCALE),
        (ours.SMALLEST_DEVIATION, pitch.SMALLEST_DEVIATION),
        (ours.LEVEL_RMS, audio.LEVEL_RMS),
        (ours.SILENCE_RMS, audio.SILENCE_RMS),
        (ours.SILENCE_FRAME, classification.SILENCE_FRAME),
        (ours.SMALLEST_RMS, classification.SMALLEST_RMS),
        (ours.BINS_PER_OCTAVE, 12 * chord.BINS_PER_SEMITONE),
        (ours.OMITTED, constant_q.OMITTED),
        (ours.PITCH_LOWEST_HZ, f0.LOWEST_HZ),
        (ours.CENTS_PER_BIN, f0.CENTS_PER_BIN),
        (ours.NEIGHBOURS, f0.NEIGHBOURS),
    ]
    assert all(one == other for one, other in pairs)


@pytest.mark.parametrize(
    ("rate", "window", "hop", "bands", "lowest", "highest"),
    [
        (22050, 2048, 441, 80, 27.5, 8000),
        (44100, 1024, 441, 40, 0, 22050),
        (8000, 512, 400, 8, 20, 4000),
    ],
)
@pytest.mark.parametrize("seconds", [0.01, 1.0, 7.3])
def test_log_mel(rate, window, hop, bands, lowest, highest, seconds):
    samples = noise(rate, seconds)
    expected = audio.log_mel(samples, rate, window, hop, bands, lowest, highest)
    found = ours.log_mel(samples, rate, window, hop, bands, lowest, highest)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("rate", "hop", "lowest", "bins"),
    [(22050, 512, 32.7, 105), (44100, 2048, 55, 144), (8000, 256, 65.4, 80), (16000, 320, 110, 96)],
)
def test_constant_q(rate, hop, lowest, bins):
    samples = noise(rate, 5.3, seed=1)
    expected = constant_q.log_constant_q(samples, rate, hop, lowest, bins, 24, 100)
    found = ours.log_constant_q(samples, rate, hop, lowest, bins, 100)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_windows_of_samples():
    rng = np.random.default_rng(0)
    pulses = rng.integers(-9000, 9000, 5000).astype(np.int16)
    pulses[1000:2200] = 0  # silence is not blown up
    starts = np.array([0, 10, 1000, 3000])
    expected = classification.windows(store_of(samples=pulses), torch.from_numpy(starts), 1000)
    found = ours.levelled_windows(ours.windows_at(pulses, starts, 1000))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)
    blocks = pulses.reshape(-1, 50)
    starts = starts // 50
    expected = pitch.normalised_frames(store_of(blocks=blocks), torch.from_numpy(starts), 20)
    found = ours.normalised_frames(ours.windows_at(blocks, starts, 20).reshape(4, -1))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


def test_decoding_of_outputs():
    rng = np.random.default_rng(0)
    outputs = (3 * rng.standard_normal((7, 360))).astype(np.float32)
    outputs[0, 0] = outputs[1, 359] = 9.0  # at both edges
    activation = torch.from_numpy(outputs).sigmoid()
    np.testing.assert_allclose(ours.sigmoid(outputs), activation.numpy(), atol=1e-6)
    expected = f0.decode(activation).numpy()
    np.testing.assert_allclose(ours.fundamental(activation.numpy()), expected, rtol=1e-5)
    expected = torch.from_numpy(outputs).log_softmax(1).numpy()
    np.testing.assert_allclose(ours.log_softmax(outputs), expected, atol=1e-5)
    assert np.isfinite(ours.sigmoid(np.array([-1e4, 1e4]))).all()
    parts, starts = rng.random((3, 2, 10)).astype(np.float32), [0, 5, 12]
    np.testing.assert_array_equal(
        ours.overlap_mean(parts, starts, 22), windows.overlap_mean(parts, starts, 22)
    )


@pytest.mark.parametrize("levels", [2, 4, 1000])
def test_peaks_are_those_of_scipy(levels):
    """With few levels there are plateaus everywhere, at the edges too."""
    rng = np.random.default_rng(levels)
    for _ in range(200):
        activation = rng.integers(0, levels, rng.integers(1, 30)) / levels
        for threshold in (0.0, 0.25, 0.6):
            expected, _ = find_peaks(np.pad(activation, 1), height=threshold)
            np.testing.assert_array_equal(ours.peaks_of(activation, threshold), expected - 1)
