"""The frames of an MPEG audio stream (mp3, mp2): how many there are is the length of the file.

A decoder has to guess that length where no header gives it (ISO/IEC 11172-3 and 13818-3 have
none; Xing's, in the first frame, is a convention), and stops where the guess ends. Counting the
frames costs a look at four bytes of each.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

from mirtrim.sound.patched import PatchedFile

# kbit/s by bitrate index, for (is MPEG 1, layer).
BITRATES: dict[tuple[bool, int], tuple[int, ...]] = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES_OF_MPEG_1 = (44100, 48000, 32000)
# Version bits of a header → what MPEG 1's sample rates are divided by.
DIVISORS = {3: 1, 2: 2, 0: 4}
# What must agree between neighbouring frames: sync, version, layer and sample rate.
SAME = 0xFFFE0C00
# So many frames in a row are no accident.
CONVINCING = 3
XING_MARKS = (b"Xing", b"Info")
XING_HAS_FRAMES = 1
XING_SLACK_FRAMES = 2
UNBOUNDED = 2**40


@dataclass(frozen=True)
class Header:
    """What the four bytes before a frame say."""

    size: int
    samples: int
    sample_rate: int
    side_bytes: int


@dataclass(frozen=True)
class MpegStream:
    """Where the frames of a file lie, and how many there are.

    Attributes:
        start: offset of the first frame, behind tags and what is left of a cut one.
        frames: whole frames of sound, without one that holds a Xing header.
        samples_per_frame: of one channel.
        claimed_at: offset of the number of frames in the Xing header; None if there is none.
        claimed: that number.
    """

    path: Path
    start: int
    frames: int
    samples_per_frame: int
    sample_rate: int
    claimed_at: int | None = None
    claimed: int | None = None

    @property
    def samples(self) -> int:
        """Samples of one channel in all frames."""
        return self.frames * self.samples_per_frame

    @property
    def cut(self) -> bool:
        """Whether the Xing header tells of more frames than there are.

        Some writers count the frame of the header, and the last one may be incomplete.
        """
        return self.claimed is not None and self.claimed > self.frames + XING_SLACK_FRAMES


def find_stream(path: Path) -> MpegStream | None:
    """The MPEG stream of a file, None if it holds none."""
    if path.stat().st_size < 4:
        return None
    with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = _first_frame(data, _behind_tags(data))
        if start is None:
            return None
        return _walk(path, data, start)


def parse(word: int) -> Header | None:
    """A frame's header as a number of 32 bits, None if it cannot be one."""
    version, layer_bits = word >> 19 & 3, word >> 17 & 3
    bitrate_index, rate_index = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version == 1 or layer_bits == 0 or rate_index == 3:
        return None
    if bitrate_index in (0, 15):  # 0 is a rate that the header does not tell
        return None
    first, layer = version == 3, 4 - layer_bits
    rate = RATES_OF_MPEG_1[rate_index] // DIVISORS[version]
    bits = 1000 * BITRATES[first, layer][bitrate_index - 1]
    padding = word >> 9 & 1
    mono = word >> 6 & 3 == 3
    if layer == 1:
        return Header(4 * (12 * bits // rate + padding), 384, rate, 0)
    samples = 1152 if first or layer == 2 else 576
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return Header(samples // 8 * bits // rate + padding, samples, rate, side)


def _behind_tags(data: mmap.mmap) -> int:
    """Offset behind ID3v2 tags, of which some files have several."""
    position = 0
    while data[position : position + 3] == b"ID3" and position + 10 <= len(data):
        sizes = data[position + 6 : position + 10]
        footer = 10 if data[position + 5] & 0x10 else 0
        size = sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(sizes))
        position += 10 + size + footer
    return min(position, len(data))


def _word(data: mmap.mmap, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "big")


def _first_frame(data: mmap.mmap, position: int) -> int | None:
    """Offset of the first of `CONVINCING` frames in a row, or of fewer that end with the file."""
    while 0 <= (position := data.find(b"\xff", position)) <= len(data) - 4:
        word, end, found = _word(data, position), position, 0
        while end <= len(data) - 4:
            header = parse(_word(data, end))
            if header is None or (_word(data, end) ^ word) & SAME:
                break
            end, found = end + header.size, found + 1
            if found == CONVINCING:
                return position
        if found and end == len(data):
            return position
        position += 1
    return None


def _walk(path: Path, data: mmap.mmap, start: int) -> MpegStream:
    """Count whole frames from `start` on; what lies between them is stepped over."""
    first_word = _word(data, start)
    first = parse(first_word)
    assert first is not None  # `_first_frame` has parsed it
    claimed_at, claimed = _xing(data, start, first)
    known: dict[int, int] = {}  # headers repeat
    position, frames, length = start, 0, len(data)
    while position <= length - 4:
        word = _word(data, position)
        size = known.get(word)
        if size is None:
            header = parse(word)
            size = header.size if header and not (word ^ first_word) & SAME else 0
            known[word] = size
        if size:
            frames += position + size <= length
            position += size
        else:
            following = _next_frame(data, position + 1, first_word)
            if following is None:
                break
            position = following
    return MpegStream(
        path,
        start,
        frames - (claimed_at is not None),
        first.samples,
        first.sample_rate,
        claimed_at,
        claimed,
    )


def _next_frame(data: mmap.mmap, position: int, first_word: int) -> int | None:
    """Offset of the next header of this stream that another one follows, or the end of the file."""
    while 0 <= (position := data.find(b"\xff", position)) <= len(data) - 4:
        header = parse(_word(data, position))
        if header and not (_word(data, position) ^ first_word) & SAME:
            behind = position + header.size
            if behind == len(data):
                return position
            if behind <= len(data) - 4 and not (_word(data, behind) ^ first_word) & SAME:
                return position
        position += 1
    return None


def _xing(data: mmap.mmap, start: int, header: Header) -> tuple[int | None, int | None]:
    """Where a Xing header in the first frame keeps the number of frames, and that number."""
    at = start + 4 + header.side_bytes
    if not header.side_bytes or data[at : at + 4] not in XING_MARKS:
        return None, None
    if not _word(data, at + 4) & XING_HAS_FRAMES or at + 12 > len(data):
        return None, None
    return at + 8, _word(data, at + 8)


class WholeStream(PatchedFile):
    """A stream as a decoder must see it to decode all of it.

    It begins with the first frame. A wrong number of frames in a Xing header, as of files that
    were joined, is replaced by the true one, unless it tells that the file was cut. Where there
    is no such number the stream pretends to be very long, so that what the decoder guesses from
    its size is no limit: it ends where nothing more can be read. (At the pretended end a decoder
    looks for a tag, and finds zeros.)
    """

    TAG_BYTES = 128

    def __init__(self, stream: MpegStream) -> None:
        end, patch = stream.path.stat().st_size, b""
        self._unbounded = stream.claimed_at is None
        if self._unbounded:
            end += UNBOUNDED
        elif stream.claimed != stream.frames and not stream.cut:
            patch = stream.frames.to_bytes(4, "big")
        super().__init__(stream.path, stream.start, end, stream.claimed_at or 0, patch)

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        if not self._unbounded or self._position < self._size - self.TAG_BYTES:
            return super().readinto(buffer)
        count = min(len(buffer), max(0, self._size - self._position))
        buffer[:count] = bytes(count)
        self._position += count
        return count
