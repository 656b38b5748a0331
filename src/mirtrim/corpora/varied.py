"""Corpora of mode `varied`: rendered with any number of sound banks, recorded in many ways.

One for each loader in whose layout they are written, and called like it.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from mirtrim.corpora.annotations.groove_info import INFO_NAME, read_info
from mirtrim.corpora.reader import Making, Preparation, Settings
from mirtrim.corpora.rendering.varied.drums import corpus as drums
from mirtrim.corpora.rendering.varied.ensembles import corpus as ensembles
from mirtrim.corpora.rendering.varied.making import varied
from mirtrim.corpora.rendering.varied.melodies import corpus as melodies
from mirtrim.corpora.rendering.varied.solos import corpus as solos
from mirtrim.corpora.rendering.varied.songs import corpus as songs
from mirtrim.corpora.splits import TrackRow

# Songs in many arrangements, pieces for any instruments, melodies in many voices, solos of eight
# instruments on several banks.
guitarset = varied(songs.NAME, "guitarset", 4.0, songs.song_jobs, songs.form_of)
maestro = varied(ensembles.NAME, "maestro", 3.0, ensembles.ensemble_jobs, ensembles.form_of)
mdb_stem_synth = varied(
    melodies.NAME, "mdb_stem_synth", 2.0, melodies.melody_jobs, lambda jobs: melodies.FORM
)
medley_solos_db = varied(solos.NAME, "medley_solos_db", 1.0, solos.clip_jobs, solos.form_of)


def groove_midi(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
    """Published and invented drumming on all kits.

    The published MIDI files are fetched unless `folder` of the corpus is set.
    """
    # Not at the top: the readers of loaders ask this module what it has.
    from mirtrim.corpora.loaders.groove_midi import PUBLISHED, ready

    _, home = ready(settings, folder / PUBLISHED, making, "midi")
    info = read_info(home / INFO_NAME)
    drummings = [drums.Drumming(row, home / row.midi_filename) for row in info.values()]
    jobs = partial(drums.drum_jobs, drummings)
    return varied(drums.NAME, "groove_midi", 3.0, jobs, drums.form_of)(settings, folder, making)


VARIED: Mapping[str, Preparation] = {
    "groove_midi": groove_midi,
    "guitarset": guitarset,
    "maestro": maestro,
    "mdb_stem_synth": mdb_stem_synth,
    "medley_solos_db": medley_solos_db,
}
