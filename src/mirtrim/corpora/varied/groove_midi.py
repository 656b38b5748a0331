"""Published and invented drumming on all kits, in the layout of the Groove MIDI Dataset."""

from functools import partial
from pathlib import Path

from mirtrim.corpora.annotations.groove_info import INFO_NAME, read_info
from mirtrim.corpora.reader import Making, Settings, published_home, published_index
from mirtrim.corpora.rendering.varied.drums.corpus import NAME, Drumming, drum_jobs, form_of
from mirtrim.corpora.rendering.varied.making import varied
from mirtrim.corpora.splits import TrackRow
from mirtrim.corpora.validation import validate


def PREPARE(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:  # noqa: N802
    """Fetch the published MIDI files (unless `folder` of the corpus is set), play and record."""
    # Not at the top: the readers of loaders ask this package what it has.
    from mirtrim.corpora.loaders.groove_midi import PUBLISHED, download_groove, open_groove

    home, index = published_home(settings, folder / PUBLISHED), published_index(settings)
    if settings["folder"] is None:
        download_groove(home, "midi", tell=making.tell, progress=making.count)
    validate(open_groove(home, index), home, ["midi"], warn=making.tell)
    info = read_info(home / INFO_NAME)
    drummings = [Drumming(row, home / row.midi_filename) for row in info.values()]
    prepare = varied(NAME, "groove_midi", 3.0, partial(drum_jobs, drummings), form_of)
    return prepare(settings, folder, making)
