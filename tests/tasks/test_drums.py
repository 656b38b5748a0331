"""Drums: classes, merging per class, scores in numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pretty_midi
import pytest

from mirtrim.corpora.loaders.groove_midi import open_groove
from mirtrim.tasks.drums import Drums, DrumsFive, merged_per_class

FEATURES: dict[str, Any] = {
    "sample_rate": 16000,
    "window": 2048,
    "hop": 768,
    "mel_bands": 32,
    "lowest_hz": 20,
    "highest_hz": 8000,
    "window_frames": 50,
    "merge_seconds": 0.03,
}


def test_strokes_are_merged_within_their_class_only() -> None:
    times = np.array([0.00, 0.01, 0.02, 0.50])
    events = merged_per_class(times, ["kick", "snare", "kick", "kick"], ("kick", "snare"), 0.03)
    np.testing.assert_allclose(events.time_seconds, [0.01, 0.01, 0.5])
    assert events.label.tolist() == ["kick", "snare", "kick"]


def test_no_strokes_give_an_empty_table() -> None:
    events = merged_per_class(np.zeros(0), [], ("kick", "snare"), 0.03)
    assert len(events) == 0
    assert Drums().frame_targets(events, 5, FEATURES).sum() == 0


def midi_track(tmp_path: Path, pitches: list[int]) -> Any:
    midi = pretty_midi.PrettyMIDI(resolution=480)
    drums = pretty_midi.Instrument(0, is_drum=True)
    drums.notes = [pretty_midi.Note(90, p, 0.5 * i, 0.5 * i + 0.1) for i, p in enumerate(pitches)]
    midi.instruments.append(drums)
    midi.write(str(tmp_path / "t.mid"))

    class Track:
        midi_path = str(tmp_path / "t.mid")

        @property
        def midi(self) -> pretty_midi.PrettyMIDI:
            return pretty_midi.PrettyMIDI(self.midi_path)

    return Track()


def test_three_and_five_classes_of_the_same_strokes(tmp_path: Path) -> None:
    # kick, snare, high tom, closed hi-hat, crash cymbal, side stick
    track = midi_track(tmp_path, [36, 38, 50, 42, 49, 37])
    three = Drums().events(track, FEATURES).label.tolist()
    assert three == ["kick", "snare", "snare", "hihat", "hihat", "snare"]
    five = DrumsFive().events(track, FEATURES).label.tolist()
    assert five == ["kick", "snare", "tom", "hihat", "cymbal", "snare"]


def test_each_class_has_its_column(tmp_path: Path) -> None:
    track = midi_track(tmp_path, [36, 38, 42])
    targets = Drums().frame_targets(Drums().events(track, FEATURES), 25, FEATURES)
    # 48 ms per frame: 0, 0.5 and 1 s lie nearest to frames 0, 10 and 21.
    assert np.argwhere(targets).tolist() == [[0, 0], [10, 1], [21, 2]]


def test_the_network_has_one_head_per_class() -> None:
    published = {**FEATURES, "mel_bands": 64}
    network = Drums().network(published, {})
    # 8 038 701 with the published two outputs per frame; ours has one: 3 · 50 · 1025 fewer.
    assert sum(p.numel() for p in network.parameters()) == 8_038_701 - 3 * 50 * 1025
    example = Drums().example_input(published).repeat(2, 1, 1, 1)
    assert network.eval()(example).shape == (2, 3, 50)
    assert DrumsFive().network(published, {}).eval()(example).shape == (2, 5, 50)


def test_classes_are_scored_one_by_one_and_together() -> None:
    pieces = pd.DataFrame(
        [
            # F of the classes: 1, 0.5, 0 in the first piece and 1, 1, 1 in the second
            {"f_measure": 0.5, "count_hit_kick": 4, "count_hit_snare": 1, "count_hit_hihat": 0},
            {"f_measure": 1.0, "count_hit_kick": 0, "count_hit_snare": 2, "count_hit_hihat": 8},
        ]
    )
    for kind, counts in (
        ("reference", [(4, 2, 3), (0, 2, 8)]),
        ("estimate", [(4, 2, 0), (0, 2, 8)]),
    ):
        for index, drum in enumerate(Drums.detectors):
            pieces[f"count_{kind}_{drum}"] = [row[index] for row in counts]
    summary = Drums().summarise(pieces)
    assert summary["f_measure"] == 0.75
    assert summary["micro_f_measure_kick"] == 1.0
    assert summary["micro_f_measure_snare"] == pytest.approx(2 * 3 / (4 + 4))
    assert summary["micro_f_measure_hihat"] == pytest.approx(2 * 8 / (11 + 8))
    assert summary["micro_f_measure"] == pytest.approx(2 * 15 / (19 + 16))


def test_real_performances_have_events() -> None:
    home = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (home / "groove_midi").is_dir():
        pytest.skip(f"no groove_midi in {home}")
    index = home / "indexes" / "groove_midi_index_1.0.0.json"
    track = open_groove(home / "groove_midi", index).track("drummer1/eval_session/1")
    notes = [n for i in pretty_midi.PrettyMIDI(track.midi_path).instruments for n in i.notes]
    events = Drums().events(track, {"merge_seconds": 0.0})
    kicks = {n.start for n in notes if n.pitch == 36}
    assert len(kicks) > 10
    np.testing.assert_allclose(
        events.time_seconds[events.label == "kick"], sorted(kicks), atol=1e-9
    )
    assert set(events.label) <= set(Drums.detectors)
