"""Rules without a network find what is plainly there, and are scored as networks are."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.runs.jobs.baselines import (
    COLUMNS,
    RULES,
    _spectra,
    measure,
    pitch_classes,
    spectral_flux,
    triads,
)
from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.tasks.chord_labels import LABELS
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import open_store, write_store
from mirtrim.utils.errors import ConfigError
from tests.runs.jobs.synthetic import FEATURES, store

ROOT = Path(__file__).parents[3]
PITCH = {"sample_rate": 8000, "frame_samples": 512, "hop": 128, "score_every_frames": 8}
CHORD = {
    "sample_rate": 16000, "hop": 1024, "lowest_hz": 55, "bins": 105, "window_frames": 15,
    "gain": 100, "annotation": "played", "score_every_frames": 3,
}  # fmt: skip
SOLO = {
    "sample_rate": 8000, "window_samples": 4096, "silence_db": 40, "classes": ["low", "high"],
}  # fmt: skip
SPLITS = ("train", "validation", "test")


def row(split: str, name: str = "") -> dict[str, object]:
    return {
        "track_id": f"{split}{name}", "split": split, "source": f"{split}{name}",
        "duration_seconds": 2.0,
    }  # fmt: skip


def test_yin_finds_a_steady_tone(tmp_path: Path) -> None:
    """A of 220 Hz, then an octave above: within half a semitone nearly everywhere."""
    tracks = []
    for split in SPLITS:
        f0_hz = np.repeat([220.0, 440.0], 64 * 128).astype(np.float32)
        tone = np.sin(2 * np.pi * np.cumsum(f0_hz) / 8000)
        samples = np.concatenate([np.zeros(256), tone, np.zeros(256)])
        blocks = np.rint(20000 * samples).astype(np.int16).reshape(-1, 128)
        annotated = np.zeros(len(blocks), dtype=np.float32)
        annotated[:128] = f0_hz[::128]
        reference = pd.DataFrame({"scored_frames": [16], "sounding_frames": [16]})
        tracks.append((row(split), {"blocks": blocks, "f0_hz": annotated}, reference))
    write_store(tmp_path, tracks, None)
    table = measure("pitch", "tones", tmp_path, PITCH)
    assert list(table.baseline) == ["YIN, untuned"]
    assert table.score[0] > 0.9


def test_flux_finds_what_raises_all_bands(tmp_path: Path) -> None:
    """Where every event raises all bands, most are found; where none does, few by chance."""
    store(tmp_path / "loud", lambda split, number: f"{split}{number}")
    loud = measure("onset", "events", tmp_path / "loud", FEATURES)
    assert set(loud.columns) == {
        "task", "corpus", "baseline", "track_id", "score", "data_digest"
    }  # fmt: skip
    assert len(loud) == 2
    assert loud.score.mean() > 0.6


def test_flux_is_what_rises_and_nothing_that_falls(tmp_path: Path) -> None:
    """Rises 0, 1 + 0.5 and 1.5 (what falls by 0.5 is no rise), over the highest of them."""
    frames = np.zeros((3, 8), dtype=np.float32)
    frames[:, :2] = [[0.0, 0.0], [1.0, 0.5], [0.5, 2.0]]
    events = pd.DataFrame({"time_seconds": [0.05], "label": ["onset"]})
    arrays = {"frames": frames, "targets": np.zeros((3, 1), dtype=np.uint8)}
    write_store(tmp_path, [(row(split), arrays, events) for split in SPLITS], "frames")
    found = spectral_flux(get_task("onset"), open_store(tmp_path), "test", FEATURES)
    np.testing.assert_allclose(found["test"], [[0.0, 1.0, 1.0]])


def test_templates_name_a_chord_and_its_kind(tmp_path: Path) -> None:
    tracks = []
    for split in SPLITS:
        frames = np.zeros((90, 105), dtype=np.float32)
        # Bin 0 is A; D minor is D, F and A, 5, 8 and 0 semitones above it, two bins each.
        for semitones in (0, 5, 8, 12, 17, 20):
            frames[:, 2 * semitones] = 1.0
        seconds = 76 * 1024 / 16000
        reference = pd.DataFrame(
            {"start_seconds": [0.0], "end_seconds": [seconds], "label": ["D:min"]}
        )
        targets = np.zeros(90, dtype=np.int8)
        tracks.append((row(split), {"frames": frames, "targets": targets}, reference))
    write_store(tmp_path, tracks, None)
    assert measure("chord", "triads", tmp_path, CHORD).score[0] == pytest.approx(1, abs=0.05)


def test_bins_are_folded_to_pitch_classes() -> None:
    fold = pitch_classes(25, 55.0)
    assert (fold.sum(axis=1) == 1).all()
    assert np.flatnonzero(fold[0]).tolist() == [9]  # A
    assert np.flatnonzero(fold[1]).tolist() == [9, 10]  # between A and B flat
    assert np.flatnonzero(fold[24]).tolist() == [9]
    templates = triads()
    assert (templates[LABELS.index("N")] == 0).all()
    for label, tones in (("C:maj", {0, 4, 7}), ("A:min", {9, 0, 4})):
        assert set(np.flatnonzero(templates[LABELS.index(label)] > 0)) == tones


def test_the_nearest_mean_spectrum_tells_low_from_high(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tracks = []
    for split in SPLITS:
        for label, hz in (("low", 200), ("high", 2000)):
            time = np.arange(8192) / 8000
            wave = np.sin(2 * np.pi * hz * time) + 0.1 * rng.standard_normal(8192)
            samples = np.rint(10000 * wave).astype(np.int16)
            tracks.append(
                (row(split, label), {"samples": samples}, pd.DataFrame({"label": [label]}))
            )
    write_store(tmp_path, tracks, None)
    assert measure("instrument", "tones", tmp_path, SOLO).score.tolist() == [1.0, 1.0]


def test_silence_and_tones_have_finite_spectra(tmp_path: Path) -> None:
    """Of a window without sound every band is as good as empty; 1e-8 stands for nothing."""
    silent = {"samples": np.zeros(8192, dtype=np.int16)}
    tracks = [
        (row(split, label), silent, pd.DataFrame({"label": [label]}))
        for split in SPLITS
        for label in ("low", "high")
    ]
    write_store(tmp_path, tracks, None)
    spectra = _spectra(get_task("instrument"), open_store(tmp_path), "test", SOLO)
    assert len(spectra) == 2
    for bands in spectra.values():
        np.testing.assert_allclose(bands, np.log(1e-8))


def test_what_was_measured_is_written_without_numbers_of_lines(tmp_path: Path) -> None:
    table = pd.DataFrame([["onset", "tones", "flux", "a", 0.5, "d"]], columns=list(COLUMNS))
    write_csv(tmp_path / "baseline.csv", table)
    assert (tmp_path / "baseline.csv").read_text() == (
        "task,corpus,baseline,track_id,score,data_digest\nonset,tones,flux,a,0.5,d\n"
    )


def test_a_task_without_a_rule_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="task drums: no baseline; there are pitch, onset"):
        measure("drums", "x", tmp_path, FEATURES)


def test_the_workflow_knows_which_tasks_have_one() -> None:
    text = (ROOT / "workflow/rules/common.smk").read_text()
    (line,) = re.findall(r"^WITH_BASELINE = \((.*)\)$", text, re.MULTILINE)
    assert {name.strip('", ') for name in line.split(",")} == set(RULES)
