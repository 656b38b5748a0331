"""Read a user's audio file as mono blocks at a network's sample rate, in bounded memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from mirtrim.sound.decoder import AudioError, Source, blocks_of, missing, open_source

# Called with (seconds read, seconds to read); a file that is read twice counts twice.
Progress = Callable[[float, float], None]

BLOCK_SECONDS = 10.0
BLOCK_VALUES = 2**20  # samples times channels, for files with many channels
# A mean below this share of the deviation (−40 dB) belongs to the sound and is not an offset.
OFFSET_SHARE = 0.01
# Of the power of the channels, what must be left of their mean if they do not cancel (−20 dB).
CANCELLED_SHARE = 0.01
# Peaks above the first limit are not overshoots; above the second, samples are integer-scaled.
LOUDEST_PEAK = 2.0
INTEGER_PEAK = 128.0
INTEGER_SCALES = (2.0**15, 2.0**23, 2.0**31)


def no_progress(done_seconds: float, total_seconds: float) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True)
class AudioFile:
    """A file that was decoded once from beginning to end.

    Attributes:
        frames: how many came out, which is its length.
        channel: the one that is listened to, None for the mean of all.
        scale: what samples are divided by, 1 unless they are at the scale of integers.
        offset: DC offset that is subtracted after that.
        notes: what users should know about the file, a sentence each.
    """

    source: Source
    frames: int
    channel: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    notes: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.source.path

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.source.sample_rate

    @property
    def duration_seconds(self) -> float:
        """Length of what can be heard."""
        return self.frames / self.sample_rate


def open_audio(path: str | Path, progress: Progress = no_progress) -> AudioFile:
    """Decode a file to its end and collect what is needed before a network processes it.

    Raises:
        AudioError: it is missing, is not audio, cannot be decoded, has no samples, or has NaN or
            infinite samples.
    """
    source = open_source(Path(path))
    totals = _Totals(source.channels)
    for block in blocks_of(source, _block_size(source)):
        if not totals.add(block):
            bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
            sample = totals.frames - len(block) + int(bad[0])
            raise AudioError(
                f"{source.path}: has values that are not numbers, first in sample {sample} "
                f"({source.seconds(sample):.3f} s); export it again"
            )
        done = source.seconds(totals.frames)
        progress(done, max(done, source.seconds(source.frames or 0)))
    cut = missing(source, totals.frames)
    if totals.frames == 0:
        raise AudioError(f"{source.path}: holds no samples; choose another file")
    scale, loud = totals.scale()
    channel = totals.channel_to_hear()
    notes = [note for note in (cut, loud) if note]
    if channel is not None:
        notes.append(f"its channels cancel each other, so only channel {channel + 1} was used")
    offset = totals.offset(channel) / scale
    return AudioFile(source, totals.frames, channel, scale, offset, tuple(notes))


def _block_size(source: Source) -> int:
    return max(1, min(int(BLOCK_SECONDS * source.sample_rate), BLOCK_VALUES // source.channels))


class _Totals:
    """Running sums over a file, per channel and of the mean of the channels.

    Products of all pairs of channels hold the squares of their mean as well, and a matrix product
    takes a fifth of the time of sums over rows of two values.
    """

    def __init__(self, channels: int) -> None:
        self.frames = 0
        self.sum = np.zeros(channels)
        self.products = np.zeros((channels, channels))
        self.peak = 0.0

    def add(self, block: np.ndarray) -> bool:
        """Add (samples, channels); whether all of them are numbers."""
        self.frames += len(block)
        self.peak = max(self.peak, float(block.max(initial=0)), -float(block.min(initial=0)))
        with np.errstate(invalid="ignore", over="ignore"):  # what is no number is named below
            values = block.astype(np.float64)
            self.sum += np.ones(len(values)) @ values
            self.products += values.T @ values
        return bool(np.isfinite(self.products).all())

    def means(self) -> np.ndarray:
        """Mean of each channel and, last, of their mean."""
        return np.append(self.sum, self.sum.mean()) / self.frames

    def powers(self) -> np.ndarray:
        """Power without the constant part, of each channel and, last, of their mean."""
        squares = np.append(np.diag(self.products), self.products.mean()) / self.frames
        return np.maximum(squares - np.square(self.means()), 0)

    def channel_to_hear(self) -> int | None:
        """The loudest channel if the channels cancel each other, else None."""
        *each, mono = self.powers()
        if len(each) == 1 or mono >= CANCELLED_SHARE * np.mean(each):
            return None
        return int(np.argmax(each))

    def offset(self, channel: int | None) -> float:
        """DC offset of the signal used, 0 if it is small compared with the rest."""
        place = -1 if channel is None else channel
        mean = float(self.means()[place])
        deviation = float(np.sqrt(self.powers()[place]))
        return mean if abs(mean) > OFFSET_SHARE * deviation else 0.0

    def scale(self) -> tuple[float, str | None]:
        """What the samples are divided by, and why."""
        if self.peak <= LOUDEST_PEAK:
            return 1.0, None
        by = self.peak
        if self.peak > INTEGER_PEAK:
            by = next((scale for scale in INTEGER_SCALES if self.peak <= scale), self.peak)
        return by, (
            f"its samples reach {self.peak:.6g} where 1 is full scale, so they were divided by "
            f"{by:.6g}"
        )


def mono_blocks(
    audio: AudioFile, sample_rate: int, progress: Progress = no_progress
) -> Iterator[np.ndarray]:
    """Blocks of mono float32 samples at `sample_rate` Hz, (samples,) each.

    Joined they are what `mirtrim.tasks.audio.read_mono` gives of a file that needs no
    correction: channels are averaged, and the resampler is the same one, fed piece by piece.

    Raises:
        AudioError: the file has changed since it was opened, or is too short.
    """
    resampler = None
    if audio.sample_rate != sample_rate:
        resampler = soxr.ResampleStream(audio.sample_rate, sample_rate, 1, dtype="float32")
    done = given = 0
    for samples in blocks_of(audio.source, _block_size(audio.source)):
        done += len(samples)
        mono = _corrected(audio, samples)
        block = resampler.resample_chunk(mono) if resampler else mono
        given += len(block)
        yield block
        progress(done / audio.sample_rate, audio.duration_seconds)
    if done != audio.frames:
        raise AudioError(f"{audio.path}: changed while it was being read; run again")
    if resampler:
        block = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        given += len(block)
        yield block
    if given == 0:
        raise AudioError(
            f"{audio.path}: {audio.frames} samples at {audio.sample_rate} Hz are less than one at "
            f"{sample_rate} Hz; choose a longer file"
        )


def _corrected(audio: AudioFile, samples: np.ndarray) -> np.ndarray:
    """The signal used, (samples, channels) → (samples,); bit-identical if nothing is wrong."""
    mono = mean_of_channels(samples) if audio.channel is None else samples[:, audio.channel]
    if audio.scale == 1 and audio.offset == 0:
        return mono
    return (mono.astype(np.float64) / audio.scale - audio.offset).astype(np.float32)


def mean_of_channels(samples: np.ndarray) -> np.ndarray:
    """Mean of (samples, channels) over the channels, (samples,).

    A mean over rows of two values takes as long as decoding them; a sum of two columns gives the
    same bits in a thirtieth of the time.
    """
    if samples.shape[1] == 1:
        return samples[:, 0]
    if samples.shape[1] == 2:
        return (samples[:, 0] + samples[:, 1]) / np.float32(2)
    return samples.mean(axis=1)


def share(progress: Progress, reading: int, readings: int) -> Progress:
    """Progress of one `reading` (from 0) of a file that is read `readings` times."""

    def report(done_seconds: float, total_seconds: float) -> None:
        progress(reading * total_seconds + done_seconds, readings * total_seconds)

    return report
