"""Any rate and any number of channels become mono blocks; what cannot be heard is named."""

import numpy as np
import pytest
import soundfile

from mirtrim.listening.audio import (
    AudioError,
    Meter,
    mean_of_channels,
    mono_blocks,
    open_audio,
    share,
)
from mirtrim.tasks.audio import read_mono

from .samples import music, write


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
def test_blocks_are_the_whole_file(tmp_path, rate, channels):
    samples = np.stack([music(23.7, rate, seed) for seed in range(channels)], axis=1)
    path = write(tmp_path / "a.wav", samples, rate)
    blocks = list(mono_blocks(open_audio(path), 16000))
    assert len(blocks) >= 3
    # The same resampler, fed in pieces: the same bits.
    np.testing.assert_array_equal(np.concatenate(blocks), read_mono(path, 16000))


@pytest.mark.parametrize("ending", ["flac", "ogg", "mp3"])
def test_compressed_files(tmp_path, ending):
    path = write(tmp_path / f"a.{ending}", music(12, 44100), 44100)
    audio = open_audio(path)
    assert audio.duration_seconds == pytest.approx(12, abs=0.1)
    blocks = np.concatenate(list(mono_blocks(audio, 8000)))
    # The mp3 decoder itself rounds differently from block to block.
    np.testing.assert_allclose(blocks, read_mono(path, 8000), atol=1e-6)


def test_progress_and_two_readings(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(25 * 8000), 8000)
    seen = []
    for reading in (0, 1):
        report = share(lambda done, total: seen.append((done, total)), reading, 2)
        for _ in mono_blocks(open_audio(path), 8000, report):
            pass
    assert seen == [(10, 50), (20, 50), (25, 50), (35, 50), (45, 50), (50, 50)]


def test_files_that_cannot_be_heard_are_named(tmp_path):
    (tmp_path / "text.wav").write_text("not audio")
    write(tmp_path / "empty.wav", np.zeros(0), 8000)
    for name, message in (
        ("none.wav", "no such file"),
        ("text.wav", "cannot be decoded"),
        ("empty.wav", "holds no samples"),
        (".", "no such file"),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            open_audio(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_file_that_breaks_off(tmp_path):
    path = write(tmp_path / "a.flac", music(30, 16000), 16000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="decoded"):
        for _ in mono_blocks(open_audio(path), 16000):
            pass


def test_values_that_are_no_numbers(tmp_path):
    path = write(tmp_path / "a.wav", np.array([0.0, np.nan, 0.0]), 8000)
    with pytest.raises(AudioError, match="no numbers"):
        list(mono_blocks(open_audio(path), 8000))


def test_less_than_one_sample_after_resampling(tmp_path):
    path = write(tmp_path / "a.wav", np.ones(1), 44100)
    with pytest.raises(AudioError, match="1 samples at 44100 Hz are less than one at 8000 Hz"):
        list(mono_blocks(open_audio(path), 8000))


def test_the_meter_measures_what_passes():
    meter = Meter(8000)
    list(meter.through(iter([np.array([3.0, -4.0]), np.zeros(2)])))
    assert (meter.samples, meter.peak, meter.square_sum, meter.rms) == (4, 4.0, 25.0, 2.5)
    assert not meter.silent
    quiet = Meter(8000)
    list(quiet.through(iter([np.full(9, 1e-5)])))
    assert quiet.silent
    assert quiet.silence == "silent below 4000 Hz"


def test_channels_many_and_rates_odd(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, 0.1 * np.ones((7000, 6)), 70, subtype="FLOAT")
    blocks = list(mono_blocks(open_audio(path), 8000))
    assert sum(map(len, blocks)) == 100 * 8000
    assert max(map(len, blocks)) < 50 * 8000


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_the_mean_of_channels(channels):
    samples = np.random.default_rng(0).standard_normal((1001, channels)).astype(np.float32)
    mean = mean_of_channels(samples)
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, samples.mean(axis=1))
