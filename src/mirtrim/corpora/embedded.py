"""What readers of embedded corpora share: render, open, validate, split."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mirtrim.corpora import layout
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.reader import Making, Preparation, Settings
from mirtrim.corpora.rendering.generation import Embedded
from mirtrim.corpora.splits import TrackRow
from mirtrim.corpora.validation import validate


def embedded(
    corpus: Embedded[Any],
    table: Callable[[Any, Settings], list[TrackRow]],
    kinds: Sequence[str] | None = None,
) -> Preparation:
    """How the reader of `corpus` prepares its mode `embedded`.

    Args:
        table: (dataset, settings) → the tracks and their splits.
        kinds: kinds of track file that are rendered; None for all that the loader knows.
    """

    def prepare(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
        corpus.generate(
            folder,
            settings["pieces"],
            float(settings["piece_seconds"]),
            int(settings["seed"]),
            workers=making.workers,
            progress=making.count,
        )
        dataset = open_dataset(corpus.loader, folder, folder / layout.INDEX_NAME)
        validate(dataset, folder, kinds, warn=making.tell)
        return table(dataset, settings)

    return prepare


def open_corpus(loader: str, settings: Settings, folder: Path) -> Any:
    """The dataset of a prepared corpus, whether its files are rendered or published."""
    if settings["mode"] == "audio":
        return published.open_corpus(loader, settings, folder)
    return open_dataset(loader, folder, folder / layout.INDEX_NAME)
