"""Constant-Q frames: bins evenly spaced in pitch, so that a transposition is a shift."""

from dataclasses import dataclass
from functools import lru_cache

import librosa
import numpy as np
import scipy

from mirtrim.utils.errors import ConfigError

# The smallest entries of a filter that together make up this share of it are left out.
OMITTED = 0.01


@dataclass(frozen=True)
class Octave:
    """The filters of one octave.

    Attributes:
        filters: (bins of the octave, window // 2 + 1), complex, of a spectrum.
        window: samples of that spectrum, a power of two.
        hop: samples from frame to frame, at the rate of this octave.
        halved: whether the octave above was sampled at twice the rate.
    """

    filters: scipy.sparse.csr_matrix
    window: int
    hop: int
    halved: bool


@dataclass(frozen=True)
class Filters:
    """All filters of a transform.

    Attributes:
        decimation: samples per sample that the highest octave needs.
        octaves: from the highest to the lowest.
        norms: what each bin is divided by, lowest first, (bins, 1).
    """

    decimation: int
    octaves: tuple[Octave, ...]
    norms: np.ndarray


def log_constant_q(
    samples: np.ndarray,
    sample_rate: int,
    hop: int,
    lowest_hz: float,
    bins: int,
    bins_per_octave: int,
    gain: float,
) -> np.ndarray:
    """log(1 + gain · |CQT|), (1 + samples // hop, bins), float32; silence is 0.

    Frame t is centred on t · hop / sample_rate seconds; bin b on
    lowest_hz · 2 ** (b / bins_per_octave). Schörkhuber & Klapuri (SMC 2010), with the filters
    and the values of `librosa.cqt`, which designs its filters again for every piece.
    """
    filters = constant_q_filters(sample_rate, hop, lowest_hz, bins, bins_per_octave)
    responses: list[np.ndarray] = []
    if filters.decimation > 1:
        samples = _decimated(samples, filters.decimation)
    for octave in filters.octaves:
        if octave.halved:
            samples = _decimated(samples, 2)
        spectrum = librosa.stft(
            samples, n_fft=octave.window, hop_length=octave.hop, window="ones", pad_mode="constant"
        )
        responses.insert(0, octave.filters @ spectrum)
    frames = min(response.shape[1] for response in responses)
    transform = np.concatenate([response[:, :frames] for response in responses])
    transform /= filters.norms
    return np.log1p(gain * np.abs(transform.T)).astype(np.float32)


@lru_cache(maxsize=8)
def constant_q_filters(
    sample_rate: int, hop: int, lowest_hz: float, bins: int, bins_per_octave: int
) -> Filters:
    """Filters of a constant-Q transform with a Hann window.

    Raises:
        ConfigError: the highest filter reaches above half the sample rate.
    """
    frequencies = librosa.interval_frequencies(
        bins, fmin=lowest_hz, intervals="equal", bins_per_octave=bins_per_octave
    )
    # Relative to the centre of a bin: the distance of its neighbours over the sum of both.
    step = 2.0 ** (2 / bins_per_octave)
    bandwidth = (step - 1) / (step + 1)
    _, highest_hz = librosa.filters.wavelet_lengths(
        freqs=frequencies, sr=sample_rate, alpha=bandwidth
    )
    if highest_hz > sample_rate / 2:
        raise ConfigError(
            f"features.bins: {bins} bins above {lowest_hz:g} Hz reach {highest_hz:.0f} Hz, but "
            f"sample_rate {sample_rate} ends at {sample_rate / 2:.0f} Hz; use fewer bins"
        )
    count = -(-bins // bins_per_octave)
    decimation = _decimation(sample_rate, hop, highest_hz, count)
    rate, hop = sample_rate / decimation, hop // decimation
    lengths, _ = librosa.filters.wavelet_lengths(freqs=frequencies, sr=rate, alpha=bandwidth)
    octaves: list[Octave] = []
    octave_rate, halved = rate, False
    for index in range(count):
        end = bins - index * bins_per_octave
        part = slice(max(0, end - bins_per_octave), end)
        filters, window = _octave_filters(frequencies[part], bandwidth, octave_rate)
        filters.data *= np.sqrt(rate / octave_rate)
        octaves.append(Octave(filters, window, hop, halved))
        halved = hop % 2 == 0
        if halved:
            hop, octave_rate = hop // 2, octave_rate / 2
    return Filters(decimation, tuple(octaves), np.sqrt(lengths)[:, None])


def _decimation(sample_rate: int, hop: int, highest_hz: float, octaves: int) -> int:
    """The power of two by which the rate may fall before the highest octave.

    An octave of room is left above it for the edge of the resampling filter, and the hop stays
    even down to the lowest octave.
    """
    room = int(np.ceil(np.log2(sample_rate / 2 / highest_hz))) - 2
    halvings_of_hop = (hop & -hop).bit_length() - 1
    return int(2 ** max(0, min(room, halvings_of_hop - octaves + 1)))


def _octave_filters(
    frequencies: np.ndarray, bandwidth: float, rate: float
) -> tuple[scipy.sparse.csr_matrix, int]:
    """Filters in the frequency domain, (bins, window // 2 + 1), and their window in samples."""
    waves, lengths = librosa.filters.wavelet(freqs=frequencies, sr=rate, alpha=bandwidth)
    window = waves.shape[1]
    waves *= lengths[:, None] / float(window)
    spectra = scipy.fft.fft(waves, axis=1)[:, : window // 2 + 1]
    return librosa.util.sparsify_rows(spectra, quantile=OMITTED, dtype=np.complex64), window


def _decimated(samples: np.ndarray, factor: int) -> np.ndarray:
    """Every `factor`-th sample of the low-passed signal, at the same energy."""
    return librosa.resample(samples, orig_sr=factor, target_sr=1, res_type="soxr_hq", scale=True)


def shifted(patches: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Patches moved up by `steps` bins each, zeros filling in.

    Args:
        patches: (batch, frames, bins).
        steps: bins upwards, negative for downwards, (batch,).
    """
    reach = int(np.abs(steps).max(initial=0))
    padded = np.pad(patches, ((0, 0), (0, 0), (reach, reach)))
    columns = np.arange(patches.shape[2]) + reach - steps[:, None]  # (batch, bins)
    return np.take_along_axis(padded, columns[:, None, :], axis=2)
