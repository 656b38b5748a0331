"""Tables of splits, and leaks between splits."""

from pathlib import Path

import pytest

from mirtrim.corpora.splits import (
    TrackRow,
    assert_disjoint,
    read_table,
    write_table,
)
from mirtrim.utils.errors import CorpusError

ROWS = [
    TrackRow("a/1", "train", "a", 10.5),
    TrackRow("a/2", "train", "a", 2.0),
    TrackRow("b/1", "test", "b", 0.125),
]


def test_table_survives_writing_and_reading(tmp_path: Path):
    write_table(tmp_path / "t.csv", ROWS)
    assert read_table(tmp_path / "t.csv") == ROWS


def test_disjoint_sources_pass():
    assert_disjoint(ROWS)


def test_a_planted_leak_is_named():
    with pytest.raises(CorpusError, match="source a is both in train and in validation"):
        assert_disjoint([*ROWS, TrackRow("a/3", "validation", "a", 1.0)])


def test_one_track_in_two_splits_is_named():
    with pytest.raises(CorpusError, match="track b/1 is both in test and in train"):
        assert_disjoint([*ROWS, TrackRow("b/1", "train", "c", 1.0)])


@pytest.mark.parametrize("text", ["", "track_id,split\nx,train\n", "\x00\xff"])
def test_a_damaged_table_is_named(tmp_path: Path, text: str):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    if text == "":
        assert read_table(path) == []
        return
    with pytest.raises(CorpusError, match="t.csv: no valid table"):
        read_table(path)
