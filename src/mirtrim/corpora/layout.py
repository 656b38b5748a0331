"""Files of a corpus folder: the index of checksums, and writing without half-written files."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mirtrim.utils import files
from mirtrim.utils.errors import CorpusError

INDEX_NAME = "index.json"
PLAN_NAME = "plan.json"


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what a disk can say no to into a one-line `CorpusError`."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise CorpusError(f"{path}: {reason}; {files.remedy(error)} and run again") from error


def md5_of_file(path: Path) -> str:
    """MD5 of a file, the checksum that mirdata's indexes use."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one atomic step; a full disk is a `CorpusError`."""
    with disk_errors(path), files.atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_index(path: Path) -> dict[str, Mapping[str, list[str]]]:
    """`tracks` of an index file; a missing or damaged one is a `CorpusError`."""
    try:
        tracks = files.read_json(path)["tracks"]
        return {track_id: dict(entry) for track_id, entry in tracks.items()}
    except (OSError, files.ArtefactError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = "not found" if isinstance(error, FileNotFoundError) else "not a mirdata index"
        raise CorpusError(
            f"{path}: index {reason}; fetch or generate the corpus again, or name another index"
        ) from error


def write_index(
    data_home: Path,
    version: str,
    tables: Mapping[str, list[str]],
    tracks: Mapping[str, Mapping[str, Sequence[str | None]]],
) -> None:
    """Write index.json, whose presence says that the corpus is complete.

    Args:
        tables, tracks: [path below the folder, MD5] of every file, under mirdata's keys;
            None twice where a track has no such file.
    """
    content = {"version": version, "metadata": dict(tables), "tracks": tracks}
    with disk_errors(data_home / INDEX_NAME):
        files.write_json(data_home / INDEX_NAME, content)
