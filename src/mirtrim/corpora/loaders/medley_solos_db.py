"""Reader of the medley_solos_db loader: embedded, published audio."""

from functools import partial
from typing import Any

from mirtrim.corpora.embedded import embedded, open_corpus
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.published.official import split_rows
from mirtrim.corpora.reader import Reader, Settings
from mirtrim.corpora.rendering.solos.mini import MINI_SOLOS
from mirtrim.corpora.splits import TrackRow

LOADER = "medley_solos_db"


def _table(dataset: Any, settings: Settings) -> list[TrackRow]:
    tracks = dataset.load_tracks()
    durations = dict.fromkeys(tracks, float(settings["piece_seconds"]))
    return split_rows(LOADER, tracks, durations, int(settings["seed"]))


READER = Reader(
    prepare={"embedded": embedded(MINI_SOLOS, _table), "audio": partial(published.audio, LOADER)},
    open=partial(open_corpus, LOADER),
)
