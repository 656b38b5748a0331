"""Corpora of mode `varied`: rendered with any number of sound banks, recorded in many ways.

One file per loader in whose layout they are written, with `PREPARE`; a new one has its name here.
"""

from collections.abc import Mapping

from mirtrim.corpora.reader import Preparation
from mirtrim.corpora.varied import (
    groove_midi,
    guitarset,
    maestro,
    mdb_stem_synth,
    medley_solos_db,
)

VARIED: Mapping[str, Preparation] = {
    "groove_midi": groove_midi.PREPARE,
    "guitarset": guitarset.PREPARE,
    "maestro": maestro.PREPARE,
    "mdb_stem_synth": mdb_stem_synth.PREPARE,
    "medley_solos_db": medley_solos_db.PREPARE,
}
