"""What a file is that holds no sound, or none that can be decoded here; read from its first bytes.

The marks are those of the formats' own specifications. What follows the offset is compared.
"""

HEAD_BYTES = 4096
# Share of printable characters from which on bytes that are UTF-8 are called text.
PRINTABLE = 0.95

# (offset, mark, what it is)
MARKS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an MPEG-4 file (m4a, mp4, mov)"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file (wma, asf)"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska file (mkv, webm)"),
    (0, b"MThd", "a MIDI file: notes, not sound"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"MAC ", "a Monkey's Audio file (ape)"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MPCK", "a Musepack file"),
    (0, b"MP+", "a Musepack file"),
    (0, b"ADIF", "an AAC file"),
    (0, b"\xff\xf1", "an AAC file"),
    (0, b"\xff\xf9", "an AAC file"),
    (0, b".RMF", "a RealMedia file"),
    (8, b"AVI ", "a video (avi)"),
    (8, b"WEBP", "a picture (webp)"),
    (0, b"\x89PNG", "a picture (png)"),
    (0, b"\xff\xd8\xff", "a picture (jpeg)"),
    (0, b"GIF8", "a picture (gif)"),
    (0, b"%PDF", "a document (pdf)"),
    (0, b"PK\x03\x04", "an archive (zip)"),
    (0, b"\x1f\x8b", "an archive (gzip)"),
    (0, b"7z\xbc\xaf\x27\x1c", "an archive (7z)"),
    (0, b"Rar!", "an archive (rar)"),
    (0, b"BZh", "an archive (bzip2)"),
    (0, b"\xfd7zXZ", "an archive (xz)"),
    (0, b"\x7fELF", "a program"),
    (0, b"\x93NUMPY", "an array (npy)"),
    (0, b"version https://git-lfs", "a pointer of Git LFS: fetch the file itself"),
)
# What libsndfile reads, by its first bytes; anything else may be MPEG audio.
CONTAINERS = (
    b"RIFF", b"RIFX", b"RF64", b"BW64", b"riff", b"FORM", b"fLaC", b"OggS", b".snd", b"dns.",
    b"caff", b"NIST", b"Creative Voice", b" paf", b"fap ", b"ALaw", b"2BIT", b"MATLAB", b"\x64\xa3",
    b"SFE\x00", b"\xf0\x7e",
)  # fmt: skip


def is_container(head: bytes) -> bool:
    """Whether a file begins like one of the formats that are no bare stream of MPEG frames."""
    return head.startswith(CONTAINERS)


def kind_of(head: bytes) -> str | None:
    """What a file is that is no sound (or cannot be decoded here), None if that is not known.

    Args:
        head: its first `HEAD_BYTES` bytes, or all of them.
    """
    if not head.strip(b"\x00"):
        return "nothing but zeros"
    for offset, mark, what in MARKS:
        if head[offset:].startswith(mark):
            return what
    return "text" if _is_text(head) else None


def _is_text(head: bytes) -> bool:
    try:
        # The head may end within a character.
        text = head[:-3].decode() if len(head) == HEAD_BYTES else head.decode()
    except UnicodeDecodeError:
        return False
    good = sum(character.isprintable() or character in "\t\r\n" for character in text)
    return good >= PRINTABLE * max(len(text), 1)
