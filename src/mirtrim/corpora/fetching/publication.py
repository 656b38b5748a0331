"""Downloads: the published files of a corpus, and how to check them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ARCHIVE_ENDINGS = (".zip", ".tar", ".gz", ".tgz", ".bz2")


@dataclass(frozen=True)
class Remote:
    """One published file.

    Attributes:
        key: mirdata's name for it.
        checksum: MD5, or None where trust rests on the MD5 of every file inside.
        folder: where it goes, below the corpus' folder.
        unpack_folders: folders of the archive whose content moves up into `folder`.
        megabytes: its size; None asks the server.
    """

    key: str
    url: str
    filename: str
    checksum: str | None
    folder: str = "."
    unpack_folders: tuple[str, ...] = ()
    megabytes: float | None = None

    @property
    def is_archive(self) -> bool:
        """Whether mirdata unpacks it."""
        return self.filename.endswith(ARCHIVE_ENDINGS)

    def path(self, home: Path) -> Path:
        """Where it lies below `home`."""
        return home / self.folder / self.filename


@dataclass(frozen=True)
class Publication:
    """What is to be fetched.

    Attributes:
        name: for messages.
        licence: told before anything is fetched.
        index: mirdata's index of checksums.
        remotes: the wanted files.
        dataset: (folder, index file) → mirdata dataset.
        check: called with (dataset, folder) before the files move to their place; raises a
            `CorpusError` if they are not right.
    """

    name: str
    licence: str
    index: Remote
    remotes: Sequence[Remote]
    dataset: Callable[[Path, Path], Any]
    check: Callable[[Any, Path], None] = lambda dataset, folder: None
