"""A person's audio file as mono blocks at a network's sample rate, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from mirtrim.errors import MirtrimError

# Called with (seconds read, seconds to read); a file that is read twice counts twice.
Progress = Callable[[float, float], None]

BLOCK_SECONDS = 10.0
BLOCK_VALUES = 2**20  # samples times channels, for files with many channels
# One step of 16 bits. Below it there is nothing to hear.
SILENT_PEAK = 1 / 32768


class AudioError(MirtrimError):
    """A file that cannot be listened to."""


def no_progress(done_seconds: float, total_seconds: float) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True)
class AudioFile:
    """A file that libsndfile can open (wav, flac, ogg, mp3, …) and that is not empty."""

    path: Path
    frames: int
    sample_rate: int
    channels: int

    @property
    def duration_seconds(self) -> float:
        """Length of the file."""
        return self.frames / self.sample_rate


def open_audio(path: str | Path) -> AudioFile:
    """Look at a file without reading its samples.

    Raises:
        AudioError: it is missing, is no audio, or has no samples.
    """
    path = Path(path)
    if not path.is_file():
        raise AudioError(f"{path}: no such file; check the name")
    try:
        about = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise _undecodable(path, error) from error
    if about.frames == 0:
        raise AudioError(f"{path}: holds no samples; choose another file")
    return AudioFile(path, about.frames, about.samplerate, about.channels)


def mono_blocks(
    audio: AudioFile, sample_rate: int, progress: Progress = no_progress
) -> Iterator[np.ndarray]:
    """Blocks of mono float32 samples at `sample_rate` Hz, (samples,) each.

    Joined they are what `mirtrim.tasks.audio.read_mono` gives: channels are averaged, and the
    resampler is the same one, fed piece by piece.

    Raises:
        AudioError: the file cannot be decoded to its end, or holds infinite values.
    """
    resampler = None
    if audio.sample_rate != sample_rate:
        resampler = soxr.ResampleStream(audio.sample_rate, sample_rate, 1, dtype="float32")
    size = max(1, min(int(BLOCK_SECONDS * audio.sample_rate), BLOCK_VALUES // audio.channels))
    done = given = 0
    for samples in _decoded(audio, size):
        done += len(samples)
        mono = mean_of_channels(samples)
        if not np.isfinite(mono).all():
            raise AudioError(f"{audio.path}: holds values that are no numbers; export it again")
        block = resampler.resample_chunk(mono) if resampler else mono
        given += len(block)
        yield block
        progress(done / audio.sample_rate, audio.duration_seconds)
    if done < audio.frames:
        raise AudioError(
            f"{audio.path}: only {done / audio.sample_rate:.1f} of "
            f"{audio.duration_seconds:.1f} s can be decoded; export it again"
        )
    if resampler:
        block = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        given += len(block)
        yield block
    if given == 0:
        raise AudioError(
            f"{audio.path}: {audio.frames} samples at {audio.sample_rate} Hz are less than one at "
            f"{sample_rate} Hz; choose a longer file"
        )


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


def _decoded(audio: AudioFile, size: int) -> Iterator[np.ndarray]:
    """Blocks of (samples, channels), float32."""
    try:
        with soundfile.SoundFile(str(audio.path)) as stream:
            while len(block := stream.read(size, dtype="float32", always_2d=True)):
                yield block
    except (soundfile.LibsndfileError, OSError) as error:
        raise _undecodable(audio.path, error) from error


def _undecodable(path: Path, error: Exception) -> AudioError:
    reason = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
    return AudioError(f"{path}: cannot be decoded ({reason}); convert it to wav or flac")


@dataclass
class Meter:
    """What is measured while samples at `sample_rate` Hz pass by."""

    sample_rate: int
    samples: int = 0
    peak: float = 0.0
    square_sum: float = 0.0

    def through(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks, measured."""
        for block in blocks:
            self.samples += len(block)
            self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
            self.square_sum += float(np.square(block, dtype=np.float64).sum())
            yield block

    @property
    def silent(self) -> bool:
        """Whether nothing reached one step of 16 bits."""
        return self.peak < SILENT_PEAK

    @property
    def silence(self) -> str:
        """The words for `silent`: what lies above half the sample rate is not heard at all."""
        return f"silent below {self.sample_rate // 2} Hz"

    @property
    def rms(self) -> float:
        """Root mean square of everything so far."""
        return float(np.sqrt(self.square_sum / max(self.samples, 1)))


def share(progress: Progress, reading: int, readings: int) -> Progress:
    """Progress of one `reading` (from 0) of a file that is read `readings` times."""

    def report(done_seconds: float, total_seconds: float) -> None:
        progress(reading * total_seconds + done_seconds, readings * total_seconds)

    return report
