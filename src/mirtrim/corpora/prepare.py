"""From a block of the configuration to a corpus on disk: fetched or rendered, validated, split.

A prepared corpus is a folder in the layout of its mirdata loader, with two files added:
`splits.csv` (one row per track that is used) and `corpus.json` (written last).
"""

from pathlib import Path
from typing import Any

import mirdata

from mirtrim.corpora.loaders import READERS
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.reader import Making, Reader, Settings, state_of_folder
from mirtrim.corpora.splits import SPLITS, TrackRow, assert_disjoint, read_table, write_table
from mirtrim.utils import files
from mirtrim.utils.errors import ConfigError


def reader_of(settings: Settings) -> Reader:
    """The reader of a corpus; an unknown loader or mode is a `ConfigError`."""
    loader, mode = settings["loader"], settings["mode"]
    if loader not in mirdata.list_datasets():
        known = ", ".join(mirdata.list_datasets())
        raise ConfigError(f"unknown loader {loader!r}; known: {known}")
    reader = READERS.get(loader) or published.reader(loader)
    if mode not in reader.prepare:
        known = ", ".join(sorted(reader.prepare))
        raise ConfigError(f"loader {loader} has no mode {mode!r}; known: {known}")
    return reader


def prepare(settings: Settings, folder: Path, making: Making) -> None:
    """Make `folder` a complete corpus.

    Args:
        settings: the corpus' block of the configuration.

    Raises:
        ConfigError: an unknown loader or mode.
        CorpusError: something is missing, damaged or in two splits.
    """
    reader = reader_of(settings)
    folder.mkdir(parents=True, exist_ok=True)
    rows = reader.prepare[settings["mode"]](settings, folder, making)
    assert_disjoint(rows)
    write_table(folder / "splits.csv", rows)
    seconds = {
        split: round(sum(row.duration_seconds for row in rows if row.split == split), 1)
        for split in SPLITS
    }
    manifest: dict[str, Any] = {"tracks": len(rows), "seconds": seconds}
    state = state_of_folder(settings)
    if state is not None:  # features are made anew if a user's files have changed
        manifest["folder_state"] = state
    files.write_json(folder / "corpus.json", manifest)


def open_prepared(settings: Settings, folder: Path) -> tuple[Any, list[TrackRow]]:
    """The mirdata dataset of a prepared corpus, and the tracks to use."""
    return reader_of(settings).open(settings, folder), read_table(folder / "splits.csv")
