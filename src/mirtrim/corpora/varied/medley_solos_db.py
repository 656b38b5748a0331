"""Solos of eight instruments on several banks, in the layout of Medley-solos-DB."""

from mirtrim.corpora.rendering.varied.making import varied
from mirtrim.corpora.rendering.varied.solos.corpus import NAME, clip_jobs, form_of

PREPARE = varied(NAME, "medley_solos_db", 1.0, clip_jobs, form_of)
