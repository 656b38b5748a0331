"""Download the missing files of a published corpus, once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.fetching.fetch import clear_staging, fetch_publication
from mirtrim.corpora.fetching.publication import Publication, Remote
from mirtrim.corpora.published.remotes import index_remote, wanted_remotes
from mirtrim.corpora.published.versions import find_index, initialise
from mirtrim.corpora.reader import Making, Settings
from mirtrim.corpora.validation import validate
from mirtrim.utils import files
from mirtrim.utils.errors import CorpusError

FETCHED_NAME = "fetched.json"


def fetch_missing(
    loader: str, settings: Settings, folder: Path, home: Path, making: Making
) -> None:
    """Download missing files: all wanted ones, or only the index for a user's folder."""
    bare = initialise(loader, settings)
    if settings["folder"] is not None:
        if find_index(bare, settings, folder, home) is not None:
            return
        remotes: list[Remote] = []
    else:
        remotes = wanted_remotes(loader, bare, settings)
        if not remotes:
            raise CorpusError(
                f"{loader}: mirdata downloads nothing of it{_by_hand(bare)}; "
                "set `folder` of the corpus to your copy"
            )
        if _complete(home, remotes):
            clear_staging(home)
            return
    publication = Publication(
        name=loader,
        licence=" ".join((bare._license_info or "not stated").split()),
        index=index_remote(loader, bare),
        remotes=remotes,
        dataset=lambda data_home, index: open_dataset(
            loader, data_home, index, settings.get("version")
        ),
        check=lambda dataset, data_home: (
            validate(dataset, data_home, kinds_present(dataset, data_home))
            if any(remote.checksum is None for remote in remotes)
            else None
        ),
    )
    target = home if settings["folder"] is None else folder
    fetch_publication(
        publication,
        target,
        making.tell,
        making.count,
        lambda moved: _record(target, remotes, moved),
    )


def _record(home: Path, remotes: Sequence[Remote], moved: Sequence[str]) -> None:
    if not remotes:
        return
    before = _fetched(home)
    files.write_json(
        home / FETCHED_NAME,
        {
            "parts": sorted({*before["parts"], *(remote.key for remote in remotes)}),
            "files": sorted({*before["files"], *moved}),
        },
    )


def _fetched(home: Path) -> dict[str, list[str]]:
    if not (home / FETCHED_NAME).exists():
        return {"parts": [], "files": []}
    known: dict[str, list[str]] = files.read_json(home / FETCHED_NAME)
    return known


def _complete(home: Path, remotes: Sequence[Remote]) -> bool:
    """Whether every part was downloaded and all its files still exist."""
    known = _fetched(home)
    return {r.key for r in remotes} <= set(known["parts"]) and all(
        (home / name).exists() for name in known["files"]
    )


def kinds_present(dataset: Any, home: Path) -> list[str]:
    """Kinds of track file of which at least one lies below `home`."""
    kinds: dict[str, bool] = {}
    for entry in dataset._index["tracks"].values():
        for kind, (name, _) in entry.items():
            if name is not None and not kinds.get(kind, False):
                kinds[kind] = (home / name).exists()
    return [kind for kind, present in kinds.items() if present]


def _by_hand(bare: Any) -> str:
    """What the loader says about getting the files, as part of a sentence."""
    text = " ".join((bare._download_info or "").split())
    return f" ({text[:200]}{'…' if len(text) > 200 else ''})" if text else ""
