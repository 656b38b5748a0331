"""Which published files of a loader are wanted, in mirdata's words."""

from collections.abc import Mapping, Sequence
from typing import Any

from mirtrim.corpora.fetching.publication import Remote
from mirtrim.corpora.reader import Settings
from mirtrim.utils.errors import ConfigError, CorpusError

# GitHub packs these anew from time to time, so that their MD5 drifts while their content
# stays; the MD5 of every file inside is compared instead.
REPACKED = ("https://github.com/", "/archive/")


def wanted_remotes(loader: str, bare: Any, settings: Settings) -> list[Remote]:
    """The files that `parts` names, or those that mirdata fetches by default."""
    published: Mapping[str, Any] = bare.remotes or {}
    parts: Sequence[str] = (
        settings.get("parts") or bare._index_data.partial_download or list(published)
    )
    unknown = [part for part in parts if part not in published]
    if unknown:
        raise ConfigError(
            f"loader {loader} has no part {unknown[0]!r}; known: {', '.join(sorted(published))}"
        )
    return [remote_of(part, published[part]) for part in parts if part != "index"]


def remote_of(key: str, published: Any) -> Remote:
    """A file that mirdata publishes under `key`."""
    repacked = published.url.startswith(REPACKED[0]) and REPACKED[1] in published.url
    return Remote(
        key=key,
        url=published.url,
        filename=published.filename,
        checksum=None if repacked else published.checksum,
        folder=published.destination_dir or ".",
        unpack_folders=tuple(published.unpack_directories or ()),
    )


def index_remote(loader: str, bare: Any) -> Remote:
    """mirdata's index of checksums."""
    index = bare._index_data
    if index.remote is None:
        raise CorpusError(f"{loader}: mirdata has no index of it to fetch; set `index`")
    return Remote("index", index.remote.url, index.filename, index.remote.checksum)
