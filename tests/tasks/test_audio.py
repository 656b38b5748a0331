"""Reading audio, and log-mel frames against librosa."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from mirtrim.tasks import audio
from mirtrim.tasks.audio import log_mel, read_mono
from mirtrim.utils.errors import CorpusError

RATE = 16000


def noise(seconds: float, channels: int = 1, rate: int = RATE) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.standard_normal((int(seconds * rate), channels)) * 0.1).astype(np.float32)


def test_channels_are_averaged(tmp_path: Path) -> None:
    samples = noise(0.1, channels=2)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    np.testing.assert_allclose(read_mono(tmp_path / "a.wav", RATE), samples.mean(axis=1))


def test_other_rates_are_resampled(tmp_path: Path) -> None:
    time = np.arange(44100) / 44100
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * time), 44100)
    samples = read_mono(tmp_path / "a.wav", RATE)
    assert len(samples) == RATE
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(samples[1000:-1000], expected[1000:-1000], atol=1e-3)


def test_file_cut_in_half_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, noise(2.0), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorpusError, match=r"a.flac: .*fetch or render it again"):
        read_mono(path, RATE)


def test_empty_and_missing_files_are_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    for name in ("empty.wav", "missing.wav"):
        with pytest.raises(CorpusError, match=name):
            read_mono(tmp_path / name, RATE)


def test_log_mel_agrees_with_librosa() -> None:
    samples = noise(1.0)[:, 0]
    ours = log_mel(samples, RATE, 2048, 768, 32, 20.0, 8000.0)
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=RATE,
        n_fft=2048,
        hop_length=768,
        n_mels=32,
        fmin=20.0,
        fmax=8000.0,
        center=True,
    )
    assert ours.shape == (1 + RATE // 768, 32)
    np.testing.assert_allclose(ours, np.log(mel.T + 1e-5), atol=2e-4)


def test_frame_t_is_centred_on_t_hops() -> None:
    samples = np.zeros(RATE, dtype=np.float32)
    samples[7680] = 1.0  # ten hops of 768
    frames = log_mel(samples, RATE, 2048, 768, 32, 20.0, 8000.0)
    assert frames.sum(axis=1).argmax() == 10


@pytest.mark.parametrize("frames", [1, 60, 128, 129, 300])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, frames: int) -> None:
    samples = noise(14.4)[: frames * 768 - 1, 0]
    parts = log_mel(samples, RATE, 2048, 768, 32, 20.0, 8000.0)
    monkeypatch.setattr(audio, "BLOCK_FRAMES", 10**6)
    whole = log_mel(samples, RATE, 2048, 768, 32, 20.0, 8000.0)
    assert whole.shape == (frames, 32)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sample_that_is_no_number_is_named(
    tmp_path: Path, value: float, said: str, channels: int
) -> None:
    samples = noise(2.0, channels)
    samples[20_000, channels - 1] = value
    samples[20_005] = value
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    with pytest.raises(CorpusError, match=rf"a.wav: sample 20000 \(1\.250 s\) is {said},"):
        read_mono(tmp_path / "a.wav", 8000)


def test_a_wav_that_was_cut_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(2.0), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorpusError, match=r"a.wav: only 1\.00 of 2\.00 s are in the file"):
        read_mono(path, RATE)


def test_an_mp3_without_a_length_header_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, noise(3.0), RATE, bitrate_mode="VARIABLE")
    whole = path.read_bytes()
    path.write_bytes(whole[30:])  # without the beginning of the frame that tells the length
    assert len(read_mono(path, RATE)) == pytest.approx(3 * RATE, abs=3 * 576)
