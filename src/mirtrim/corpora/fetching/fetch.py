"""Fetching a published corpus through mirdata's downloader, resumably.

mirdata names the files, checks their MD5 and unpacks them. The bytes are downloaded here first,
because mirdata's own download restarts after every interruption and some archives have gigabytes;
and the index goes into the corpus' folder, because mirdata's place for it, beside its own code, may
be read-only and is shared by all projects.
"""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mirtrim.corpora import layout
from mirtrim.corpora.fetching.publication import Publication, Remote
from mirtrim.corpora.fetching.transfer import fetch, size_of
from mirtrim.corpora.fetching.unpacking import unpack
from mirtrim.corpora.progress import Progress, Tell
from mirtrim.utils.errors import CorpusError

STAGING_NAME = ".download"


def fetch_publication(
    publication: Publication,
    data_home: Path,
    tell: Tell | None = None,
    progress: Progress | None = None,
    record: Callable[[list[str]], None] = lambda moved: None,
) -> None:
    """Bring the files into `data_home`, the index last; an interrupted run goes on.

    Args:
        tell: receives what is about to be fetched, its size and its licence, before any of it.
        progress: called with (bytes fetched, bytes in all) of the current file.
        record: called with the paths of the new files below `data_home`, without the index,
            when all are in their place and nothing that was fetched has been deleted yet.

    Raises:
        CorpusError: no connection, a dead link, too little disk space, wrong checksums.
    """
    staging = data_home / STAGING_NAME
    with layout.disk_errors(data_home):
        staging.mkdir(parents=True, exist_ok=True)
    remotes = [_sized(remote, staging) for remote in publication.remotes]
    _announce(publication, remotes, data_home, tell or (lambda _: None))
    _check_space(data_home, remotes)
    fetch(publication.index.url, publication.index.path(staging), None)
    for remote in remotes:
        fetch(remote.url, remote.path(staging), progress)
    dataset = unpack(replace(publication, remotes=remotes), staging)
    try:
        publication.check(dataset, staging)
    except CorpusError:
        # Only archives without a checksum can hold wrong files; kept, they would do so again.
        for remote in remotes:
            if remote.checksum is None:
                remote.path(staging).unlink(missing_ok=True)
        raise
    record(_move(publication, staging, data_home))
    clear_staging(data_home)


def clear_staging(data_home: Path) -> None:
    """Delete what a finished fetch needs no more; a killed one may have left it."""
    staging = data_home / STAGING_NAME
    with layout.disk_errors(staging):
        if staging.exists():
            shutil.rmtree(staging)


def _sized(remote: Remote, staging: Path) -> Remote:
    path = remote.path(staging)
    if remote.megabytes is not None:
        return remote
    size = path.stat().st_size if path.exists() else size_of(remote.url)
    return remote if size is None else replace(remote, megabytes=size / 1e6)


def _announce(
    publication: Publication, remotes: Sequence[Remote], data_home: Path, tell: Tell
) -> None:
    tell(
        f"fetching the index of {publication.name} (below a megabyte as a rule) "
        f"from {publication.index.url}"
    )
    for remote in remotes:
        size = "unknown size" if remote.megabytes is None else f"{remote.megabytes:.3g} MB"
        tell(
            f"fetching {publication.name}, {remote.key}: {size} from {remote.url} "
            f"to {data_home}; licence: {publication.licence}"
        )


def _check_space(data_home: Path, remotes: Sequence[Remote]) -> None:
    # An archive and its content lie side by side until everything has been unpacked.
    needed = sum((2.1 if r.is_archive else 1) * (r.megabytes or 0) * 1e6 for r in remotes)
    free = shutil.disk_usage(data_home).free
    if free < needed:
        raise CorpusError(
            f"{data_home}: {needed / 1e9:.1f} GB needed to fetch and unpack "
            f"{' and '.join(r.filename for r in remotes)}, {free / 1e9:.1f} GB free; "
            "free some space or choose another folder"
        )


def _move(publication: Publication, staging: Path, data_home: Path) -> list[str]:
    """Move everything but the archives to its place, the index last."""
    index = publication.index.path(staging)
    left = {index, *(remote.path(staging) for remote in publication.remotes if remote.is_archive)}
    moved = []
    with layout.disk_errors(data_home):
        for path in sorted(staging.rglob("*")):
            if path.is_file() and path not in left and not path.name.endswith(".partial"):
                target = data_home / path.relative_to(staging)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
                moved.append(str(target.relative_to(data_home)))
        os.replace(index, data_home / publication.index.filename)
    return moved
