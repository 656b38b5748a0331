"""Letting mirdata check and unpack what has been fetched."""

import logging
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from mirdata import core, download_utils

from mirtrim.corpora import layout
from mirtrim.corpora.fetching.publication import Publication, Remote
from mirtrim.utils.errors import CorpusError


def unpack(publication: Publication, staging: Path) -> Any:
    """Let mirdata check and unpack what has been fetched; returns its dataset."""
    index = publication.index
    wrong = [
        remote.filename
        for remote in (index, *publication.remotes)
        if remote.checksum is not None and _wrong(remote, staging)
    ]
    if wrong:
        # Keeping the files would make every later run fail.
        raise CorpusError(
            f"{staging.parent}: the checksum of {' and '.join(wrong)} is not the published one; "
            f"{'it was' if len(wrong) == 1 else 'they were'} removed, run again"
        )
    # An archive with the published checksum is the one that mirdata's authors have looked into.
    members = {
        remote.key: _members(remote.path(staging))
        for remote in publication.remotes
        if remote.is_archive and remote.checksum is None
    }
    dataset = publication.dataset(staging, index.path(staging))
    dataset._index_data = core.Index(index.filename, index.url, index.checksum)
    dataset._index_data.remote.destination_dir = None
    dataset.remotes = {
        remote.key: download_utils.RemoteFileMetadata(
            filename=remote.filename,
            url=remote.url,
            checksum=remote.checksum or layout.md5_of_file(remote.path(staging)),
            destination_dir=None if remote.folder == "." else remote.folder,
            unpack_directories=[
                folder
                for folder in remote.unpack_folders
                if remote.key not in members
                or any(name.startswith(f"{folder}/") for name in members[remote.key])
            ]
            or None,
        )
        for remote in publication.remotes
    }
    try:
        with _quiet():
            dataset.download(partial_download=list(dataset.remotes) or ["index"])
    except (OSError, zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            with layout.disk_errors(staging):
                raise
        raise CorpusError(
            f"{staging}: cannot be unpacked ({error}); delete the folder and run again"
        ) from error
    return publication.dataset(staging, index.path(staging))


def _wrong(remote: Remote, staging: Path) -> bool:
    path = remote.path(staging)
    if layout.md5_of_file(path) == remote.checksum:
        return False
    path.unlink()
    return True


def _members(archive: Path) -> list[str]:
    """Names in an archive; refuses one that is damaged or writes outside its folder."""
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as stream:
                names, targets = stream.namelist(), []
        else:
            with tarfile.open(archive) as tar:
                members = tar.getmembers()
            names = [member.name for member in members]
            targets = [member.linkname for member in members if member.issym() or member.islnk()]
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        archive.unlink()
        kind = "zip" if archive.suffix == ".zip" else "tar"
        raise CorpusError(
            f"{archive}: not a {kind} archive ({error}); it was removed, run again"
        ) from error
    for name in (*names, *targets):
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name).parts:
            raise CorpusError(f"{archive}: holds a file outside its folder ({name}); do not use it")
    return [name.removeprefix("./") for name in names]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence mirdata's log, which warns of the normal course of things."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(level)
