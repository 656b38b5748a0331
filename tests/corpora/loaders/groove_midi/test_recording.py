"""Recording conditions: planted levels are found again, and onsets stay where they are."""

from dataclasses import replace

import numpy as np
import pytest

from mirtrim.corpora.annotations.drums import CYMBAL
from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.drums import recording
from mirtrim.corpora.rendering.drums.drummers import DRUMMERS
from mirtrim.corpora.rendering.drums.performance import perform
from mirtrim.corpora.rendering.drums.recording import DrumScene, draw_scene, record
from mirtrim.corpora.rendering.soundbank import Note
from mirtrim.utils.errors import CorpusError

BEAT = [Note(0.2 + 0.25 * i, 0.3 + 0.25 * i, (36, 42, 38, 42)[i % 4], 100) for i in range(14)]


def measured_onsets(samples: np.ndarray, times: np.ndarray) -> list[tuple[float, float]]:
    """(annotated, measured) onset of strokes that rise well above what sounded before them.

    Measured is the first sample above both twice the recent past and 2 % of the stroke. A
    stroke counts if within 10 ms it is ten times as large as the past: a soft cymbal emerging
    from the ringing of the last one cannot be timed this way.
    """
    found = []
    magnitude = np.abs(samples.astype(np.float64))
    for time in times:
        at = round(time * SAMPLE_RATE)
        past = magnitude[max(0, at - 800) : at - 160]
        stroke = magnitude[at - 160 : at + 160]
        if len(past) < 400 or stroke.max() < 10 * past.max():
            continue
        first = np.argmax(stroke > max(2 * past.max(), 0.02 * stroke.max()))
        found.append((float(time), (at - 160 + first) / SAMPLE_RATE))
    return found


@pytest.mark.parametrize("name", sorted(DRUMMERS))
def test_labels_agree_with_the_sound_within_5_ms(name: str):
    drummer = DRUMMERS[name]
    played = perform(drummer, 12.0, np.random.default_rng(3))
    # Cymbals ring into what follows; test_soundbank.py times them alone.
    notes = [note for note in played.notes if note.pitch not in CYMBAL]
    starts = np.array([note.start_seconds for note in notes])
    isolated = starts[
        (np.diff(starts, prepend=-1.0) > 0.03) & (np.diff(starts, append=12.0) > 0.03)
    ]
    dry = replace(draw_scene(0, name, drummer), backing_db=None, room_db=None, noise_db=None)
    found = measured_onsets(record(notes, 12.0, 100, dry, 0, name), isolated)
    assert len(found) >= 8
    assert np.abs(np.subtract(*zip(*found, strict=True))).max() < 0.005


def test_room_and_noise_do_not_move_onsets():
    wet = DrumScene(room_db=-6.0, decay_seconds=0.3, noise_db=-35.0, backing_db=-40.0)
    beats = [note for note in BEAT if note.pitch != 42]
    starts = np.array([note.start_seconds for note in beats])
    found = measured_onsets(record(beats, 4.0, 120, wet, 0, "x"), starts)
    assert len(found) >= 4
    assert np.abs(np.subtract(*zip(*found, strict=True))).max() < 0.005


def test_a_shifted_label_would_be_noticed():
    samples = record(BEAT, 4.0, 120, DrumScene(), 0, "x")
    starts = np.array([note.start_seconds for note in BEAT if note.pitch != 42]) - 0.006
    errors = np.subtract(*zip(*measured_onsets(samples, starts), strict=True))
    assert np.abs(errors).max() > 0.005


@pytest.mark.parametrize("part", ["backing_db", "noise_db"])
def test_planted_levels_relative_to_the_drums(part: str):
    drums = record(BEAT, 4.0, 120, DrumScene(), 0, "x").astype(np.float64)
    mixed = record(BEAT, 4.0, 120, DrumScene(**{part: -15.0}), 0, "x").astype(np.float64)
    scale = mixed @ drums / (drums @ drums)
    rest = mixed - scale * drums
    level_db = 20 * np.log10(np.linalg.norm(rest) / np.linalg.norm(scale * drums))
    assert level_db == pytest.approx(-15.0, abs=0.3)


def test_cymbal_balance_by_hand():
    # 100 · 10 ** (−6 / 40) = 70.8
    assert recording._balanced(Note(0, 1, 36, 100), 6.0) == 71
    assert recording._balanced(Note(0, 1, 42, 100), 6.0) == 100
    assert recording._balanced(Note(0, 1, 36, 100), -6.0) == 100
    assert recording._balanced(Note(0, 1, 51, 100), -6.0) == 71
    assert recording._balanced(Note(0, 1, 51, 1), -40.0) == 1


def test_pads_ring_until_struck_again():
    notes = [Note(0.0, 0.1, 36, 90), Note(0.5, 0.6, 36, 90), Note(0.6, 0.7, 42, 90)]
    assert [n.end_seconds for n in recording._let_ring(notes)] == [0.5, 2.5, 2.6]


def test_peak_level_and_format():
    samples = record(BEAT, 4.0, 120, DrumScene(peak_db=-6.0), 0, "x")
    assert samples.dtype == np.int16
    assert samples.shape == (64_000,)
    assert np.abs(samples).max() == pytest.approx(32767 * 10 ** (-6 / 20), abs=1)


def test_scenes_depend_on_the_track_and_seed_only():
    drummer = DRUMMERS["drummer1"]
    assert draw_scene(0, "a", drummer) == draw_scene(0, "a", drummer)
    assert draw_scene(0, "a", drummer) != draw_scene(0, "b", drummer)
    assert draw_scene(0, "a", drummer) != draw_scene(1, "a", drummer)


def test_drawn_scenes_stay_in_their_ranges():
    drawn = [draw_scene(0, str(i), DRUMMERS["drummer2"]) for i in range(300)]
    backing = [s.backing_db for s in drawn if s.backing_db is not None]
    noise = [s.noise_db for s in drawn]
    assert -30 <= min(backing) < -28
    assert -14 < max(backing) <= -12
    assert -35 <= min(noise) < -33
    assert -17 < max(noise) <= -15
    assert 0.1 < np.mean([s.backing_db is None for s in drawn]) < 0.3
    assert all(-12 <= s.peak_db <= -1 for s in drawn)


def test_no_strokes_is_an_error():
    with pytest.raises(CorpusError, match="piece: the performance has no strokes"):
        record([], 4.0, 120, DrumScene(), 0, "piece")
