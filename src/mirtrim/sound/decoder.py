"""Decoding a file from its first sample to its last, whatever its header says of its length."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from mirtrim.sound.containers import (
    Extent,
    extent_of,
    holds_another,
    ogg_breaks_off,
    share_present,
)
from mirtrim.sound.mpeg import MpegStream, WholeStream, find_stream
from mirtrim.sound.patched import PatchedFile
from mirtrim.sound.sniff import HEAD_BYTES, is_container, kind_of
from mirtrim.utils.errors import MirtrimError

# What libsndfile gives for the frames of a stream that does not tell.
UNKNOWN_FRAMES = 2**60
# Decoders give up a frame or two of a stream that was cut out of a longer one.
MPEG_SLACK_FRAMES = 2
# A header with a lower one is wrong, and the sound would last for hours.
LOWEST_RATE = 50  # Hz
LONGEST_BLOCK = 2**24  # frames; a wrong header may claim any number
# Less than this is not worth a note.
NOTED_SECONDS = 0.005


class AudioError(MirtrimError):
    """A file that cannot be listened to."""


class _Reader(soundfile.SoundFile):
    """A file that is only read forwards.

    soundfile seeks after every block of a seekable file, which makes MP3 decoders start anew and
    fails in damaged files, and reads no further than the length that it was told.
    """

    def seekable(self) -> bool:
        return False


@dataclass(frozen=True)
class Source:
    """A file that libsndfile can open.

    Attributes:
        frames: how many it holds, as far as that is a fact: its header says so, or they were
            counted. None if only decoding can tell.
        mpeg: its MPEG stream, if that is what it holds.
        extent: what of it is sound, where its header misleads a decoder.
    """

    path: Path
    sample_rate: int
    channels: int
    frames: int | None
    mpeg: MpegStream | None = None
    extent: Extent | None = None

    def seconds(self, frames: int) -> float:
        """Length of `frames`."""
        return frames / self.sample_rate


def open_source(path: Path) -> Source:
    """Look at a file without decoding it.

    Raises:
        AudioError: it is missing, cannot be read, or is no audio; says what it is.
    """
    head = _head(path)
    mpeg = None if is_container(head) else find_stream(path)
    if mpeg is None and (kind := kind_of(head)):
        raise AudioError(f"{path}: is {kind}, which cannot be heard; name an audio file")
    extent = None if mpeg else extent_of(path)
    with _opened(path, mpeg, extent) as reader:
        frames: int | None = reader.frames
        rate, channels = reader.samplerate, reader.channels
    if mpeg and mpeg.claimed is None:
        frames = mpeg.samples
    elif frames is not None and frames >= UNKNOWN_FRAMES:
        frames = None
    return Source(path, rate, channels, frames, mpeg, extent)


def duration_of(path: str | Path) -> float:
    """Length of a file in seconds, from its header where that tells it.

    Raises:
        AudioError: as `open_source`.
    """
    source = open_source(Path(path))
    frames = source.frames
    if frames is None:
        frames = sum(len(block) for block in blocks_of(source, LONGEST_BLOCK))
    return source.seconds(frames)


def blocks_of(source: Source, size: int) -> Iterator[np.ndarray]:
    """Blocks of (samples, channels), float32, to the end of what can be decoded.

    Raises:
        AudioError: the decoder gives up before the end, or nothing can be decoded.
    """
    done = 0
    with _opened(source.path, source.mpeg, source.extent) as reader:
        while True:
            try:
                with _no_stderr():
                    block = reader.read(_asked(source, done, size), "float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                if not _may_end(source, done):
                    raise undecodable(source.path, error) from error
                break
            if not len(block):
                break
            done += len(block)
            yield block


def _asked(source: Source, done: int, size: int) -> int:
    """How many frames to ask for behind `done`.

    What a decoder gives up at tags or other bytes behind the sound takes the sound before them
    with it, so no more than is known to be there is asked for, and then whether there is more.
    """
    if source.mpeg is None and source.frames is not None and done < source.frames:
        return min(size, source.frames - done)
    return size


def _may_end(source: Source, done: int) -> bool:
    """Whether what a decoder cannot read behind `done` frames may be no sound.

    A decoder of MPEG complains at the end of a stream that was cut.
    """
    if source.mpeg is None:
        return 0 < (source.frames or 0) <= done
    return done > 0


def joined(source: Source) -> np.ndarray:
    """All samples at once, (samples, channels), float32."""
    size = min(source.frames or LONGEST_BLOCK, LONGEST_BLOCK)
    blocks = list(blocks_of(source, max(1, size)))
    if len(blocks) == 1:
        return blocks[0]
    return np.concatenate([np.zeros((0, source.channels), dtype=np.float32), *blocks])


def missing(source: Source, decoded: int) -> str | None:
    """What a person should know of a file of which `decoded` frames came out; None if all did.

    Raises:
        AudioError: a compressed file that tells its length was not decoded to its end.
    """
    seconds = source.seconds(decoded)
    if source.frames is not None and decoded < source.frames:
        told = f"only {seconds:.2f} of {source.seconds(source.frames):.2f} s can be decoded"
        if source.mpeg is None or source.mpeg.claimed is not None:
            raise AudioError(f"{source.path}: {told}; export it again")
        slack = MPEG_SLACK_FRAMES * source.mpeg.samples_per_frame
        if decoded < source.frames - slack:
            return f"{told}: it is damaged"
    part = share_present(source.path)
    if 0 < part < 1 and seconds / part - seconds >= NOTED_SECONDS:
        return f"only {seconds:.2f} of {seconds / part:.2f} s are in the file: it was cut"
    extent = source.extent
    if extent is not None and extent.unfinished:
        return "its header was never finished, so all that follows it was taken for sound"
    if (extent is not None and extent.another) or (
        source.mpeg is None and holds_another(source.path)
    ):
        return f"only its first {seconds:.2f} s were heard: another recording follows them"
    if ogg_breaks_off(source.path):
        return f"breaks off after {seconds:.2f} s: its end is missing"
    return None


def undecodable(path: Path, error: Exception) -> AudioError:
    """The error for a file that libsndfile refuses."""
    part = share_present(path)
    if part < 1:
        return AudioError(
            f"{path}: was cut: only {part:.0%} of its sound is there; export it again"
        )
    reason = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
    return AudioError(f"{path}: cannot be decoded ({reason}); convert it to wav or flac")


def _head(path: Path) -> bytes:
    """The first bytes of an ordinary file that is not empty."""
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; name the audio files in it")
        if not path.exists():
            raise AudioError(f"{path}: no such file; check the name")
        if not path.is_file():
            raise AudioError(f"{path}: is no ordinary file; save the sound to one first")
        with open(path, "rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise AudioError(f"{path}: may not be read; change its permissions") from error
        raise AudioError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    except ValueError as error:  # a name that no system call takes
        raise AudioError(f"{str(path)!r}: no such file; check the name") from error
    if not head:
        raise AudioError(f"{path}: is empty (0 bytes); fetch or export it again")
    return head


@contextmanager
def _opened(path: Path, mpeg: MpegStream | None, extent: Extent | None) -> Iterator[_Reader]:
    whole: PatchedFile | None = WholeStream(mpeg) if mpeg else None
    if extent is not None:
        whole = PatchedFile(path, 0, extent.end, extent.patch_at, extent.patch)
    reader: _Reader | None = None
    try:
        try:
            with _no_stderr():
                reader = _Reader(whole if whole is not None else _name(path))
        except (soundfile.LibsndfileError, OSError, RuntimeError, TypeError) as error:
            raise undecodable(path, error) from error
        if reader.samplerate < LOWEST_RATE:
            raise AudioError(
                f"{path}: says that it has {reader.samplerate} samples per second, too few for "
                "sound; export it again"
            )
        yield reader
    finally:
        if reader is not None:
            with _no_stderr():
                reader.close()
        if whole is not None:
            whole.close()


def _name(path: Path) -> str | bytes:
    """A name as libsndfile takes it; on POSIX it need not be text."""
    return os.fsencode(path) if os.name == "posix" else str(path)


@contextmanager
def _no_stderr() -> Iterator[None]:
    """Keep what C libraries print (mpg123 does) out of the terminal."""
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
