"""Onsets of drums, guitars and tablas, with literal numbers and on real annotations."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mirdata import annotations
from mirdata.datasets import four_way_tabla, guitarset

from mirtrim.corpora.annotations.onsets import onset_times
from mirtrim.tasks.onset import Onset
from mirtrim.utils.errors import CorpusError


def notes(*starts: float) -> annotations.NoteData:
    intervals = np.array([[start, start + 0.1] for start in starts])
    return annotations.NoteData(intervals, "s", np.full(len(starts), 220.0), "hz")


def strokes(*times: float) -> annotations.BeatData:
    return annotations.BeatData(np.array(times), "s", np.zeros(len(times)), "global_index")


def test_notes_of_all_strings() -> None:
    strings = {"E": notes(0.5, 2.0), "A": None, "D": notes(0.25)}
    track = SimpleNamespace(track_id="g", jams_path="g.jams", notes=strings)
    assert onset_times(track).tolist() == [0.25, 0.5, 2.0]


def test_strokes_of_all_kinds() -> None:
    track = SimpleNamespace(
        track_id="t",
        onsets_b_path="b",
        onsets_b=strokes(1.0, 3.0),
        onsets_d=strokes(2.0),
        onsets_rb=None,
        onsets_rt=None,
    )
    assert onset_times(track).tolist() == [1.0, 2.0, 3.0]


def test_the_task_merges_what_sounds_together() -> None:
    strings = {"E": notes(0.50), "A": notes(0.52), "D": notes(0.60)}
    track = SimpleNamespace(track_id="g", jams_path="g.jams", notes=strings)
    events = Onset().events(track, {"merge_seconds": 0.03})
    np.testing.assert_allclose(events.time_seconds, [0.51, 0.60])


def test_a_track_without_onsets_is_refused() -> None:
    with pytest.raises(CorpusError, match="track x: no onsets known for its loader"):
        onset_times(SimpleNamespace(track_id="x", audio_path="x.wav"))
    with pytest.raises(CorpusError, match="track g has no notes"):
        onset_times(SimpleNamespace(track_id="g", jams_path="g.jams", notes={"E": None}))


def sample(real_data: Path, loader: str, index: str) -> tuple[str, str]:
    home = real_data / "mirdata_samples"
    if not (home / loader).is_dir():
        pytest.skip(f"no samples of {loader} in {home}")
    return str(home / loader), str(home / "indexes" / index)


def test_real_tabla_strokes(real_data: Path) -> None:
    home, index = sample(real_data, "four_way_tabla", "four_way_tabla_index_1.0_sample.json")
    dataset = four_way_tabla.Dataset(home)
    dataset.index_path = index
    for track in dataset.load_tracks().values():
        lines = [
            float(line)
            for kind in ("b", "d", "rb", "rt")
            for line in Path(getattr(track, f"onsets_{kind}_path")).read_text().split()
        ]
        np.testing.assert_allclose(onset_times(track), sorted(lines))


def test_real_guitar_notes_and_a_truncated_file(real_data: Path) -> None:
    home, index = sample(real_data, "guitarset", "guitarset_index_1.1.0_sample.json")
    dataset = guitarset.Dataset(home)
    dataset.index_path = index
    times = onset_times(dataset.track("03_BN3-119-G_solo"))
    assert len(times) > 0
    assert (np.diff(times) >= 0).all()
    with pytest.raises(CorpusError, match="00_BN1-129-Eb_comp: its onsets cannot be read") as error:
        onset_times(dataset.track("00_BN1-129-Eb_comp"))
    assert "\n" not in str(error.value)
