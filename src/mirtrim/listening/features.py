"""Features of networks, computed without torch and librosa, whose import takes seconds.

Every function gives what the task's own gives in training, to rounding; tests hold them against
each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr

from mirtrim.listening.needs import BINS_PER_OCTAVE

FULL_SCALE = 32767  # of 16 bits
LEVEL_RMS = 0.1
SILENCE_RMS = 0.001
SILENCE_FRAME = 1024
SMALLEST_RMS = 1e-4
SMALLEST_DEVIATION = 1.0
MEL_FLOOR = 1e-5
BLOCK_FRAMES = 128
OMITTED = 0.01  # of a filter's magnitude: its smallest entries
HANN_BANDWIDTH = 1.50018310546875  # equivalent noise bandwidth, in bins
PITCH_LOWEST_HZ = 32.703
CENTS_PER_BIN = 20.0
NEIGHBOURS = 4
# Slaney's mel scale: linear below 1 kHz, logarithmic above.
MEL_BREAK_HZ = 1000.0
HZ_PER_MEL = 200 / 3
OCTAVES_PER_MEL = np.log(6.4) / 27


def frames_of(samples: np.ndarray, window: int, hop: int, first: int, last: int) -> np.ndarray:
    """Frames `first` to `last` of samples with silence around them, (frames, window).

    Frame t is centred on sample t · hop.
    """
    begin, end = first * hop - window // 2, (last - 1) * hop - window // 2 + window
    held = samples[max(0, begin) : max(0, end)]
    held = np.pad(held, (max(0, -begin), end - begin - len(held) - max(0, -begin)))
    return np.lib.stride_tricks.sliding_window_view(held, window)[::hop]


def _blocks_of_frames(samples: np.ndarray, window: int, hop: int) -> Iterator[np.ndarray]:
    """All 1 + samples // hop frames, `BLOCK_FRAMES` at a time."""
    count = 1 + len(samples) // hop
    for first in range(0, count, BLOCK_FRAMES):
        yield frames_of(samples, window, hop, first, min(count, first + BLOCK_FRAMES))


def log_mel(
    samples: np.ndarray,
    sample_rate: int,
    window: int,
    hop: int,
    bands: int,
    lowest_hz: float,
    highest_hz: float,
) -> np.ndarray:
    """As `mirtrim.tasks.audio.log_mel`: (1 + samples // hop, bands), float32."""
    matrix = mel_matrix(sample_rate, window, bands, lowest_hz, highest_hz)
    hann = _hann(window).astype(np.float32)
    parts = []
    for frames in _blocks_of_frames(samples, window, hop):
        heard = np.fft.rfft(frames * hann)[:, : len(matrix)]
        power = np.square(heard.real) + np.square(heard.imag)
        parts.append(power.astype(np.float32) @ matrix)
    return np.log(np.concatenate(parts) + np.float32(MEL_FLOOR))


@lru_cache(maxsize=8)
def mel_matrix(
    sample_rate: int, window: int, bands: int, lowest_hz: float, highest_hz: float
) -> np.ndarray:
    """Triangles of equal area on Slaney's mel scale, (bins, bands), without the bins above."""
    edges = np.linspace(_mel(lowest_hz), _mel(highest_hz), bands + 2)
    hertz = np.where(
        edges < MEL_BREAK_HZ / HZ_PER_MEL,
        HZ_PER_MEL * edges,
        MEL_BREAK_HZ * np.exp(OCTAVES_PER_MEL * (edges - MEL_BREAK_HZ / HZ_PER_MEL)),
    )
    bins = np.arange(window // 2 + 1)[:, None] * sample_rate / window
    low, middle, high = hertz[:-2], hertz[1:-1], hertz[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    matrix = np.minimum(rising, falling).clip(min=0) * 2 / (high - low)
    used = 1 + int(np.flatnonzero(matrix.any(axis=1))[-1])
    return matrix[:used].astype(np.float32)


def _mel(hertz: float) -> float:
    if hertz < MEL_BREAK_HZ:
        return hertz / HZ_PER_MEL
    return float(MEL_BREAK_HZ / HZ_PER_MEL + np.log(hertz / MEL_BREAK_HZ) / OCTAVES_PER_MEL)


def _hann(length: int) -> np.ndarray:
    """A periodic Hann window, (length,)."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


@dataclass(frozen=True)
class Octave:
    """The filters of one octave: (bins, columns), complex, of columns `first` onwards of a spectrum
    of `window` samples every `hop`; `halved`: the octave above has twice the rate."""

    filters: np.ndarray
    first: int
    window: int
    hop: int
    halved: bool


def log_constant_q(
    samples: np.ndarray, sample_rate: int, hop: int, lowest_hz: float, bins: int, gain: float
) -> np.ndarray:
    """As `mirtrim.tasks.constant_q.log_constant_q`: (1 + samples // hop, bins), float32."""
    decimation, octaves, norms = constant_q_filters(sample_rate, hop, lowest_hz, bins)
    responses: list[np.ndarray] = []
    if decimation > 1:
        samples = _decimated(samples, decimation)
    for octave in octaves:
        if octave.halved:
            samples = _decimated(samples, 2)
        responses.insert(0, _response(samples, octave))
    frames = min(len(response) for response in responses)
    transform = np.concatenate([response[:frames] for response in responses], axis=1) / norms
    return np.log1p(gain * np.abs(transform)).astype(np.float32)


def _response(samples: np.ndarray, octave: Octave) -> np.ndarray:
    """(1 + samples // hop, bins), complex."""
    last_column = octave.first + octave.filters.shape[1]
    parts = []
    for frames in _blocks_of_frames(samples, octave.window, octave.hop):
        spectrum = np.fft.rfft(frames)[:, octave.first : last_column].astype(np.complex64)
        parts.append(spectrum @ octave.filters.T)
    return np.concatenate(parts)


@lru_cache(maxsize=8)
def constant_q_filters(
    sample_rate: int, hop: int, lowest_hz: float, bins: int
) -> tuple[int, tuple[Octave, ...], np.ndarray]:
    """Decimation before the highest octave, the octaves from there down, what bins are divided
    by."""
    frequencies = lowest_hz * 2.0 ** (np.arange(bins) / BINS_PER_OCTAVE)
    step = 2.0 ** (2 / BINS_PER_OCTAVE)
    bandwidth = (step - 1) / (step + 1)
    highest_hz = float(frequencies[-1]) * (1 + 0.5 * HANN_BANDWIDTH * bandwidth)
    count = -(-bins // BINS_PER_OCTAVE)
    room = int(np.ceil(np.log2(sample_rate / 2 / highest_hz))) - 2
    halvings_of_hop = (hop & -hop).bit_length() - 1
    decimation = 2 ** max(0, min(room, halvings_of_hop - count + 1))
    rate, hop = sample_rate / decimation, hop // decimation
    octaves: list[Octave] = []
    octave_rate, halved = rate, False
    for index in range(count):
        end = bins - index * BINS_PER_OCTAVE
        part = frequencies[max(0, end - BINS_PER_OCTAVE) : end]
        spectra, window = _wavelets(part / octave_rate, bandwidth)
        spectra *= np.sqrt(rate / octave_rate)
        columns = np.flatnonzero(spectra.any(axis=0))
        kept = spectra[:, columns[0] : columns[-1] + 1].astype(np.complex64)
        octaves.append(Octave(kept, int(columns[0]), window, hop, halved))
        halved = hop % 2 == 0
        if halved:
            hop, octave_rate = hop // 2, octave_rate / 2
    norms = np.sqrt(rate / (bandwidth * frequencies)).astype(np.float32)
    return decimation, tuple(octaves), norms


def _wavelets(cycles_per_sample: np.ndarray, bandwidth: float) -> tuple[np.ndarray, int]:
    """Spectra of Hann-windowed waves, (waves, window // 2 + 1), without their smallest entries, and
    the window, a power of two."""
    lengths = 1 / (bandwidth * cycles_per_sample)
    window = int(2 ** np.ceil(np.log2(lengths.max())))
    spectra = np.zeros((len(lengths), window // 2 + 1), dtype=np.complex128)
    for row, (length, cycles) in enumerate(zip(lengths, cycles_per_sample, strict=True)):
        places = np.arange(-length // 2, length // 2)
        wave = np.exp(2j * np.pi * cycles * places) * _hann(len(places))
        wave *= length / window / np.abs(wave).sum()
        before = (window - len(wave)) // 2
        padded = np.pad(wave.astype(np.complex64), (before, window - len(wave) - before))
        spectra[row] = _without_smallest(np.fft.fft(padded)[: window // 2 + 1])
    return spectra, window


def _without_smallest(spectrum: np.ndarray) -> np.ndarray:
    """Zero for the smallest entries that together have less than `OMITTED` of all magnitude."""
    magnitude = np.abs(spectrum)
    rising = np.sort(magnitude)
    share = np.cumsum(rising / magnitude.sum())
    threshold = rising[int(np.argmin(share < OMITTED))]
    return np.where(magnitude >= threshold, spectrum, 0)


def _decimated(samples: np.ndarray, factor: int) -> np.ndarray:
    """Every `factor`-th sample of the low-passed signal, at the same energy."""
    wanted = -(-len(samples) // factor)
    fewer = soxr.resample(samples, factor, 1, quality="HQ")[:wanted]
    return np.pad(fewer, (0, wanted - len(fewer))) * np.float32(np.sqrt(factor))


def windows_at(rows: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Windows of `length` rows that begin at `starts`, (windows, length, …)."""
    return rows[starts[:, None] + np.arange(length)]


def as_images(windows: np.ndarray) -> np.ndarray:
    """(windows, frames, bands) → (windows, 1, bands, frames)."""
    return np.ascontiguousarray(windows.transpose(0, 2, 1))[:, None]


def normalised_frames(pulses: np.ndarray) -> np.ndarray:
    """Frames of mean 0 and deviation 1: (frames, samples) → (frames, 1, samples)."""
    frames = pulses.astype(np.float32)
    frames -= frames.mean(axis=1, keepdims=True)
    deviation = np.sqrt(np.square(frames).mean(axis=1, keepdims=True))
    return (frames / np.maximum(deviation, SMALLEST_DEVIATION))[:, None]


def levelled_windows(pulses: np.ndarray) -> np.ndarray:
    """Windows of unit root mean square: (windows, samples) → (windows, 1, samples)."""
    samples = pulses.astype(np.float32) / FULL_SCALE
    level = np.sqrt(np.square(samples).mean(axis=1, keepdims=True))
    return (samples / np.maximum(level, SMALLEST_RMS))[:, None]


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(−x)), without overflow."""
    small = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + small), small / (1 + small))


def log_softmax(values: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    shifted = values - values.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def overlap_mean(windows: np.ndarray, starts: Sequence[int], count: int) -> np.ndarray:
    """Mean over overlapping windows, (windows, channels, length) → (channels, count)."""
    total = np.zeros((windows.shape[1], count), dtype=np.float32)
    visits = np.zeros(count, dtype=np.float32)
    for window, start in zip(windows, starts, strict=True):
        total[:, start : start + windows.shape[2]] += window
        visits[start : start + windows.shape[2]] += 1
    return total / visits


def fundamental(activation: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    """Pitch in Hz and activation at the centre of each frame, (frames, bins) → (2, frames).

    Args:
        centre: the bin around which the pitch is averaged, (frames,); None for the highest one.
    """
    if centre is None:
        centre = activation.argmax(axis=1)
    index = centre[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    inside = (index >= 0) & (index < activation.shape[1])
    index = index.clip(0, activation.shape[1] - 1)
    weight = np.take_along_axis(activation, index, axis=1) * inside
    cents = (weight * CENTS_PER_BIN * index).sum(1) / weight.sum(1).clip(min=1e-12)
    confidence = activation[np.arange(len(activation)), centre]
    return np.stack([PITCH_LOWEST_HZ * 2 ** (cents / 1200), confidence])


def peaks_of(activation: np.ndarray, threshold: float) -> np.ndarray:
    """Frames of local maxima at or above `threshold`, rising; the middle one of a plateau.

    Values before the first and after the last frame count as 0.
    """
    padded = np.concatenate([[0], activation, [0]])
    change = np.flatnonzero(np.diff(padded))  # the last place of each run of equal values
    firsts, lasts = change[:-1] + 1, change[1:]
    higher = (padded[firsts] > padded[firsts - 1]) & (padded[lasts] > padded[lasts + 1])
    middles: np.ndarray = (firsts[higher] + lasts[higher]) // 2
    return middles[padded[middles] >= threshold] - 1
