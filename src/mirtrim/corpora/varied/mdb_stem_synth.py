"""Melodies in many voices, in the layout of MDB-stem-synth."""

from mirtrim.corpora.rendering.varied.making import varied
from mirtrim.corpora.rendering.varied.melodies.corpus import FORM, NAME, melody_jobs

PREPARE = varied(NAME, "mdb_stem_synth", 2.0, melody_jobs, lambda jobs: FORM)
