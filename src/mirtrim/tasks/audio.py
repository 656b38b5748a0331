"""Reading audio and turning it into log-mel frames."""

from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
import soxr
import torch

from mirtrim.sound.decoder import AudioError, joined, missing, open_source
from mirtrim.utils.errors import CorpusError

LEVEL_RMS = 0.1
SILENCE_RMS = 0.001  # −60 dB of full scale
# Spectra of this many frames fit in the cache; those of a whole piece do not.
BLOCK_FRAMES = 128


def read_mono(path: str | Path, sample_rate: int) -> np.ndarray:
    """Mono float32 samples at `sample_rate` Hz, (samples,).

    Channels are averaged. A file that cannot be decoded completely, is empty, or contains a NaN or
    infinite sample raises a `CorpusError` that names it.
    """
    try:
        source = open_source(Path(path))
        samples = joined(source)
        lost = missing(source, len(samples))
    except AudioError as error:
        raise CorpusError(f"{error}, or fetch or render it again") from error
    if lost or len(samples) == 0:
        raise CorpusError(f"{path}: {lost or 'holds no samples'}; fetch or render it again")
    # Not `mean`, which for two columns takes longer than the resampling.
    with np.errstate(invalid="ignore"):
        mono = sum(samples.T) / samples.shape[1]
    bad = np.flatnonzero(~np.isfinite(mono))
    if len(bad):
        raise CorpusError(
            f"{path}: sample {bad[0]} ({source.seconds(bad[0]):.3f} s) is {mono[bad[0]]:g}, no "
            "number; fetch or render it again, or leave the track out"
        )
    if source.sample_rate == sample_rate:
        return mono
    return soxr.resample(mono, source.sample_rate, sample_rate)


def at_level(samples: np.ndarray) -> np.ndarray:
    """Samples at a root mean square of `LEVEL_RMS`; near silence is left near silence.

    Recordings differ in level by more than the logarithm of the features forgives.
    """
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return samples * np.float32(LEVEL_RMS / max(rms, SILENCE_RMS))


@lru_cache(maxsize=8)
def mel_matrix(
    sample_rate: int, window: int, bands: int, lowest_hz: float, highest_hz: float
) -> torch.Tensor:
    """Mel filter bank, (bins, bands), without the bins above its highest filter."""
    matrix = librosa.filters.mel(
        sr=sample_rate, n_fft=window, n_mels=bands, fmin=lowest_hz, fmax=highest_hz
    )
    used = 1 + int(np.flatnonzero(matrix.any(axis=0))[-1])
    return torch.from_numpy(matrix[:, :used].T.copy())


def log_mel(
    samples: np.ndarray,
    sample_rate: int,
    window: int,
    hop: int,
    bands: int,
    lowest_hz: float,
    highest_hz: float,
) -> np.ndarray:
    """log(mel power + 1e-5) of Hann-windowed frames, (1 + samples // hop, bands), float32.

    Frame t is centred on t · hop / sample_rate seconds.
    """
    padded = torch.nn.functional.pad(torch.from_numpy(samples), (window // 2, window // 2))
    hann = torch.hann_window(window)
    matrix = mel_matrix(sample_rate, window, bands, lowest_hz, highest_hz)
    frames = torch.empty(1 + len(samples) // hop, bands)
    for part in _blocks(len(frames)):
        spectrum = torch.stft(
            padded[part.start * hop : (part.stop - 1) * hop + window],
            n_fft=window,
            hop_length=hop,
            window=hann,
            center=False,
            return_complex=True,
        )
        heard = spectrum.T[:, : len(matrix)]  # contiguous only as (frames, bins)
        squares = torch.view_as_real(heard).square_()
        frames[part] = (squares[..., 0] + squares[..., 1]) @ matrix
    return torch.log(frames + 1e-5).numpy()


def _blocks(frames: int) -> list[slice]:
    """Slices of `BLOCK_FRAMES` to twice as many frames, or one of all if there are fewer.

    The last block takes the rest: a product of few rows would be rounded differently.
    """
    starts = [i * BLOCK_FRAMES for i in range(max(1, frames // BLOCK_FRAMES))]
    return [slice(a, b) for a, b in zip(starts, [*starts[1:], frames], strict=True)]
