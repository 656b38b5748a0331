"""Songs in many arrangements, in the layout of GuitarSet."""

from mirtrim.corpora.rendering.varied.making import varied
from mirtrim.corpora.rendering.varied.songs.corpus import NAME, form_of, song_jobs

PREPARE = varied(NAME, "guitarset", 4.0, song_jobs, form_of)
