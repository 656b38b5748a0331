"""Banks by path: what they can play, layers, single sounds, and what is wrong with bad ones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirtrim.corpora.rendering import soundbank
from mirtrim.corpora.rendering.soundbank import Note, Part
from mirtrim.corpora.rendering.varied.banks import banks_of, one_shot, one_shots_of
from mirtrim.corpora.rendering.varied.synth import Layer, layered, render
from mirtrim.utils.errors import CorpusError
from tests.corpora.rendering.varied.soundfonts import OWN, with_programs_exchanged

NOTES = [Note(0.1, 0.6, 60, 100), Note(0.7, 1.2, 67, 90)]


def test_the_bank_that_comes_with_pretty_midi_plays_as_it_always_did() -> None:
    (bank,) = banks_of(["pretty_midi"])
    parts = [Part(0, 40, NOTES), Part(9, 0, NOTES)]
    assert bank.path == OWN
    assert render(parts, 1.5, bank).tobytes() == soundbank.render(parts, 1.5).tobytes()


def test_presets_are_read_from_the_file() -> None:
    (bank,) = banks_of(["pretty_midi"])
    assert bank.programs == tuple(range(128))
    assert bank.kits[0] == 0
    assert len(bank.kits) == 8


def test_two_banks_are_two_sounds_with_two_digests(tmp_path: Path) -> None:
    other = with_programs_exchanged(tmp_path / "other.sf2", 40, 73)
    one, two = banks_of(["pretty_midi", str(other)])
    assert one.digest != two.digest
    assert two.name == "other"
    violin = render([Part(0, 40, NOTES)], 1.5, one)
    assert violin.tobytes() == render([Part(0, 73, NOTES)], 1.5, two).tobytes()
    assert not np.array_equal(violin, render([Part(0, 40, NOTES)], 1.5, two))


def test_a_layer_has_its_level_and_its_tuning() -> None:
    (bank,) = banks_of(["pretty_midi"])
    parts = [Part(0, 80, NOTES)]  # a square wave
    alone = layered(parts, 1.5, [Layer(bank)])
    assert alone.tobytes() == render(parts, 1.5, bank).tobytes()
    both = layered(parts, 1.5, [Layer(bank), Layer(bank, level_db=-20.0)])
    np.testing.assert_allclose(both, 1.1 * alone, atol=1e-5)
    beating = layered(parts, 1.5, [Layer(bank), Layer(bank, detune_cents=30.0)])
    assert not np.allclose(beating, 2 * alone, atol=1e-2)


def test_a_layer_that_lacks_the_notes_is_left_out() -> None:
    (bank,) = banks_of(["pretty_midi"])
    high = [Part(9, 0, [Note(0.1, 0.5, 3, 100), Note(0.5, 0.6, 38, 100)])]
    whole = layered(high, 1.0, [Layer(bank)])
    silent = [Part(9, 0, [Note(0.1, 0.5, 3, 100)])]
    assert not layered(silent, 1.0, [Layer(bank), Layer(bank)]).any()
    assert whole.any()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such sound bank"),
        (b"RIFFxxxxWAVE", "is no SoundFont"),
        (b"", "is no SoundFont"),
        (OWN.read_bytes()[:4000], "is cut off"),
        (b"RIFF\0\0\0\0sfbkLIST\0\0\0\0INFOifil\4\0\0\0\3\0\0\0", "is a compressed SoundFont"),
    ],
)
def test_a_bad_bank_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "bad.sf2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CorpusError, match=f"bad.sf2: {words}"):
        banks_of([str(path)])


def write_shot(path: Path, onset: int, rate: int = 48_000) -> None:
    path.parent.mkdir(exist_ok=True)
    samples = np.zeros((onset + 4800, 2))
    samples[onset:, 0] = np.linspace(0.8, 0, 4800)
    soundfile.write(path, samples, rate)


def test_one_shots_are_found_in_folders_and_begin_with_their_onset(tmp_path: Path) -> None:
    write_shot(tmp_path / "b" / "kick.wav", 1000)
    write_shot(tmp_path / "a.flac", 0, rate=24_000)
    (tmp_path / "readme.txt").write_text("no sound")
    (shots,) = one_shots_of([str(tmp_path)])
    assert [path.name for path in shots.files] == ["a.flac", "kick.wav"]
    kick = one_shot(shots.files[1])
    assert len(kick) == 4800
    assert kick[0] == pytest.approx(0.4, abs=1e-3)  # the mean of a full and an empty channel
    assert len(one_shot(shots.files[0])) == 9600
    before = shots.digest
    write_shot(tmp_path / "a.flac", 10, rate=24_000)
    assert one_shots_of([str(tmp_path)])[0].digest != before


def test_bad_one_shots_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="nowhere: no such folder"):
        one_shots_of([str(tmp_path / "nowhere")])
    with pytest.raises(CorpusError, match="no sound files"):
        one_shots_of([str(tmp_path)])
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match="bad.wav: cannot be decoded"):
        one_shot(tmp_path / "bad.wav")
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), 48_000)
    with pytest.raises(CorpusError, match="silent.wav: holds no sound"):
        one_shot(tmp_path / "silent.wav")
