"""Networks and rules on small recordings that are made here: scores known beforehand."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.listening.recordings import measure as measuring
from mirtrim.listening.recordings.measure import measure
from mirtrim.listening.recordings.rules import RULES_OF_TASK, Scene, band_energies
from mirtrim.listening.recordings.scores import reference_of, scores_of
from mirtrim.listening.recordings.truth import ChordTruth, ClassTruth, EventTruth, PitchTruth
from mirtrim.listening.results import Chords, Events, PitchCurve, Tags
from mirtrim.runs.recording_rows import (
    COLUMNS,
    read_recording_rows,
)
from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.utils.errors import ArtefactError, ConfigError, CorpusError
from tests.listening.samples import write

RATE = 22050
CLICKS = np.array([0.3, 0.85, 1.31, 1.9, 2.47, 3.2])


def clicks(times=CLICKS, seconds=4.0, lag=0.0):
    """Decaying noise at the times."""
    rng = np.random.default_rng(0)
    samples = np.zeros(int(seconds * RATE))
    for time in times + lag:
        first = int(time * RATE)
        burst = rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300)
        samples[first : first + 2000] += burst[: len(samples) - first]
    return 0.3 * samples


def heard_events(**times):
    labels = np.array([name for name, of in times.items() for _ in of])
    joined = np.array([time for of in times.values() for time in of], dtype=float)
    order = np.argsort(joined, kind="stable")
    return Events(
        duration_seconds=4.0, times_seconds=joined[order], labels=labels[order],
        confidence=np.ones(len(order)), detectors=tuple(times),
    )  # fmt: skip


@pytest.fixture
def onsets(tmp_path):
    """A block of two recordings with onsets, one of them late by 60 ms."""
    for name, lag in (("on_time", 0.0), ("late", 0.06)):
        write(tmp_path / "takes" / f"{name}.wav", clicks(lag=lag), RATE)
        text = "\n".join(f"{time:.4f}" for time in CLICKS)
        (tmp_path / "takes" / f"{name}.csv").write_text(text)
    return {"name": "takes", "task": "onset", "folder": str(tmp_path / "takes")}


def value_of(rows, estimator, name, recording):
    part = rows[(rows.estimator == estimator) & (rows.measure == name)]
    return float(part.set_index("recording").value[recording])


def test_rows_of_rules_and_networks(onsets, make_bundle, tmp_path):
    make_bundle("onset", "dense", ratio=1.0, target_ratio=1.0)
    make_bundle("onset", "four")
    make_bundle("chord", "other")
    rows = measure(onsets, [tmp_path / "models"], data_folder=tmp_path / "data")
    assert tuple(rows.columns) == COLUMNS
    assert list(dict.fromkeys(rows.estimator)) == [
        "every quarter second", "librosa.onset", "dense", "four",
    ]  # fmt: skip
    assert value_of(rows, "librosa.onset", "f_measure", "on_time.wav") == 1.0
    assert value_of(rows, "librosa.onset", "f_measure", "late.wav") < 0.5
    networks = rows[rows.kind == "network"]
    assert set(networks.rendered) == {0.625}
    assert dict(zip(networks.estimator, networks.ratio, strict=True)) == {"dense": 1, "four": 4.25}
    assert set(rows[rows.kind == "rule"].library) == {"-", RULES_OF_TASK["onset"][1].library}
    moved = measure({**onsets, "remove_shift": True}, [tmp_path / "models"], data_folder=tmp_path)
    assert value_of(moved, "librosa.onset", "f_measure", "late.wav") == 1.0
    assert value_of(moved, "librosa.onset", "shift_ms", "late.wav") <= -20


def test_nothing_is_heard_twice(onsets, make_bundle, tmp_path, monkeypatch):
    bundle = make_bundle("onset", "dense", ratio=1.0)
    rows = measure(onsets, [bundle.path], data_folder=tmp_path, code="1")
    write_csv(tmp_path / "rows.csv", rows)
    known = read_recording_rows([tmp_path / "rows.csv"])
    calls = []

    def listened(path, network):
        calls.append(path.name)
        return original(path, network)

    original = measuring.listen
    monkeypatch.setattr(measuring, "listen", listened)
    again = measure(onsets, [bundle.path], data_folder=tmp_path, known=known, code="1")
    assert calls == []
    pd.testing.assert_frame_equal(again, rows, rtol=1e-5)
    # Another annotation, another way to score and other code are heard again.
    (tmp_path / "takes" / "late.csv").write_text("0.36\n0.91\n")
    measure(onsets, [bundle.path], data_folder=tmp_path, known=known, code="1")
    assert calls == ["late.wav"]
    measure(onsets, [bundle.path], data_folder=tmp_path, known=known, code="2")
    assert calls == ["late.wav", "late.wav", "on_time.wav"]


def test_what_cannot_be_measured(onsets, make_bundle, tmp_path):
    make_bundle("chord", "other")
    with pytest.raises(ConfigError, match=r"models has no network of task onset"):
        measure(onsets, [tmp_path / "models"], data_folder=tmp_path)
    bundle = make_bundle("onset", "dense")
    (tmp_path / "takes" / "late.csv").write_text("300\n850\n")
    with pytest.raises(CorpusError, match=r"late\.wav: 2 of 2 events lie behind .* of 4\.000 s"):
        measure(onsets, [bundle.path], data_folder=tmp_path)
    write(tmp_path / "clips" / "a.wav", clicks(), RATE)
    (tmp_path / "clips" / "t.csv").write_text("file,label\na.wav,spoons\n")
    block = {"name": "clips", "task": "instrument", "folder": str(tmp_path / "clips")}
    instrument = make_bundle("instrument").path
    with pytest.raises(CorpusError, match="no network has the class 'spoons'; they have flute"):
        measure(block, [instrument], data_folder=tmp_path)
    with pytest.raises(ConfigError, match="recordings clips: set `folder` or `loader`"):
        measure({**block, "folder": None}, [instrument], data_folder=tmp_path)
    (tmp_path / "rows.csv").write_text("set,task\na,b\n")
    with pytest.raises(ArtefactError, match=r"rows\.csv does not hold scores on recordings"):
        read_recording_rows([tmp_path / "rows.csv"])


def test_drums_are_folded_as_the_detectors_have_them():
    truth = EventTruth(
        np.array([0.1, 0.2, 0.3, 0.31, 0.5]), ("kick", "tom", "hihat", "cymbal", "other")
    )
    three = reference_of(truth, ("kick", "snare", "hihat"))
    assert {k: v.tolist() for k, v in three.items()} == {
        "kick": [0.1], "snare": [0.2], "hihat": [pytest.approx(0.305)],
    }  # fmt: skip
    five = reference_of(truth, ("kick", "snare", "tom", "hihat", "cymbal"))
    assert [len(of) for of in five.values()] == [1, 0, 1, 1, 1]
    assert len(reference_of(truth, ("onset",))["onset"]) == 4
    heard = heard_events(kick=[0.1], snare=[], hihat=[0.3])
    scores = scores_of(heard, truth)
    assert scores["f_measure_kick"] == scores["f_measure_hihat"] == 1
    assert scores["f_measure_snare"] == 0
    assert scores["f_measure"] == pytest.approx(2 / 3)


def test_a_constant_shift_is_removed_only_if_asked():
    truth = EventTruth(CLICKS, ("other",) * len(CLICKS))
    heard = heard_events(onset=(CLICKS + 0.078).tolist())
    assert scores_of(heard, truth)["f_measure"] == 0
    found = scores_of(heard, truth, remove_shift=True)
    assert found["f_measure"] == 1
    assert found["shift_ms"] == pytest.approx(-30)  # the smallest one that is enough
    heard = heard_events(onset=(CLICKS + 0.3).tolist())
    assert scores_of(heard, truth, remove_shift=True)["f_measure"] < 0.5


def test_pitch_by_register():
    times = np.arange(0, 2, 0.01)
    truth = PitchTruth(times, np.where(times < 1, 110.0, 440.0))
    found = np.where(times < 1, 220.0, 440.0)  # an octave above in the lower register
    heard = PitchCurve(
        duration_seconds=2.0, times_seconds=times, frequency_hz=found,
        confidence=np.ones(200), voiced=np.ones(200, dtype=bool),
    )  # fmt: skip
    scores = scores_of(heard, truth)
    assert scores["raw_pitch"] == pytest.approx(0.5)
    assert scores["raw_chroma"] == pytest.approx(1)
    assert scores["raw_pitch_below_c3"] == 0
    assert scores["raw_pitch_c3_to_c6"] == 1
    assert "raw_pitch_above_c6" not in scores
    # Frames that stand elsewhere, four times as sparse, are the nearest ones.
    sparse = {
        name: getattr(heard, name)[::4]
        for name in ("times_seconds", "frequency_hz", "confidence", "voiced")
    }
    assert scores_of(replace(heard, **sparse), truth)["raw_pitch"] == pytest.approx(0.5, abs=0.02)


def test_chords_and_classes():
    truth = ChordTruth(np.array([[0.0, 3.0], [3.0, 4.0]]), ("C:maj", "A:min"))
    heard = Chords(duration_seconds=4.0, intervals=np.array([[0.0, 4.0]]), labels=("C:maj",))
    assert scores_of(heard, truth)["majmin"] == pytest.approx(0.75)
    tags = Tags(
        duration_seconds=1.0, classes=("flute", "piano"), probabilities=np.array([0.5, 0.5])
    )
    assert scores_of(tags, ClassTruth("Piano"))["accuracy"] == 0.5  # two are equally probable
    nothing = replace(tags, classes=(), probabilities=np.zeros(0), sure=False)
    assert scores_of(nothing, ClassTruth("piano")) == {"accuracy": 0, "confidence": 0, "sure": 0}


def test_rules_hear_what_is_plain():
    scene = Scene(
        ("kick", "snare", "hihat"),
        ("a", "b", "c", "d"),
        [ClassTruth("b"), ClassTruth("b"), ClassTruth("a")],
    )
    times = np.arange(3 * RATE) / RATE
    tone = (0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32)
    rules = {rule.name: rule for of in RULES_OF_TASK.values() for rule in of}
    pitch = rules["pYIN"].hear(tone, scene)
    assert np.median(pitch.frequency_hz) == pytest.approx(220, rel=0.01)
    triad = sum(np.sin(2 * np.pi * hertz * times) for hertz in (261.6, 329.6, 392.0)) * 0.2
    chords = rules["chroma templates"].hear(triad.astype(np.float32), scene)
    assert max(set(chords.labels), key=chords.labels.count) == "C:maj"
    assert chords.intervals[-1, 1] == pytest.approx(3)
    assert scores_of(rules["chance"].hear(tone, scene), ClassTruth("c"))["accuracy"] == 0.25
    assert rules["commonest class"].hear(tone, scene).classes == ("b",)
    grid = rules["every quarter second"].hear(tone, replace(scene, detectors=("onset",)))
    assert grid.times_seconds.tolist() == [0.25 * i for i in range(12)]
    onsets = rules["every onset is every drum"].hear(clicks().astype(np.float32), scene)
    assert len(onsets.times_seconds) == 3 * len(CLICKS)


def test_three_bands_tell_a_low_from_a_high_drum():
    scene = Scene(("kick", "snare", "hihat"), (), [])
    decay = np.exp(-np.arange(6000) / 900)
    samples = 1e-3 * np.random.default_rng(0).standard_normal(4 * RATE)
    for time in (0.5, 1.5, 2.5):
        first = int(time * RATE)
        samples[first : first + 6000] += (
            0.5 * decay * np.sin(2 * np.pi * 60 * np.arange(6000) / RATE)
        )
    heard = band_energies(samples.astype(np.float32), scene)
    near = [np.abs(heard.of("kick")[0] - time).min() < 0.05 for time in (0.5, 1.5, 2.5)]
    assert all(near)


def test_a_network_that_hears_the_clicks_scores_as_it_hears(onsets, make_bundle, tmp_path):
    """The score in a row is that of what the network hears: one that hears all is right."""

    class Loudness(torch.nn.Module):
        def forward(self, x):
            level = x.mean(dim=2)
            before = torch.cat([level[..., :1], level[..., :-1]], dim=2)
            return 20 * (level - before) - 5

    bundle = make_bundle("onset", "dense", ratio=1.0)
    heard = measuring.listen(
        tmp_path / "takes" / "on_time.wav", replace(bundle, network=Loudness())
    )
    truth = EventTruth(CLICKS, ("other",) * len(CLICKS))
    assert scores_of(heard, truth)["f_measure"] > 0.9
