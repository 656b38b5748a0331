"""The interface of every corpus, for any loader and any source of files."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.files import sha256_of_value
from mirtrim.utils.seeds import numpy_generator

Settings = Mapping[str, Any]
SHOWN = 4  # sources in a message


@dataclass(frozen=True)
class Making:
    """How a corpus is made: number of rendering processes, and callbacks.

    Attributes:
        count: called with (pieces done, pieces in all).
        tell: called with sentences for the user, for instance before a large download.
    """

    workers: int = 1
    count: Callable[[int, int], None] = lambda done, total: None
    tell: Callable[[str], None] = lambda text: None


Preparation = Callable[[Settings, Path, Making], list[TrackRow]]


@dataclass(frozen=True)
class Reader:
    """Everything about the corpora of one mirdata loader.

    Attributes:
        prepare: per mode, a function (settings, folder, making) that makes `folder` complete,
            validates it, and returns the tracks to use; it reuses what is finished.
        open: (settings, folder) → mirdata dataset over what `prepare` made; reads no audio.
    """

    prepare: Mapping[str, Preparation]
    open: Callable[[Settings, Path], Any]


def published_home(settings: Settings, folder: Path) -> Path:
    """The user's own folder with the published files, or `folder` if they are downloaded."""
    if settings["folder"] is None:
        return folder
    home = Path(settings["folder"]).resolve()
    if not home.is_dir():
        raise CorpusError(f"{home}: no such folder; correct `folder` of the corpus, or set null")
    return home


def published_index(settings: Settings) -> Path | None:
    """The user's own copy of the official index file, or None."""
    if settings["index"] is None:
        return None
    index = Path(settings["index"]).resolve()
    if not index.is_file():
        raise CorpusError(f"{index}: no such file; correct `index` of the corpus, or set null")
    return index


def chosen(rows: Sequence[TrackRow], settings: Settings) -> list[TrackRow]:
    """Rows that are long enough; of the training ones the wanted share, drawn with the seed."""
    result = []
    for split in SPLITS:
        of_split = [
            row
            for row in rows
            if row.split == split and row.duration_seconds >= settings["minimum_seconds"]
        ]
        if not of_split:
            if not any(row.split == split for row in rows):
                raise CorpusError(_why_empty(split, rows))
            raise CorpusError(
                f"no {split} track lasts {settings['minimum_seconds']} s; lower `minimum_seconds`"
            )
        if split == "train":
            wanted = max(1, round(len(of_split) * float(settings["train_share"])))
            rng = numpy_generator(int(settings["seed"]), "share")
            drawn = sorted(rng.permutation(len(of_split))[:wanted].tolist())
            of_split = [of_split[index] for index in drawn]
        result += of_split
    return result


def _why_empty(split: str, rows: Sequence[TrackRow]) -> str:
    names = sorted({row.source for row in rows})
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "") or "none"
    return (
        f"{len(rows)} tracks of {len(names)} sources ({shown}) leave the split {split} empty; "
        "three sources of one class at least are needed, as none may be in two splits, or a subset "
        "of that name from the publisher: add tracks to the corpus"
    )


SETTINGS_OF_MODE: Mapping[str, tuple[str, ...]] = {
    "embedded": ("pieces", "piece_seconds", "seed"),
    "performances": ("minimum_seconds", "train_share", "seed"),
    "audio": ("minimum_seconds", "train_share", "version", "parts", "seed"),
    "varied": ("pieces", "piece_seconds", "seed", "banks", "one_shots", "copies"),
}
# Files and folders of sounds. Their location does not matter; their content is part of the plan #
# of the corpus, which is rendered again when that changes.
SOUNDS = ("banks", "one_shots")


def without_folders(settings: Settings) -> dict[str, Any]:
    """Settings with the names alone of the files and folders of sounds."""
    return {
        key: [Path(str(name)).name for name in value] if key in SOUNDS else value
        for key, value in settings.items()
    }


def state_of_folder(settings: Settings) -> str | None:
    """A digest of names, sizes and times of all files in `folder` and of `index`.

    None if neither is set: downloaded or rendered files are not changed by others. Reading the
    files themselves would take minutes at every start of the workflow.
    """
    return _state([settings.get(key) for key in ("folder", "index")])


def state_of_sounds(settings: Settings) -> str | None:
    """The same of the sound banks and folders of sounds that a `varied` corpus is played with.

    It is no part of a row: banks of equal content, installed at another time, make equal sounds.
    """
    return _state([name for key in SOUNDS for name in settings.get(key) or ()])


def _state(names: Iterable[str | None]) -> str | None:
    paths = [Path(os.path.expanduser(name)) for name in names if name]
    if not paths:
        return None
    return sha256_of_value(sorted(entry for path in paths for entry in _entries(path)))


def _entries(path: Path) -> Iterator[list[str | int]]:
    found = [path]
    if path.is_dir():
        found = [Path(root, name) for root, _, names in os.walk(path) for name in names]
    for file in found:
        try:
            about = file.stat()
        except OSError:  # it will be named when it is read
            continue
        name = str(file.relative_to(path)) if file != path else file.name
        yield [name, about.st_size, about.st_mtime_ns]
