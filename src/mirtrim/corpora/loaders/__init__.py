"""Readers of the loaders of mirdata that need more than the published files; one file each.

A new one is a file of this folder with `LOADER` and `READER`, and its name here.
"""

from collections.abc import Mapping

from mirtrim.corpora.loaders import groove_midi, guitarset, mdb_stem_synth, medley_solos_db
from mirtrim.corpora.reader import Reader

READERS: Mapping[str, Reader] = {
    module.LOADER: module.READER
    for module in (groove_midi, guitarset, mdb_stem_synth, medley_solos_db)
}
