"""When rendered notes sound, measured on the samples."""

import numpy as np
import pytest
from mirdata.datasets.groove_midi import DRUM_MAPPING

from mirtrim.corpora.rendering.drums.drummers import DRUMMERS
from mirtrim.corpora.rendering.drums.recording import GENERAL_MIDI_PITCH
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Note, Part, render

START = 0.25


def hit(kit: int, pitch: int, velocity: int = 100, start: float = START) -> np.ndarray:
    note = Note(start, start + 0.5, pitch, velocity)
    return render([Part(DRUM_CHANNEL, kit, [note])], start + 0.35)


@pytest.mark.parametrize("kit", sorted({drummer.kit for drummer in DRUMMERS.values()}))
def test_every_drum_of_every_kit_sounds_at_its_time(kit: int):
    for pitch in DRUM_MAPPING:
        samples = np.abs(hit(kit, GENERAL_MIDI_PITCH.get(pitch, pitch)))
        assert samples.max() > 0.005, f"pitch {pitch} is silent"
        onset = np.argmax(samples > 0.01 * samples.max()) / 48_000
        assert 0 <= onset - START < 0.004, f"pitch {pitch}"


def test_onsets_follow_the_clock_to_one_block_of_the_renderer():
    for start in (0.1, 0.2503, 0.3337, 0.51111):
        samples = np.abs(hit(0, 36, start=start))
        onset = np.argmax(samples > 0.01 * samples.max()) / 48_000
        assert 0 <= onset - start < 0.003


def test_velocity_is_a_gain_of_40_log10():
    loud, soft = hit(0, 38, 120), hit(0, 38, 60)
    ratio = np.linalg.norm(loud) / np.linalg.norm(soft)
    assert 20 * np.log10(ratio) == pytest.approx(12.04, abs=0.1)
    assert loud @ soft / np.linalg.norm(loud) / np.linalg.norm(soft) > 0.999


def test_length_and_silence():
    samples = render([Part(DRUM_CHANNEL, 0, [])], 0.5)
    assert samples.shape == (24_000,)
    assert samples.dtype == np.float32
    assert not samples.any()


def test_same_notes_same_bytes():
    assert hit(24, 42).tobytes() == hit(24, 42).tobytes()


def test_kits_differ():
    kick = {kit: hit(kit, 36) for kit in (0, 16, 24, 25, 48)}
    for first in kick:
        for second in kick:
            if first < second:
                a, b = kick[first], kick[second]
                assert abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b) < 0.9
