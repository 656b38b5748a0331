"""Listening in blocks gives what the task gives on the whole file."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from mirtrim.listening.audio import AudioError, no_progress, open_audio
from mirtrim.listening.blocks import framed
from mirtrim.listening.chords import _constant_q, hear_chords, margin_frames
from mirtrim.listening.events import decode, hear_events
from mirtrim.listening.features import fundamental
from mirtrim.listening.listen import listen
from mirtrim.listening.results import Chords, Events, PitchCurve, Tags
from mirtrim.listening.steady import steady_paths
from mirtrim.tasks.chord_labels import segments, smoothest_path
from mirtrim.tasks.constant_q import log_constant_q
from mirtrim.tasks.drums import Drums
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import Pitch
from mirtrim.tasks.store import open_store, write_store

from .samples import music, write

SECONDS = 67.3  # several blocks of every kind
PITCH_SECONDS = 12.3
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


class RawPitch(Pitch):
    """Activations as they are, (frames, bins)."""

    def activation(self, outputs, starts, rows):
        return outputs.sigmoid().numpy()


class StillDrums(Drums):
    """Drums of a track without annotation."""

    def events(self, track, features):
        return pd.DataFrame({"time_seconds": [0.1], "label": ["kick"]})


@pytest.fixture(scope="module", params=RATES)
def song(request, tmp_path_factory):
    stereo = np.stack([music(SECONDS, request.param, seed) for seed in (1, 2)], axis=1)
    return write(tmp_path_factory.mktemp("song") / "song.wav", stereo, request.param)


@pytest.mark.parametrize("task", [StillOnset(), StillDrums()], ids=["onset", "drums"])
def test_events(make_bundle, song, tmp_path, task):
    bundle = make_bundle(task.name)
    activation = whole_file(bundle, task, song, tmp_path / "store")
    expected = decode(bundle, activation, 400 / 8000)
    heard = hear_events(bundle, open_audio(song), no_progress)
    assert len(heard.labels) > 100
    assert set(heard.labels) == set(task.detectors)
    assert heard.labels.tolist() == expected.labels.tolist()
    for found, wanted in (
        (heard.times_seconds, expected.times_seconds),
        (heard.confidence, expected.confidence),
    ):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    assert heard.duration_seconds == pytest.approx(SECONDS, abs=1e-4)


def test_pitch(make_bundle, song, tmp_path):
    bundle = make_bundle("pitch")
    samples, rate = soundfile.read(song)
    # Two blocks of the file and twelve of the network.
    song = write(tmp_path / "start.wav", samples[: round(PITCH_SECONDS * rate)], rate)
    activation = whole_file(bundle, RawPitch(), song, tmp_path / "store")
    path = np.concatenate([bins for _, bins in steady_paths([activation])])
    frequency_hz, confidence = fundamental(activation, path)
    heard = listen(song, bundle)
    assert isinstance(heard, PitchCurve)
    np.testing.assert_allclose(heard.confidence, confidence, atol=1e-5)
    np.testing.assert_allclose(heard.frequency_hz, frequency_hz, rtol=1e-5)
    np.testing.assert_array_equal(heard.voiced, heard.confidence >= 0.5)
    assert heard.times_seconds[:3].tolist() == [0, 0.008, 0.016]
    assert heard.times_seconds[-1] == pytest.approx(PITCH_SECONDS, abs=0.008)


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
        assert len(heard.labels) == 0
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
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, samples)
    heard = listen(write(tmp_path / "a.wav", noise, 8000), make_bundle(task))
    duration = samples / 8000
    if samples == 1:  # one sample is a constant
        assert "silent below 4000 Hz, so no" in heard.notes[0]
        return
    if isinstance(heard, Events):
        assert (heard.times_seconds <= duration).all()
        assert heard.notes == ("shorter than one window of 1.0 s, padded with silence",)
    elif isinstance(heard, PitchCurve):
        assert len(heard.voiced) == 1 + samples // 64
    elif isinstance(heard, Chords):
        assert len(heard.labels) == 1
        assert heard.intervals.tolist() == [[0.0, duration]]
        assert heard.notes == ("shorter than 1.3 s, padded with silence",)
    else:
        assert heard.classes == ()
        (note,) = heard.notes
        assert (
            note == f"{duration:.2f} s of sound are too little to name a class: 0.13 s are needed"
        )


def test_half_a_window_of_sound_is_enough_for_a_class(make_bundle, tmp_path):
    path = write(tmp_path / "a.wav", music(0.2, 8000), 8000)
    heard = listen(path, make_bundle("instrument"))
    assert heard.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert heard.notes == ("0.20 s of sound are less than one window of 0.26 s",)


ALL_TASKS = ["onset", "drums", "pitch", "chord", "instrument"]


def is_nothing(heard):
    if isinstance(heard, Events):
        return len(heard.labels) == 0
    if isinstance(heard, PitchCurve):
        return not heard.voiced.any()
    return heard.labels == ("N",) if isinstance(heard, Chords) else heard.classes == ()


def least_steps(samples):
    """Noise of less than one step of 16 bits."""
    return np.random.default_rng(0).uniform(-1, 1, samples) / 32768


@pytest.mark.parametrize("task", ALL_TASKS)
@pytest.mark.parametrize(
    "samples",
    [np.full(30000, 0.002), np.full(30000, -0.7), least_steps(30000), 0.1 + least_steps(30000)],
    ids=["constant", "large constant", "less than a step", "both"],
)
def test_what_has_no_energy_is_nothing(make_bundle, tmp_path, task, samples):
    heard = listen(write(tmp_path / "a.wav", samples, 8000), make_bundle(task))
    assert is_nothing(heard)
    assert "silent below 4000 Hz, so no" in heard.notes[0]


@pytest.mark.parametrize("rate", [8000, 44100])
@pytest.mark.parametrize("rest", [0.0, 0.02])
def test_nothing_is_heard_in_a_rest(make_bundle, tmp_path, rate, rest):
    """Untrained networks hear something everywhere; the rest lies from 2 to 5 s."""
    sound = music(2, rate)
    path = write(tmp_path / "a.wav", np.concatenate([sound, np.full(3 * rate, rest), sound]), rate)
    pitch = listen(path, make_bundle("pitch", decoding={"threshold": 0.0}))
    inside = (pitch.times_seconds > 2.02) & (pitch.times_seconds < 4.98)
    assert not pitch.voiced[inside].any()
    outside = (pitch.times_seconds < 1.98) | (pitch.times_seconds > 5.02)
    assert pitch.voiced[outside].all()
    for task in ("onset", "drums"):
        times = listen(path, make_bundle(task)).times_seconds
        # A frame of 64 ms and a hop of 50 ms reach into the rest.
        assert not ((times > 2.1) & (times < 4.85)).any()
        assert (times < 2).sum() > 3
        assert (times > 5).sum() > 3
    chord = listen(path, make_bundle("chord"))
    at = [label for (a, b), label in zip(chord.intervals, chord.labels, strict=True) if a < 3 < b]
    assert at == ["N"]


def test_a_short_rest_belongs_to_the_chord(make_bundle, tmp_path):
    sound = music(6, 8000, 3)
    bundle = make_bundle("chord", decoding={"change_penalty": 1e6})
    sound[20000:23000] = 0  # 0.375 s
    whole = listen(write(tmp_path / "a.wav", sound, 8000), bundle)
    assert len(whole.labels) == 1
    sound[20000:26000] = 0
    assert len(listen(write(tmp_path / "b.wav", sound, 8000), bundle).labels) == 3


@pytest.mark.parametrize("task", ALL_TASKS)
def test_an_offset_changes_nothing(make_bundle, tmp_path, task):
    bundle = make_bundle(task)
    clean, shifted = (
        listen(write(tmp_path / "a.wav", music(6, 8000) + offset, 8000), bundle)
        for offset in (0.0, 0.05)
    )
    if isinstance(clean, Events):
        assert clean.times_seconds.tolist() == shifted.times_seconds.tolist()
        assert clean.labels.tolist() == shifted.labels.tolist()
    elif isinstance(clean, PitchCurve):
        np.testing.assert_allclose(clean.confidence, shifted.confidence, atol=0.02)
    elif isinstance(clean, Chords):
        assert clean.labels == shifted.labels
    else:
        assert clean.classes == shifted.classes
        np.testing.assert_allclose(clean.probabilities, shifted.probabilities, atol=0.02)


class Reach(torch.nn.Module):
    """Activation 1 where the loudness of a frame differs from that of the next one.

    It answers to every edge, those that padding makes included.
    """

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x):
        loudness = x.mean(dim=2)  # (windows, 1, frames)
        following = torch.cat([loudness[..., 1:], loudness[..., -1:]], dim=2)
        return 20 * (following - loudness).abs() - 5


@pytest.mark.parametrize("seconds", [0.7, 1.0, 2.0, 2.37, 5.0])
def test_no_event_comes_from_the_padding_behind_a_file(make_bundle, tmp_path, seconds):
    """A network that hears edges hears the end of a steady tone, in the task's own way."""
    bundle = replace(make_bundle("onset"), network=Reach())
    times = np.arange(round(seconds * 8000)) / 8000
    steady = 0.5 * np.sin(2 * np.pi * 220 * times)
    path = write(tmp_path / "a.wav", steady, 8000)
    raw = whole_file(bundle, StillOnset(), path, tmp_path / "store")
    late = decode(bundle, raw, 0.05).times_seconds
    assert ((late > seconds - 0.3) & (late <= seconds)).any()
    heard = listen(path, bundle).times_seconds
    assert not (heard > 0.1).any()
    # What is in the file is heard, as near to the end as frames can see.
    steady[-2000:] *= 0.01
    heard = listen(write(tmp_path / "b.wav", steady, 8000), bundle).times_seconds
    assert np.abs(heard - (seconds - 0.25)).min() <= 0.075  # a frame and a half
    assert not (heard > seconds - 0.15).any()


def test_a_classifier_may_be_unsure(make_bundle, tmp_path):
    path = write(tmp_path / "a.wav", music(3, 8000), 8000)
    sure = listen(path, make_bundle("instrument"))
    assert sure.sure
    best = float(sure.probabilities[0])
    almost = listen(path, make_bundle("instrument", decoding={"sure_from": best + 0.001}))
    just = listen(path, make_bundle("instrument", decoding={"sure_from": best - 0.001}))
    assert (almost.sure, just.sure, just.notes) == (False, True, ())
    assert almost.classes == sure.classes
    assert almost.notes[0].startswith("unsure: the most probable class has ")


def test_notes_on_the_file_stand_first(make_bundle, tmp_path):
    tone = music(6, 8000)
    path = write(tmp_path / "a.wav", 30000 * np.stack([tone, -tone], axis=1), 8000)
    heard = listen(path, make_bundle("instrument", decoding={"sure_from": 1.0}))
    assert [note.split(",")[0].split(":")[0] for note in heard.notes] == [
        f"its samples reach {30000 * np.abs(tone).max():.6g} where 1 is full scale",
        "its channels cancel each other",
        "unsure",
    ]


def test_a_missing_file(make_bundle, tmp_path):
    with pytest.raises(AudioError, match="no such file"):
        listen(tmp_path / "none.wav", make_bundle("onset"))


def test_loud_and_soft_files_have_the_same_chords(make_bundle, tmp_path):
    samples = music(20, 8000)
    bundle = make_bundle("chord")
    loud, soft = (
        hear_chords(
            bundle, open_audio(write(tmp_path / "a.wav", gain * samples, 8000)), no_progress
        )
        for gain in (1.0, 0.25)
    )
    assert loud.labels == soft.labels
