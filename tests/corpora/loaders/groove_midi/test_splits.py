"""The official split of groove_midi, generated and real."""

from dataclasses import replace
from pathlib import Path

import pytest

from mirtrim.corpora.loaders.groove_midi import open_groove, split_table
from mirtrim.corpora.splits import assert_disjoint
from mirtrim.utils.errors import CorpusError


def test_generated_corpus(made_corpus: Path):
    rows = split_table(open_groove(made_corpus))
    assert [row.track_id for row in rows] == sorted(row.track_id for row in rows)
    assert {s: sum(r.split == s for r in rows) for s in ("train", "validation", "test")} == {
        "train": 3,
        "validation": 2,
        "test": 2,
    }
    assert all(row.duration_seconds == 4.0 for row in rows)
    assert_disjoint(rows)


def test_a_shared_source_in_the_generated_corpus_is_found(made_corpus: Path):
    rows = split_table(open_groove(made_corpus))
    rows = [replace(row, source=row.track_id.split("/")[0]) for row in rows]
    with pytest.raises(CorpusError, match="source drummer1 is both in"):
        assert_disjoint(rows)


def test_an_unknown_split_name_is_refused(corpus: Path):
    info = corpus / "info.csv"
    info.write_text(info.read_text().replace(",test\n", ",eval\n"))
    with pytest.raises(CorpusError, match=r"track drummer1/eval_session/1 has split 'eval'"):
        split_table(open_groove(corpus))


def test_a_track_without_a_row_is_refused(corpus: Path):
    info = corpus / "info.csv"
    lines = info.read_text().splitlines(keepends=True)
    info.write_text("".join(line for line in lines if "session1/2" not in line))
    with pytest.raises(CorpusError, match="track drummer2/session1/2 of the index has no row"):
        split_table(open_groove(corpus))


def test_official_split_of_the_real_corpus(real_data: Path):
    index = real_data / "indexes" / "groove_midi_index_1.0.0.json"
    rows = split_table(open_groove(real_data / "groove_midi", index))
    assert len(rows) == 1150
    counts = {s: sum(r.split == s for r in rows) for s in ("train", "validation", "test")}
    assert counts == {"train": 897, "validation": 124, "test": 129}
    assert sum(row.duration_seconds for row in rows) / 3600 == pytest.approx(13.58, abs=0.01)
    assert_disjoint(rows)
