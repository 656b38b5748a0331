"""Readers of the loaders of mirdata that need more than the published files; one file each.

A new one is a file of this folder with `LOADER` and `READER`, and its name here.
"""

from collections.abc import Mapping
from dataclasses import replace

from mirtrim.corpora.loaders import groove_midi, guitarset, maestro, mdb_stem_synth, medley_solos_db
from mirtrim.corpora.reader import Reader
from mirtrim.corpora.varied import VARIED


def _with_varied(loader: str, reader: Reader) -> Reader:
    """A reader with the mode `varied` beside its own, if there is one."""
    if loader not in VARIED:
        return reader
    return replace(reader, prepare={**reader.prepare, "varied": VARIED[loader]})


# Here and not in the files of readers: what is rendered in other modes does not depend on it.
READERS: Mapping[str, Reader] = {
    module.LOADER: _with_varied(module.LOADER, module.READER)
    for module in (groove_midi, guitarset, maestro, mdb_stem_synth, medley_solos_db)
}
