"""Listening in blocks gives what the task gives on the whole file."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mirtrim.listening.audio import AudioError, no_progress, open_audio
from mirtrim.listening.blocks import framed
from mirtrim.listening.chords import _constant_q, hear_chords, margin_frames
from mirtrim.listening.events import decode, hear_events
from mirtrim.listening.listen import listen
from mirtrim.listening.results import Chords, Events, PitchCurve, Tags
from mirtrim.tasks.chord_labels import segments, smoothest_path
from mirtrim.tasks.constant_q import log_constant_q
from mirtrim.tasks.drums import Drums
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.store import open_store, write_store

from .samples import music, write

SECONDS = 67.3  # several blocks of every kind
RATES = (8000, 44100)


def whole_file(bundle, task, path, folder):
    """The prediction of the task's own way: recording, store, windows, network."""
    seconds = open_audio(path).duration_seconds
    track = SimpleNamespace(
        track_id="a",
        audio_path=path,
        instrument="piano",
        chords=SimpleNamespace(intervals=np.array([[0, seconds]]), labels=["N"]),
        f0=SimpleNamespace(times=np.arange(4) / 100, frequencies=np.full(4, 220.0)),
    )
    recording = task.recording(track, bundle.about.features)
    row = {"track_id": "a", "split": "test", "source": "a", "duration_seconds": seconds}
    write_store(folder, [(row, recording.arrays, recording.reference)], None)
    store = open_store(folder)
    store = type(store)(
        store.arrays, store.tracks, store.reference, bundle.about.statistics, store.digest
    )
    return task.predict(bundle.network, store, "test", bundle.about.features)["a"]


class StillOnset(Onset):
    """Onsets of a track without annotation."""

    def events(self, track, features):
        return pd.DataFrame({"time_seconds": [0.1], "label": ["onset"]})


class StillDrums(Drums):
    """Drums of a track without annotation."""

    def events(self, track, features):
        return pd.DataFrame({"time_seconds": [0.1], "label": ["kick"]})


@pytest.fixture(params=RATES)
def song(request, tmp_path):
    stereo = np.stack([music(SECONDS, request.param, seed) for seed in (1, 2)], axis=1)
    return write(tmp_path / "song.wav", stereo, request.param)


@pytest.mark.parametrize("task", [StillOnset(), StillDrums()], ids=["onset", "drums"])
def test_events(make_bundle, song, tmp_path, task):
    bundle = make_bundle(task.name)
    activation = whole_file(bundle, task, song, tmp_path / "store")
    expected = decode(task, activation, bundle, 400 / 8000)
    heard = hear_events(bundle, task, open_audio(song), no_progress)
    assert len(heard.table) > 100
    assert set(heard.table.label) == set(task.detectors)
    pd.testing.assert_frame_equal(heard.table, expected, rtol=0, atol=1e-5)
    assert heard.duration_seconds == pytest.approx(SECONDS, abs=1e-4)


def test_pitch(make_bundle, song, tmp_path):
    bundle = make_bundle("pitch")
    frequency_hz, confidence = whole_file(bundle, bundle.task, song, tmp_path / "store")
    heard = listen(song, bundle)
    assert isinstance(heard, PitchCurve)
    np.testing.assert_allclose(heard.confidence, confidence, atol=1e-5)
    np.testing.assert_allclose(heard.frequency_hz, frequency_hz, rtol=1e-5)
    np.testing.assert_array_equal(heard.voiced, heard.confidence >= 0.5)
    assert heard.times_seconds[:3].tolist() == [0, 0.008, 0.016]
    assert heard.times_seconds[-1] == pytest.approx(SECONDS, abs=0.008)


def test_every_frame_has_a_pitch_whatever_scoring_skips(make_bundle, tmp_path):
    path = write(tmp_path / "a.wav", music(3, 8000), 8000)
    every = listen(path, make_bundle("pitch"))
    features = {"sample_rate": 8000, "frame_samples": 256, "hop": 64, "score_every_frames": 8}
    skipping = listen(path, make_bundle("pitch", features=features))
    np.testing.assert_array_equal(every.frequency_hz, skipping.frequency_hz)


def test_chords(make_bundle, song, tmp_path):
    bundle = make_bundle("chord")
    log_probability = whole_file(bundle, bundle.task, song, tmp_path / "store")
    intervals, labels = segments(smoothest_path(log_probability, 1.0), 3 * 512 / 8000)
    heard = listen(song, bundle)
    assert isinstance(heard, Chords)
    assert len(labels) > 10
    assert list(heard.labels) == labels
    np.testing.assert_allclose(heard.intervals[:-1], intervals[:-1], atol=1e-9)
    assert heard.intervals[-1, 1] == pytest.approx(SECONDS, abs=1e-4)


def test_tags(make_bundle, song, tmp_path):
    bundle = make_bundle("instrument")
    probability = whole_file(bundle, bundle.task, song, tmp_path / "store").mean(0)
    heard = listen(song, bundle)
    assert isinstance(heard, Tags)
    order = np.argsort(-probability)
    assert list(heard.classes) == [bundle.about.features["classes"][i] for i in order]
    np.testing.assert_allclose(heard.probabilities, probability[order], atol=1e-5)
    assert heard.probabilities.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("samples", [11000, 20000, 163_840 - 1, 163_840, 163_840 + 1])
def test_constant_q_frames_are_those_of_the_whole_file(samples):
    """Noise excites all filters all the time. 1e-4 is 1/20000 of the largest value, twenty
    times the difference that float32 makes, and a thousandth of what a margin of a quarter of
    the longest filter leaves."""
    features = {"sample_rate": 8000, "hop": 512, "lowest_hz": 55, "bins": 97, "gain": 100}
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    whole = log_constant_q(noise, 8000, 512, 55, 97, 24, 100)

    def in_stretches(margin):
        compute = lambda part: _constant_q(part, features)  # noqa: E731
        return np.concatenate(list(framed(iter([noise]), 512, margin, 40, compute)))

    found = in_stretches(margin_frames(features))
    assert found.shape == whole.shape
    assert 0.5 < whole.max() < 4
    np.testing.assert_allclose(found, whole, atol=1e-4)
    if samples > 100_000:
        assert np.abs(in_stretches(2) - whole).max() > 1e-2


def test_the_margin_is_two_lengths_of_the_longest_filter():
    # Q of 24 bins per octave: 1 / (2^(1/24) − 1) = 34.13; 2 · 34.13 / 55 Hz = 1.241 s.
    features = {"sample_rate": 16000, "hop": 1024, "lowest_hz": 55}
    assert margin_frames(features) == 20  # 1.28 s


@pytest.mark.parametrize("task", ["onset", "drums", "pitch", "chord", "instrument"])
def test_progress_rises_to_the_end(make_bundle, tmp_path, task):
    path = write(tmp_path / "a.wav", music(31, 11025), 11025)
    seen = []
    listen(path, make_bundle(task), lambda done, total: seen.append((done, total)))
    done = [part for part, _ in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][1]
    assert len(seen) >= 4


@pytest.mark.parametrize("task", ["onset", "drums", "pitch", "chord", "instrument"])
def test_silence_is_heard_as_nothing(make_bundle, tmp_path, task):
    path = write(tmp_path / "a.wav", np.zeros(30000), 8000)
    heard = listen(path, make_bundle(task))
    assert heard.notes[0].startswith("silent below 4000 Hz, so no")
    if isinstance(heard, Events):
        assert len(heard.table) == 0
    elif isinstance(heard, PitchCurve):
        assert not heard.voiced.any()
    elif isinstance(heard, Chords):
        assert (heard.labels, heard.intervals.tolist()) == (("N",), [[0.0, 3.75]])
    else:
        assert heard.classes == ()


@pytest.mark.parametrize("samples", [1, 7, 100, 700])
@pytest.mark.parametrize("task", ["onset", "drums", "pitch", "chord", "instrument"])
@pytest.mark.filterwarnings("error")
def test_files_shorter_than_a_window(make_bundle, tmp_path, task, samples):
    path = write(tmp_path / "a.wav", 0.5 * np.ones(samples), 8000)
    heard = listen(path, make_bundle(task))
    duration = samples / 8000
    if isinstance(heard, Events):
        assert (heard.table.time_seconds <= duration).all()
        assert heard.notes == ("shorter than one window of 1.0 s, continued with silence",)
    elif isinstance(heard, PitchCurve):
        assert len(heard.voiced) == 1 + samples // 64
    elif isinstance(heard, Chords):
        assert len(heard.labels) == 1
        assert heard.intervals.tolist() == [[0.0, duration]]
        assert heard.notes == ("shorter than 1.3 s, continued with silence",)
    else:
        assert heard.probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert "less than one window of 0.26 s" in heard.notes[0]


def test_a_missing_file(make_bundle, tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        listen(tmp_path / "none.wav", make_bundle("onset"))


def test_loud_and_soft_files_have_the_same_chords(make_bundle, tmp_path):
    samples = music(20, 8000)
    bundle = make_bundle("chord")
    loud, soft = (
        hear_chords(
            bundle, bundle.task, open_audio(write(tmp_path / "a.wav", gain * samples, 8000)),
            no_progress,
        )
        for gain in (1.0, 0.25)
    )  # fmt: skip
    assert loud.labels == soft.labels
