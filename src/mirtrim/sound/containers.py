"""How much sound a file says that it holds, against how much of it there is.

libsndfile makes the header fit what is there, so that a file that was cut looks whole.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO

# Sizes that mean "not known when this was written", and those minus a header.
UNKNOWN_SIZES = (2**31, 2**32, 2**63, 2**64)
UNKNOWN_MARGIN = 128
W64_RIFF = b"riff\x2e\x91\xcf\x11"
W64_DATA = b"data\xf3\xac\xd3\x11"
OGG_PAGE = b"OggS"
OGG_LAST_PAGE = 4  # bit of the page's flags, which are its sixth byte
OGG_SEGMENTS_AT = 26  # how many segments a page has; their sizes follow, and then they themselves
# A page is at most 65307 bytes long, so the last ones lie here.
OGG_TAIL_BYTES = 2**17


def share_present(path: Path) -> float:
    """Of the bytes of sound that the header of a wav, aiff, au, w64 or caf file tells, the part
    that is there: 1 for whole files and for all other formats.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        for begin, told in _sound(stream, size):
            if told > 0 and not _unknown(told) and begin + told > size:
                return max(0.0, (size - begin) / told)
    return 1.0


def ogg_breaks_off(path: Path) -> bool:
    """Whether the last page of an Ogg file lacks the mark of the last one, or its own end."""
    with open(path, "rb") as stream:
        if stream.read(4) != OGG_PAGE:
            return False
        stream.seek(max(0, path.stat().st_size - OGG_TAIL_BYTES))
        tail = stream.read()
    page = tail[max(0, tail.rfind(OGG_PAGE)) :]
    if len(page) <= OGG_SEGMENTS_AT or not page[5] & OGG_LAST_PAGE:
        return True
    sizes = page[OGG_SEGMENTS_AT + 1 :][: page[OGG_SEGMENTS_AT]]
    return len(page) < OGG_SEGMENTS_AT + 1 + page[OGG_SEGMENTS_AT] + sum(sizes)


def _unknown(told: int) -> bool:
    return any(-UNKNOWN_MARGIN <= told - size <= 0 for size in UNKNOWN_SIZES)


def _sound(stream: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    """Where the sound begins, and how many bytes it is said to have."""
    head = stream.read(24)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        order = "big" if head[:4] == b"RIFX" else "little"
        yield from _chunks(stream, size, order, b"data", long_in_ds64=head[:2] in (b"RF", b"BW"))
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        # Eight bytes of the chunk tell where the sound begins within it.
        yield from _chunks(stream, size, "big", b"SSND")
    elif head[:4] == b".snd" and len(head) == 24:
        yield int.from_bytes(head[4:8], "big"), int.from_bytes(head[8:12], "big")
    elif head[:4] == b"caff":
        yield from _caf_chunks(stream, size)
    elif head[:8] == W64_RIFF:
        yield from _w64_chunks(stream, size)


def _chunks(
    stream: IO[bytes], size: int, order: str, wanted: bytes, *, long_in_ds64: bool = False
) -> Iterator[tuple[int, int]]:
    position, long_size = 12, None
    while position + 8 <= size:
        stream.seek(position)
        name = stream.read(4)
        told = int.from_bytes(stream.read(4), order)  # type: ignore[arg-type]
        if name == b"ds64" and long_in_ds64:
            long_size = int.from_bytes(stream.read(24)[8:16], "little")
        if name == wanted:
            known = long_size if long_size is not None and told == 2**32 - 1 else told
            yield position + 8, known
            return
        position += 8 + told + told % 2


def _caf_chunks(stream: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    position = 8
    while position + 12 <= size:
        stream.seek(position)
        name = stream.read(4)
        told = int.from_bytes(stream.read(8), "big", signed=True)  # −1: up to the end
        if name == b"data":
            yield position + 12, told
            return
        position += 12 + max(told, 0)


def _w64_chunks(stream: IO[bytes], size: int) -> Iterator[tuple[int, int]]:
    position = 40
    while position + 24 <= size:
        stream.seek(position)
        name = stream.read(16)
        told = int.from_bytes(stream.read(8), "little")  # with these 24 bytes
        if name[:8] == W64_DATA:
            yield position + 24, told - 24
            return
        position += max(24, told + -told % 8)
