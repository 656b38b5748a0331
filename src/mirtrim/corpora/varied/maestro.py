"""Pieces for any instruments, in the layout of MAESTRO."""

from mirtrim.corpora.rendering.varied.ensembles.corpus import NAME, ensemble_jobs, form_of
from mirtrim.corpora.rendering.varied.making import varied

PREPARE = varied(NAME, "maestro", 3.0, ensemble_jobs, form_of)
