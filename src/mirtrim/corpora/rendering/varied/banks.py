"""User-supplied sound banks: SoundFonts, and folders of single sounds."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
import pretty_midi
import soundfile
import soxr

from mirtrim.corpora.rendering.soundbank import RENDERER_RATE
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.files import sha256_of_file, sha256_of_value

DEFAULT = "pretty_midi"
DRUM_BANK = 128
AUDIO = (".wav", ".flac", ".ogg", ".aif", ".aiff")
PRESET = struct.Struct("<20sHHHIII")
LONGEST_SHOT_SECONDS = 4.0
# Some banks are half a gigabyte, and every process has its own.
KEPT_BANKS = 3


@dataclass(frozen=True)
class Bank:
    """A SoundFont.

    Attributes:
        path: of the file.
        digest: SHA-256 of the file; a corpus is rendered again if it changes.
    """

    path: Path
    digest: str

    @property
    def name(self) -> str:
        """Of the file, without ending."""
        return self.path.stem

    def content(self) -> bytes:
        """The whole file."""
        return _content(self.path)

    @cached_property
    def presets(self) -> frozenset[tuple[int, int]]:
        """(bank, program) of everything it can play; drum kits have bank 128."""
        return frozenset(_presets(self.path))

    @property
    def programs(self) -> tuple[int, ...]:
        """General MIDI programs from 0, rising."""
        return tuple(sorted(program for bank, program in self.presets if bank == 0))

    @property
    def kits(self) -> tuple[int, ...]:
        """Programs of the drum channel, rising."""
        return tuple(sorted(program for bank, program in self.presets if bank == DRUM_BANK))


@dataclass(frozen=True)
class OneShots:
    """A folder of sound files with one stroke or note each.

    Attributes:
        path: of the folder.
        digest: over names and contents of its files.
    """

    path: Path
    digest: str

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.path.name

    @property
    def files(self) -> tuple[Path, ...]:
        """Sound files in it and in its folders, in a fixed order."""
        return tuple(_sounds(self.path))


def banks_of(names: Sequence[str]) -> list[Bank]:
    """The banks of those paths, each read once for its digest.

    Raises:
        CorpusError: a file is missing or no SoundFont that can be played.
    """
    return [_bank(name) for name in names]


def one_shots_of(names: Sequence[str]) -> list[OneShots]:
    """The folders of those paths.

    Raises:
        CorpusError: a folder is missing or holds no sound file.
    """
    found = []
    for name in names:
        folder = Path(name)
        sounds = list(_sounds(folder))
        if not sounds:
            what = "no sound files" if folder.is_dir() else "no such folder"
            raise CorpusError(f"{folder}: {what}; correct `one_shots` of the corpus")
        digests = {str(path.relative_to(folder)): sha256_of_file(path) for path in sounds}
        found.append(OneShots(folder, sha256_of_value(digests)))
    return found


@lru_cache(maxsize=4096)
def one_shot(path: Path) -> np.ndarray:
    """A single sound, mono float32 at 48 kHz, at most 4 s, its first sample at its onset.

    The onset is the first sample that reaches a thirtieth of the peak.

    Raises:
        CorpusError: it cannot be decoded or is silent.
    """
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise CorpusError(f"{path}: cannot be decoded; take it out of `one_shots`") from error
    mono = samples.mean(axis=1)
    peak = float(np.abs(mono).max(initial=0))
    if not 0 < peak < np.inf:
        raise CorpusError(f"{path}: holds no sound; take it out of `one_shots`")
    mono = mono[int(np.argmax(np.abs(mono) >= peak / 30)) :]
    if rate != RENDERER_RATE:
        mono = soxr.resample(mono, rate, RENDERER_RATE)
    result: np.ndarray = mono[: round(LONGEST_SHOT_SECONDS * RENDERER_RATE)]
    return result


@cache
def _bank(name: str) -> Bank:
    path = Path(name)
    if name == DEFAULT:
        path = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
    if not path.is_file():
        raise CorpusError(
            f"{path}: no such sound bank; install it, or correct `banks` of the corpus"
        )
    if not _presets(path):
        raise CorpusError(f"{path}: has no presets; take it out of `banks`")
    return Bank(path, sha256_of_file(path))


@lru_cache(maxsize=KEPT_BANKS)
def _content(path: Path) -> bytes:
    return path.read_bytes()


def _sounds(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in AUDIO and path.is_file():
            yield path


def _presets(path: Path) -> list[tuple[int, int]]:
    """(bank, program) of a SoundFont's presets, from its chunk phdr (SoundFont 2.04, 7.2)."""
    with open(path, "rb") as stream:
        if stream.read(4) != b"RIFF" or stream.seek(8) != 8 or stream.read(4) != b"sfbk":
            raise CorpusError(f"{path}: is no SoundFont; take it out of `banks`")
        for kind, size in _chunks(stream):
            if kind == b"ifil" and int.from_bytes(stream.read(2), "little") > 2:
                raise CorpusError(
                    f"{path}: is a compressed SoundFont (version 3), which cannot be played; name "
                    "an uncompressed one, such as Debian's musescore-general-soundfont-lossless"
                )
            if kind == b"phdr":
                rows = stream.read(size)
                count = len(rows) // PRESET.size - 1  # the last one marks the end
                records = (PRESET.unpack_from(rows, i * PRESET.size) for i in range(count))
                return [(bank, program) for _, program, bank, *_ in records]
    raise CorpusError(f"{path}: is cut off; fetch it again, or take it out of `banks`")


def _chunks(stream) -> Iterator[tuple[bytes, int]]:  # type: ignore[no-untyped-def]
    """Kind and size of every chunk, the stream at its content; goes into lists."""
    place = 12
    while True:
        stream.seek(place)
        head = stream.read(8)
        if len(head) < 8:
            return
        kind, size = head[:4], int.from_bytes(head[4:], "little")
        if kind == b"LIST":
            place += 12
            continue
        yield kind, size
        place += 8 + size + size % 2
