"""Missing and damaged files are found and named."""

from pathlib import Path

import pytest

from mirtrim.corpora.loaders.groove_midi import open_groove
from mirtrim.corpora.validation import validate
from mirtrim.utils.errors import CorpusError


def test_a_whole_corpus_passes(made_corpus: Path):
    validate(open_groove(made_corpus), made_corpus)


def test_missing_and_damaged_files_are_counted_and_named(corpus: Path):
    audio = sorted(corpus.rglob("*.flac"))
    for path in audio[:3]:
        path.unlink()
    midi = sorted(corpus.rglob("*.mid"))[0]
    midi.write_bytes(midi.read_bytes()[:-7])
    with pytest.raises(CorpusError) as caught:
        validate(open_groove(corpus), corpus)
    message = str(caught.value)
    assert "3 files missing" in message
    assert "1 files damaged" in message
    assert str(midi.relative_to(corpus)) in message
    assert message.count(".flac") == 2
    assert message.endswith("fetch or render them again")
    assert "\n" not in message


def test_audio_cut_in_half_is_damaged(corpus: Path):
    path = sorted(corpus.rglob("*.flac"))[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorpusError, match=rf"1 files damaged \({path.relative_to(corpus)}\)"):
        validate(open_groove(corpus), corpus)


def test_only_the_wanted_kind_is_checked(corpus: Path):
    for path in corpus.rglob("*.flac"):
        path.unlink()
    validate(open_groove(corpus), corpus, ["midi"])
    with pytest.raises(CorpusError, match="7 files missing"):
        validate(open_groove(corpus), corpus, ["midi", "audio"])
    with pytest.raises(CorpusError, match="no file of kind 'video'; use audio, midi"):
        validate(open_groove(corpus), corpus, ["video"])


def test_another_info_table_is_refused_or_told(corpus: Path):
    info = corpus / "info.csv"
    info.write_text(info.read_text().replace("\n", "\r\n"))
    with pytest.raises(CorpusError, match=r"1 files damaged \(info.csv\)"):
        validate(open_groove(corpus), corpus)
    told: list[str] = []
    validate(open_groove(corpus), corpus, warn=told.append)
    assert len(told) == 1
    assert "not the published file" in told[0]
    info.write_text("".join(info.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(CorpusError, match="5 tracks of the index have no row"):
        validate(open_groove(corpus), corpus, warn=told.append)


def test_real_midi_folder(real_data: Path):
    home = real_data / "groove_midi"
    dataset = open_groove(home, real_data / "indexes" / "groove_midi_index_1.0.0.json")
    told: list[str] = []
    validate(dataset, home, ["midi"], told.append)
    assert len(told) == 1
    with pytest.raises(CorpusError, match="1090 files missing") as caught:
        validate(dataset, home)
    assert len(str(caught.value)) < 400
