"""SoundFonts for tests: the bank that is there, and others made of it."""

import struct
from pathlib import Path

import pretty_midi

OWN = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"


def with_programs_exchanged(path: Path, one: int, other: int) -> Path:
    """A copy of the bank in which two programs have changed their numbers."""
    content = bytearray(OWN.read_bytes())
    place = content.index(b"phdr")
    (size,) = struct.unpack_from("<I", content, place + 4)
    for row in range(place + 8, place + 8 + size - 38, 38):
        program, bank = struct.unpack_from("<HH", content, row + 20)
        if bank == 0 and program in (one, other):
            struct.pack_into("<H", content, row + 20, other if program == one else one)
    path.write_bytes(content)
    return path
