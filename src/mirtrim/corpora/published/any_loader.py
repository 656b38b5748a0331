"""A reader for the published files of any mirdata loader: fetch, check, split."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.published.fetched import fetch_missing, kinds_present
from mirtrim.corpora.published.official import split_rows
from mirtrim.corpora.published.versions import audio_seconds, find_index, initialise, load_tracks
from mirtrim.corpora.reader import Making, Reader, Settings, chosen, published_home
from mirtrim.corpora.splits import TrackRow
from mirtrim.corpora.validation import validate
from mirtrim.utils.errors import CorpusError


def reader(loader: str) -> Reader:
    """The reader of a loader's published files (mode audio)."""
    return Reader(prepare={"audio": partial(audio, loader)}, open=partial(open_corpus, loader))


def audio(loader: str, settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
    """Fetch (unless `folder` is set), validate and split the published recordings.

    Settings: folder, index, minimum_seconds, train_share, seed; version (of the loader) and
    parts (keys of its downloads) may be left out or null for what mirdata takes by default.
    """
    dataset = ready(loader, settings, folder, making)
    tracks = load_tracks(loader, dataset)
    durations = audio_seconds(loader, tracks)
    return chosen(split_rows(loader, tracks, durations, int(settings["seed"])), settings)


def ready(
    loader: str,
    settings: Settings,
    folder: Path,
    making: Making,
    kinds: Sequence[str] | None = None,
) -> Any:
    """Fetch (unless `folder` is set) and validate the published files; returns the dataset.

    Args:
        kinds: kinds of track file that must be there and right; None for all kinds, or with
            `parts` set, for those of which there is a file.
    """
    home = published_home(settings, folder)
    fetch_missing(loader, settings, folder, home, making)
    dataset = open_corpus(loader, settings, folder)
    if kinds is None and settings.get("parts") is not None:
        kinds = kinds_present(dataset, home)
    validate(dataset, home, kinds)
    return dataset


def open_corpus(loader: str, settings: Settings, folder: Path) -> Any:
    """The mirdata dataset over the published files; touches neither network nor audio."""
    home = published_home(settings, folder)
    bare = initialise(loader, settings)
    index = find_index(bare, settings, folder, home)
    if index is None:
        raise CorpusError(f"{home}: no index of {loader} found; set `index` of the corpus")
    return open_dataset(loader, home, index, settings.get("version"))
