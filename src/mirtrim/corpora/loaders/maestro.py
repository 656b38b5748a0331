"""Reader of the maestro loader: published audio, pieces rendered for any instruments."""

from functools import partial

from mirtrim.corpora.embedded import open_corpus
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.reader import Reader

LOADER = "maestro"

READER = Reader(
    prepare={"audio": partial(published.audio, LOADER)}, open=partial(open_corpus, LOADER)
)
