"""Reader of the mdb_stem_synth loader: embedded, published audio."""

from functools import partial
from typing import Any

from mirtrim.corpora.embedded import embedded, open_corpus
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.published.official import source_of
from mirtrim.corpora.reader import Reader, Settings
from mirtrim.corpora.rendering.melodies.melodists import MELODISTS
from mirtrim.corpora.rendering.melodies.mini import MINI_STEMS
from mirtrim.corpora.splits import TrackRow

LOADER = "mdb_stem_synth"


def _table(dataset: Any, settings: Settings) -> list[TrackRow]:
    """Tunes and soloists are of one split each."""
    split_of = {melodist.name: melodist.split for melodist in MELODISTS}
    seconds = float(settings["piece_seconds"])
    return [
        TrackRow(track_id, split_of[track_id.split("_")[1]], source_of(LOADER, track), seconds)
        for track_id, track in sorted(dataset.load_tracks().items())
    ]


READER = Reader(
    prepare={"embedded": embedded(MINI_STEMS, _table), "audio": partial(published.audio, LOADER)},
    open=partial(open_corpus, LOADER),
)
