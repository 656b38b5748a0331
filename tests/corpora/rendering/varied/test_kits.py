"""Drum kits of banks and folders: which there are, when their strokes sound, all in turn."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirtrim.corpora.annotations.drums import FIVE_CLASSES
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note
from mirtrim.corpora.rendering.varied.banks import banks_of, one_shots_of
from mirtrim.corpora.rendering.varied.kits import (
    BankKit,
    Hit,
    Kit,
    ShotKit,
    draw_hits,
    in_turn,
    kits_of,
    play_kits,
    voice_of_name,
)
from mirtrim.utils.errors import CorpusError

RATE = 44_100


def shot(path: Path, hz: float, level: float = 0.5, silence_seconds: float = 0.02) -> None:
    time = np.arange(RATE // 5) / RATE
    sound = level * np.sin(2 * np.pi * hz * time) * np.exp(-time / 0.03)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate([np.zeros(round(silence_seconds * RATE)), sound]), RATE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, hz in (("Kick-1", 60), ("SnareDrum", 200), ("HiHat Closed", 6000)):
        shot(tmp_path / "full" / f"{name}.wav", hz)
    shot(tmp_path / "full" / "HiHat Open.wav", 7000)
    shot(tmp_path / "half" / "Kick.wav", 60)  # no snare, no hi-hat: no kit
    return tmp_path


def kits(folder: Path) -> list[Kit]:
    return kits_of(banks_of(["pretty_midi"]), one_shots_of([str(folder)]))


def begins(samples: np.ndarray) -> float:
    """Seconds at which samples reach a sixth of their peak."""
    return float(np.argmax(np.abs(samples) > np.abs(samples).max() / 6)) / RENDERER_RATE


@pytest.mark.parametrize(
    ("name", "voice"),
    [
        ("BD_01", "kick"), ("bassdrum-4mics-soft2", "kick"), ("EE_Kick_Stomp", "kick"),
        ("SN3_02", "snare"), ("jsnare_04", "snare"), ("sd_08", "snare"), ("Rimshot", "stick"),
        ("VP Hat 1 Pd", "pedal"), ("hh_p", "pedal"), ("HiHatFoot-2", "pedal"),
        ("Hard_Hse_OHH_1", "open"), ("ho_02", "open"), ("openhat2", "open"),
        ("Hard_CHH_01", "closed"), ("hihat-closed-4", "closed"), ("HH2_03", "closed"),
        ("crash20i__ride-cup1", "bell"), ("ride2", "ride"), ("China-0", "crash"),
        ("floortom_02", "tom"), ("t2_01", "tom"), ("Cowbell-Hard", None), ("beats_01-10", None),
        ("clap_02", None), ("readme", None),
    ],
)  # fmt: skip
def test_names_of_files_say_what_they_are(name: str, voice: str | None) -> None:
    assert voice_of_name(name) == voice


def test_every_kit_of_a_bank_and_every_folder_that_is_one(folder: Path) -> None:
    found = kits(folder)
    programs = [kit.program for kit in found if isinstance(kit, BankKit)]
    assert programs == [0, 8, 16, 24, 25, 32, 40, 48]
    assert [kit.name for kit in found if isinstance(kit, ShotKit)] == ["full"]


def test_no_kit_at_all_is_an_error(tmp_path: Path) -> None:
    shot(tmp_path / "flute.wav", 500)
    with pytest.raises(CorpusError, match="drum kit; add one"):
        kits_of([], one_shots_of([str(tmp_path)]))


@pytest.mark.parametrize("pitch", [36, 38, 42, 46, 51, 49, 37, 43])
def test_strokes_sound_when_they_are_struck(folder: Path, pitch: int) -> None:
    for kit in kits(folder):
        stroke = Note(0.5, 0.6, pitch, 90)
        samples, played = play_kits([stroke], 1.5, [Hit(kit)], np.random.default_rng(0))
        if not played:
            assert isinstance(kit, ShotKit)
            assert pitch in (37, 43) or kit.voice(pitch) is None
            continue
        assert played == [stroke]
        assert abs(begins(samples) - 0.5) < 0.005, kit.name


def test_layers_sound_together_and_only_what_the_first_one_has(folder: Path) -> None:
    tim, full = kits(folder)[0], kits(folder)[-1]
    strokes = [Note(0.2, 0.3, 36, 100), Note(0.6, 0.7, 43, 100)]  # a kick and a tom
    layers = [Hit(full), Hit(tim, 1.0, -6.0)]
    both, played = play_kits(strokes, 1.2, layers, np.random.default_rng(3))
    alone, _ = play_kits(strokes, 1.2, layers[:1], np.random.default_rng(3))
    assert played == strokes[:1]  # the folder has no tom, and no other layer plays one
    assert np.abs(both[round(0.62 * RENDERER_RATE) :]).max() < 0.05 * np.abs(both).max()
    assert not np.allclose(both, alone)


def test_an_open_hi_hat_ends_with_the_next_stroke_on_it(tmp_path: Path) -> None:
    for name, hz in (("kick", 60), ("snare", 200), ("hat closed", 6000)):
        shot(tmp_path / f"{name}.wav", hz)
    time = np.arange(2 * RATE) / RATE
    soundfile.write(tmp_path / "hat open.wav", 0.5 * np.sin(2 * np.pi * 3000 * time), RATE)
    (kit,) = kits_of([], one_shots_of([str(tmp_path)]))
    strokes = [Note(0.1, 0.2, 46, 100), Note(0.6, 0.7, 42, 100)]
    ringing, _ = play_kits(strokes[:1], 1.5, [Hit(kit)], np.random.default_rng(0))
    choked, _ = play_kits(strokes, 1.5, [Hit(kit)], np.random.default_rng(0))
    late = slice(round(1.0 * RENDERER_RATE), round(1.4 * RENDERER_RATE))
    assert np.abs(ringing[late]).max() > 0.1
    assert np.abs(choked[late]).max() < 1e-2


def test_louder_strokes_are_louder_and_draws_repeat(folder: Path) -> None:
    full = kits(folder)[-1]
    peaks = []
    for velocity in (20, 60, 120):
        stroke = [Note(0.1, 0.2, 38, velocity)]
        samples, _ = play_kits(stroke, 0.5, [Hit(full)], np.random.default_rng(4))
        again, _ = play_kits(stroke, 0.5, [Hit(full)], np.random.default_rng(4))
        np.testing.assert_array_equal(samples, again)
        peaks.append(float(np.abs(samples).max()))
    assert peaks[0] < 0.5 * peaks[1] < 0.5 * peaks[2]


def test_all_kits_take_turns_and_no_bank_drowns_the_folders(folder: Path) -> None:
    found = kits(folder)
    turns = Counter(in_turn(found, 4 * len(found), np.random.default_rng(0)))
    assert set(turns) == set(range(len(found)))
    # Two groups: the bank with eight kits and the folder with one, which plays half of every
    # second piece.
    assert turns[len(found) - 1] >= len(found)


def test_layers_begin_with_the_kit_whose_turn_it_is(folder: Path) -> None:
    found = kits(folder)
    drawn = [draw_hits(found, 5, np.random.default_rng(seed)) for seed in range(40)]
    assert all(hits[0].kit == found[5] for hits in drawn)
    assert {len(hits) for hits in drawn} == {1, 2, 3}
    assert len({hits[0].semitones for hits in drawn}) == 40


def test_every_pitch_of_the_published_performances_has_a_voice(folder: Path) -> None:
    full = kits(folder)[-1]
    assert isinstance(full, ShotKit)
    assert {p for p in FIVE_CLASSES if full.voice(p) is None} == {43, 45, 47, 48, 50, 53, 58}
