"""Reader of the maestro loader: published audio, pieces rendered for any instruments."""

from functools import partial
from typing import Any

import numpy as np

from mirtrim.corpora.annotations.drums import read_midi
from mirtrim.corpora.annotations.onsets import ONSETS_OF
from mirtrim.corpora.embedded import open_corpus
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.reader import Reader

LOADER = "maestro"

READER = Reader(
    prepare={"audio": partial(published.audio, LOADER)},
    open=partial(open_corpus, LOADER),
)


def _notes(track: Any) -> np.ndarray:
    instruments = read_midi(track.midi_path).instruments
    return np.array([note.start for instrument in instruments for note in instrument.notes])


# In front of the entry for drums, whose tracks have MIDI files too. Not in the table itself: what
# stands there decides whether rows of all other corpora of onsets are stale.
_others = dict(ONSETS_OF)
ONSETS_OF.clear()
ONSETS_OF["canonical_composer"] = _notes
ONSETS_OF.update(_others)
