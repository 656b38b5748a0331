"""A part of a file, with some bytes replaced, as a decoder reads it."""

import io
from pathlib import Path


class PatchedFile(io.RawIOBase):
    """Bytes `start` to `end` of a file.

    Args:
        patch_at: offset in the file of the bytes that `patch` replaces.
    """

    def __init__(self, path: Path, start: int, end: int, patch_at: int, patch: bytes) -> None:
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        self._start = start
        self._size = end - start
        self._patch_at = patch_at - start
        self._patch = patch
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        self._file.seek(self._start + self._position)
        held = memoryview(buffer)[: max(0, self._size - self._position)]
        count = self._file.readinto(held)
        self._replace(held, count)
        self._position += count
        return count

    def _replace(self, buffer: memoryview, count: int) -> None:
        begin = max(self._patch_at, self._position)
        end = min(self._patch_at + len(self._patch), self._position + count)
        if begin < end:
            there = slice(begin - self._position, end - self._position)
            buffer[there] = self._patch[begin - self._patch_at : end - self._patch_at]

    def close(self) -> None:
        self._file.close()
        super().close()
