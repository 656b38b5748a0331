"""Which index of the Groove MIDI Dataset is that of a folder. Needs mirdata, which loads slowly."""

from pathlib import Path

from mirdata.datasets import groove_midi

from mirtrim.corpora import layout

OFFICIAL_INDEX_NAME = groove_midi.INDEXES["1.0.0"].filename
OFFICIAL_INDEX_PATH = Path(groove_midi.INDEXES["1.0.0"].get_path())


def find_index(data_home: Path) -> Path:
    """The first that exists of: a rendering's index, the official one here, mirdata's own."""
    places = (data_home / layout.INDEX_NAME, data_home / OFFICIAL_INDEX_NAME, OFFICIAL_INDEX_PATH)
    return next((place for place in places if place.exists()), places[0])
