"""How much sound a file says that it holds, against how much of it there is.

libsndfile makes the header fit what is there, so that a file that was cut looks whole.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

# Sizes that mean "not known when this was written", and those minus a header.
UNKNOWN_SIZES = (2**31, 2**32, 2**63, 2**64)
UNKNOWN_MARGIN = 128
W64_RIFF = b"riff\x2e\x91\xcf\x11"
W64_DATA = b"data\xf3\xac\xd3\x11"
W64_WIDTHS = (16, 8)  # of the name and the size of a chunk; the size counts both
AIFF_LEAD_BYTES = 8  # of the chunk of sound, before the sound
FLAC_HEAD = b"fLaC\x00\x00\x00\x22"
ID3_HEAD = b"ID3"
OGG_PAGE = b"OggS"
# Bits of a page's flags, which are its sixth byte.
OGG_FIRST_PAGE, OGG_LAST_PAGE = 2, 4
# A first page tells no position.
OGG_HEAD = OGG_PAGE + b"\x00\x02" + bytes(8)
OGG_SEGMENTS_AT = 26  # how many segments a page has; their sizes follow, and then they themselves

Order = Literal["big", "little"]


@dataclass(frozen=True)
class Extent:
    """What a decoder must be given of a file whose header or length misleads it.

    Attributes:
        end: offset behind the sound.
        patch_at, patch: offset of a number in the header, and the bytes that must stand there.
        unfinished: whether the header does not tell yet how much sound there is.
        another: whether another recording follows.
    """

    end: int
    patch_at: int = 0
    patch: bytes = b""
    unfinished: bool = False
    another: bool = False


@dataclass(frozen=True)
class _Sound:
    """Where a file's sound begins, how many bytes it is said to have, and where that is said.

    Attributes:
        at, width, order: of the number in the header.
        counted: bytes of the header that the number counts as well.
        empty: the largest size that says that there is no sound.
    """

    begin: int
    told: int
    at: int
    width: int
    order: Order
    counted: int = 0
    empty: int = 0

    def number(self, size: int) -> bytes:
        """What the header must say of `size` bytes."""
        return min(size + self.counted, 2 ** (8 * self.width) - 1).to_bytes(self.width, self.order)


def share_present(path: Path) -> float:
    """Of the bytes of sound that the header of a wav, aiff, au, w64 or caf file tells, the part
    that is there: 1 for whole files and for all other formats.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        sound = _sound(stream, size)
    if sound and sound.told > 0 and not _unknown(sound.told) and sound.begin + sound.told > size:
        return max(0.0, (size - sound.begin) / sound.told)
    return 1.0


def extent_of(path: Path) -> Extent | None:
    """What of a wav, aiff, au, w64 or caf file is sound, if libsndfile would mistake that.

    It believes a header that tells of no sound, as a recorder leaves it that stopped before its
    end; it takes what stands behind the sound of a w64 file for sound, and gives up a wav or aiff
    file behind which another one stands.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        sound = _sound(stream, size)
        if sound is None:
            return None
        if sound.told <= sound.empty:
            behind = sound.begin + max(0, sound.told)
            if behind >= size or _are_chunks(stream, behind, size, sound.order):
                return None
            number = sound.number(size - sound.begin)
            return Extent(size, sound.at, number, unfinished=True)
        behind = sound.begin + sound.told + sound.told % 2
        if behind >= size:
            return None
        stream.seek(0)
        head = stream.read(4)
        stream.seek(behind)
        another = stream.read(4) == head
    if another or head == W64_RIFF[:4]:
        return Extent(sound.begin + sound.told, another=another)
    return None


def holds_another(path: Path) -> bool:
    """Whether another recording follows in a FLAC or Ogg file that is not empty."""
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] == FLAC_HEAD[:4] or data[:3] == ID3_HEAD:
            first = data.find(FLAC_HEAD)
            return first >= 0 and data.find(FLAC_HEAD, first + 1) >= 0
        # Streams that sound together begin together.
        position = 0
        while data[position : position + 4] == OGG_PAGE and data[position + 5] & OGG_FIRST_PAGE:
            position += _page_size(data[position : position + OGG_SEGMENTS_AT + 256])
        return position > 0 and data.find(OGG_HEAD, position) >= 0


def ogg_breaks_off(path: Path) -> bool:
    """Whether the last page of an Ogg file lacks the mark of the last one, or its own end."""
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != OGG_PAGE:
            return False
        last = data.rfind(OGG_PAGE)
        page = data[last : last + OGG_SEGMENTS_AT + 256]
        if len(page) <= OGG_SEGMENTS_AT or not page[5] & OGG_LAST_PAGE:
            return True
        return len(data) < last + _page_size(page)


def _page_size(page: bytes) -> int:
    """Bytes of an Ogg page, from its first ones."""
    sizes = page[OGG_SEGMENTS_AT + 1 :][: page[OGG_SEGMENTS_AT]]
    return OGG_SEGMENTS_AT + 1 + page[OGG_SEGMENTS_AT] + sum(sizes)


def _unknown(told: int) -> bool:
    return any(-UNKNOWN_MARGIN <= told - size <= 0 for size in UNKNOWN_SIZES)


def _are_chunks(stream: IO[bytes], position: int, size: int, order: Order) -> bool:
    """Whether chunks with names follow from `position` to the end of a file."""
    while position + 8 <= size:
        stream.seek(position)
        name = stream.read(4)
        if not (name.isascii() and name.decode().isprintable()):
            return False
        told = int.from_bytes(stream.read(4), order)
        position += 8 + told + told % 2
    return 0 <= position - size <= 1


def _sound(stream: IO[bytes], size: int) -> _Sound | None:
    head = stream.read(24)
    if head[:4] in (b"RIFF", b"RIFX"):
        return _chunk(stream, size, b"data", "big" if head[:4] == b"RIFX" else "little")
    if head[:4] in (b"RF64", b"BW64"):
        return _long_chunk(stream, size)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        # Eight bytes of the chunk tell where the sound begins within it.
        return _chunk(stream, size, b"SSND", "big", empty=AIFF_LEAD_BYTES)
    if head[:4] == b".snd" and len(head) == 24:
        begin, told = int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
        return _Sound(begin, told, 8, 4, "big")
    if head[:4] == b"caff":
        # A size of −1 means up to the end.
        return _chunk(stream, size, b"data", "big", 8, widths=(4, 8), padding=1, empty=-1)
    if head[:8] == W64_RIFF:
        counted = sum(W64_WIDTHS)
        return _chunk(
            stream, size, W64_DATA, "little", 40, widths=W64_WIDTHS, padding=8, counted=counted
        )
    return None


def _chunk(
    stream: IO[bytes],
    size: int,
    wanted: bytes,
    order: Order,
    position: int = 12,
    *,
    widths: tuple[int, int] = (4, 4),
    padding: int = 2,
    counted: int = 0,
    empty: int = 0,
) -> _Sound | None:
    """The first chunk whose name begins with `wanted`.

    Args:
        position: of the first chunk.
        widths: bytes of a chunk's name, and of its size behind that.
        padding: chunks are as long as a multiple of it.
        counted: bytes of the head of a chunk that its size counts.
        empty: as in `_Sound`; below 0 if sizes have a sign.
    """
    named, sized = widths
    while position + named + sized <= size:
        stream.seek(position)
        name = stream.read(named)
        told = int.from_bytes(stream.read(sized), order, signed=empty < 0) - counted
        begin = position + named + sized
        if name.startswith(wanted):
            return _Sound(begin, told, position + named, sized, order, counted, empty)
        position = begin + max(told, 0) + -max(told, 0) % padding
    return None


def _long_chunk(stream: IO[bytes], size: int) -> _Sound | None:
    """The sound of a file whose chunk `ds64` keeps the size, after that of the file."""
    data = _chunk(stream, size, b"data", "little")
    longer = _chunk(stream, size, b"ds64", "little")
    if data is None or longer is None:
        return data
    stream.seek(longer.begin + 8)
    told = int.from_bytes(stream.read(8), "little")
    return _Sound(data.begin, told, longer.begin + 8, 8, "little")
