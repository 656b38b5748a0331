"""Readers are found by the name of their loader."""

import mirdata
import pytest

from mirtrim.corpora.loaders import READERS
from mirtrim.corpora.prepare import reader_of

OWN = sorted(READERS)


def test_there_are_readers_for_loaders_of_mirdata_only() -> None:
    assert OWN
    assert set(OWN) <= set(mirdata.list_datasets())


@pytest.mark.parametrize("loader", OWN)
def test_a_loader_of_the_table_has_its_own_reader(loader: str) -> None:
    reader = reader_of({"loader": loader, "mode": "audio"})
    # What mirdata's files alone do not give: something is rendered in its layout.
    assert {"embedded", "varied"} & set(reader.prepare)


def test_any_other_loader_is_read_as_published() -> None:
    reader = reader_of({"loader": "tinysol", "mode": "audio"})
    assert list(reader.prepare) == ["audio"]
