"""Pitch: targets, decoding, annotations and scores with literal numbers; and it learns."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mirtrim.corpora.embedded import open_corpus
from mirtrim.corpora.prepare import open_prepared, prepare
from mirtrim.corpora.reader import Making
from mirtrim.runs.jobs.features import extract
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.tasks.f0 import decode, f0_at, melody_scores, pitch_targets
from mirtrim.tasks.pitch import Pitch, blocks_per_frame
from mirtrim.tasks.store import open_store
from mirtrim.training import FitSettings, fit
from mirtrim.training.initialise import initialise
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.seeds import torch_generator

FEATURES = {"sample_rate": 8000, "frame_samples": 512, "hop": 128, "score_every_frames": 4}
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "mirdata_samples"
REAL_SETTINGS = {
    "loader": "mdb_stem_synth",
    "mode": "audio",
    "folder": str(REAL / "mdb_stem_synth"),
    "index": str(REAL / "indexes" / "mdb_stem_synth_index_1.0.0_sample.json"),
}


def test_target_is_a_gaussian_of_25_cents() -> None:
    # Bin 100 is 2000 cents above C1; 10 cents higher lies between two bins.
    f0 = torch.tensor([32.703 * 2 ** (2000 / 1200), 32.703 * 2 ** (2010 / 1200), 0.0])
    targets = pitch_targets(f0)
    assert targets.shape == (3, 360)
    expected = torch.tensor([0.7261, 1.0, 0.7261, 0.2780])  # exp(−0.32), 1, exp(−1.28)
    torch.testing.assert_close(targets[0, 99:103], expected, atol=1e-3, rtol=0)
    assert targets[1, 100] == pytest.approx(targets[1, 101].item(), abs=1e-3)
    assert targets[1, 100] == pytest.approx(np.exp(-0.08), abs=1e-3)
    assert targets[2].sum() == 0
    assert targets[0].mean() == pytest.approx(0.0087, abs=5e-5)  # √(2π) · 25 / 20 / 360


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.floats(90, 7000))
def test_decoding_a_target_gives_its_pitch(cents: float) -> None:
    f0 = torch.tensor([32.703 * 2 ** (cents / 1200)])
    hz, highest = decode(pitch_targets(f0))
    assert abs(1200 * np.log2(hz.item() / f0.item())) < 1.5
    assert 0.92 < highest.item() <= 1


def test_decoding_looks_at_nine_bins_around_the_highest() -> None:
    activation = torch.zeros(3, 360)
    activation[0, [50, 52]] = torch.tensor([0.6, 0.2])  # mean of bins: 50.5
    activation[1, [10, 300]] = torch.tensor([0.5, 0.9])  # the other one is too far away
    activation[2, [0, 1]] = torch.tensor([0.6, 0.3])  # at the edge
    hz, highest = decode(activation)
    bins = 1200 * torch.log2(hz / 32.703) / 20
    torch.testing.assert_close(bins, torch.tensor([50.5, 300.0, 1 / 3]), atol=1e-3, rtol=0)
    assert highest.tolist() == pytest.approx([0.6, 0.9, 0.6])


def test_annotations_are_interpolated_within_a_note_only() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    f0 = np.array([0.0, 400.0, 404.0, 800.0, 0.0])
    at = np.array([0.04, 0.06, 0.15, 0.24, 0.26, 0.34, 0.36, 0.45, 0.55])
    found = f0_at(times, f0, at)
    expected = [0, 400, np.sqrt(400 * 404), 404, 800, 800, 0, 0, 0]
    np.testing.assert_allclose(found, expected)


def test_an_annotation_does_not_last_beyond_its_end() -> None:
    times, f0 = np.array([0.0, 0.1, 0.2]), np.full(3, 100.0)
    assert f0_at(times, f0, np.array([0.25, 0.4])).tolist() == [100, 0]


@pytest.mark.parametrize(("gap", "sounds"), [(2.5, True), (2.75, False)])
def test_a_gap_of_two_hops_and_a_half_is_still_filled(gap: float, sounds: bool) -> None:
    """Hops of 1/4 s, which are exact, and a time in the middle of the gap."""
    times = np.concatenate([np.arange(5), 4 + gap + np.arange(5)]) / 4
    found = f0_at(times, np.full(10, 220.0), np.array([1 + gap / 8]))
    assert (found > 0).tolist() == [sounds]


def test_between_annotations_far_apart_there_is_silence() -> None:
    times = np.concatenate([np.arange(11) / 100, 2 + np.arange(11) / 100])  # 0-0.1 s, 2-2.1 s
    at = np.array([0.0, 0.055, 0.1, 0.109, 0.12, 1.0, 1.98, 1.991, 2.0, 2.105, 2.12])
    found = f0_at(times, np.full(22, 220.0), at)
    assert (found > 0).tolist() == [True] * 4 + [False] * 3 + [True] * 3 + [False]
    # A value that is left out on a grid is no gap; neither is a rest before the first value.
    holed = np.delete(np.arange(20) / 100, [7, 13])
    assert (f0_at(holed, np.full(18, 110.0), np.arange(190) / 1000) > 0).all()
    assert f0_at(times + 5, np.full(22, 220.0), np.array([0.0, 4.98, 4.995]))[:2].tolist() == [0, 0]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_regular_annotations_are_read_as_ever(seed: int) -> None:
    """To the bit, as trainings depend on it; the formula is the one for neighbours."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 200))
    times = np.arange(count) * float(rng.choice([128 / 44100, 0.01, 0.0058]))
    hertz = 220 * 2 ** rng.uniform(-1, 1, count) * (rng.random(count) < 0.8)
    at = rng.uniform(0, times[-1], 50)
    right = np.clip(np.searchsorted(times, at), 1, count - 1)
    share = np.clip((at - times[right - 1]) / (times[right] - times[right - 1]), 0, 1)
    low, high = np.maximum(hertz[right - 1], 1e-3), np.maximum(hertz[right], 1e-3)
    both = (hertz[right - 1] > 0) & (hertz[right] > 0) & (np.abs(np.log2(high / low)) < 1 / 12)
    nearest = np.where(share < 0.5, hertz[right - 1], hertz[right])
    expected = np.where(both, low ** (1 - share) * high**share, nearest)
    np.testing.assert_array_equal(f0_at(times, hertz, at), expected)


def test_scores_of_a_track() -> None:
    reference = np.array([100.0, 100.0, 100.0, 100.0, 0.0])
    # Right; 40 cents sharp, but called silent; an octave up; a fifth up; a false alarm.
    estimate = np.array([100.0, 100 * 2 ** (40 / 1200), 200.0, 150.0, 100.0])
    sounding = np.array([True, False, True, True, True])
    assert melody_scores(reference, estimate, sounding) == pytest.approx(
        {
            "raw_pitch": 2 / 4,
            "raw_chroma": 3 / 4,
            "overall_accuracy": 1 / 5,
            "voicing_recall": 3 / 4,
            "voicing_false_alarm": 1.0,
        }
    )


def test_silence_has_no_pitch_to_get_wrong() -> None:
    scores = melody_scores(np.zeros(3), np.full(3, 100.0), np.array([False, False, True]))
    assert (scores["raw_pitch"], scores["voicing_recall"]) == (1.0, 1.0)
    assert scores["overall_accuracy"] == pytest.approx(2 / 3)
    assert scores["voicing_false_alarm"] == pytest.approx(1 / 3)


def test_frames_are_centred_on_their_annotations(tmp_path: Path) -> None:
    # A click at 0.064 s is sample 512: the middle of the frame that begins with block 4.
    samples = np.zeros(2048, dtype=np.float32)
    samples[512] = 0.5
    soundfile.write(tmp_path / "click.wav", samples, 8000, subtype="PCM_16")
    f0 = SimpleNamespace(times=np.array([0.0, 0.064, 0.128]), frequencies=np.array([0, 440.0, 0]))
    track = SimpleNamespace(audio_path=tmp_path / "click.wav", f0=f0)
    arrays = Pitch().recording(track, FEATURES).arrays
    assert arrays["blocks"].shape == (17 + 3, 128)  # frames at 0, 16, … 256 ms
    assert np.flatnonzero(arrays["blocks"][4:8]).tolist() == [256]
    # Values at 0.032 … 0.08 s; at 0.096 s the silence at 0.128 s is as near, and follows.
    assert np.flatnonzero(arrays["f0_hz"]).tolist() == [2, 3, 4, 5]
    assert arrays["f0_hz"][17:].tolist() == [0, 0, 0]


def test_samples_beyond_full_scale_are_cut_off(tmp_path: Path) -> None:
    """Files of floats may be louder than any converter; their sign must not turn over."""
    samples = np.zeros(2048, dtype=np.float32)
    samples[512:516] = [1.5, -1.5, 1.0, -0.5]
    soundfile.write(tmp_path / "loud.wav", samples, 8000, subtype="FLOAT")
    f0 = SimpleNamespace(times=np.array([0.0, 0.128, 0.256]), frequencies=np.full(3, 440.0))
    track = SimpleNamespace(audio_path=tmp_path / "loud.wav", f0=f0)
    blocks = Pitch().recording(track, FEATURES).arrays["blocks"].flatten()
    assert blocks[4 * 128 + 256 :][:4].tolist() == [32767, -32767, 32767, -16384]


def test_a_hop_must_divide_a_frame() -> None:
    with pytest.raises(ConfigError, match="hop 160"):
        blocks_per_frame({**FEATURES, "hop": 160})


def test_a_real_track_passes_through() -> None:
    if not REAL.is_dir():
        pytest.skip(f"no real data in {REAL}")
    task = Pitch()
    dataset = open_corpus("mdb_stem_synth", REAL_SETTINGS, Path("unused"))
    track = dataset.track("AClassicEducation_NightOwl_STEM_08")
    for features, network in (
        (FEATURES, {"capacity": 1, "first_kernel": 256}),
        ({"sample_rate": 16000, "frame_samples": 1024, "hop": 128, "score_every_frames": 1}, {}),
    ):
        recording = task.recording(track, features)
        frames = round(3.001 * features["sample_rate"]) // features["hop"] + 1
        assert len(recording.arrays["blocks"]) == frames + blocks_per_frame(features) - 1
        assert recording.reference.sounding_frames[0] > 0.5 * recording.reference.scored_frames[0]
        blocks = torch.from_numpy(
            recording.arrays["blocks"][100 : 100 + blocks_per_frame(features)]
        )
        frame = blocks.flatten()[None, None].float()
        assert task.network(features, network).eval()(frame).shape == (1, 360)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    folder = tmp_path_factory.mktemp("pitch")
    corpus = {
        "loader": "mdb_stem_synth",
        "mode": "embedded",
        "folder": None,
        "index": None,
        "pieces": {"train": 14, "validation": 3, "test": 4},
        "piece_seconds": 8,
        "seed": 1,
    }
    training = {
        "initialisation": "sound",
        "epochs": 3,
        "batch_size": 64,
        "examples_per_epoch": 3200,
        "learning_rate": 0.012,
        "weight_decay": 0.0,
        "schedule": "one_cycle",
    }
    prepare(corpus, folder / "corpus", Making())
    done: list[tuple[int, int]] = []
    extract(
        "pitch", corpus, folder / "corpus", folder / "store", FEATURES,
        count=lambda now, of_all: done.append((now, of_all)),
    )  # fmt: skip
    assert done == [(number, 21) for number in range(1, 22)]
    dataset, rows = open_prepared(corpus, folder / "corpus")
    assert len(rows) == len(dataset.track_ids) == 21
    config = {
        "features": FEATURES,
        "network": {"capacity": 1, "first_kernel": 256, "dropout": 0.0, "prior": 0.0087},
        "training": training,
    }
    return Setting("smoke", "mini", Pitch(), config, open_store(folder / "store"))


def test_batches_are_normalised_frames_with_their_targets(smoke: Setting) -> None:
    data = TaskData(smoke, 0, "dense")
    batches = list(data.batches(1))
    assert len(batches) == data.steps_per_epoch == 50
    inputs, targets = batches[0]
    assert (inputs.shape, targets.shape) == ((64, 1, 512), (64, 360))
    torch.testing.assert_close(inputs.mean(dim=2), torch.zeros(64, 1), atol=1e-4, rtol=0)
    torch.testing.assert_close(inputs.square().mean(dim=2), torch.ones(64, 1))
    assert torch.equal(inputs, next(iter(data.batches(1)))[0])
    assert not torch.equal(inputs, next(iter(data.batches(2)))[0])
    # Three pieces of 8 s at 64 ms: 126 frames each.
    assert sum(len(targets) for _, targets in data.validation_batches()) == 3 * 126


def test_a_short_training_beats_the_commonest_pitch(smoke: Setting) -> None:
    torch.set_num_threads(1)
    task, store = smoke.task, smoke.store
    f0 = store.arrays["f0_hz"]
    median = float(f0[f0 > 0].median())
    trivial = {
        str(track_id): np.array([[median], [1.0]]).repeat(len(_frames(store, track_id)), axis=1)
        for track_id in store.of_split("test").index
    }
    decoding = {"threshold": 0.5}
    guessed = task.summarise(task.score(trivial, store, smoke.features, decoding))
    network = smoke.task.network(smoke.features, smoke.config["network"])
    initialise(network, torch_generator(0, "weights"))
    settings_of_fit: FitSettings = smoke.fit_settings
    fit(network, TaskData(smoke, 0, "dense"), settings_of_fit, 0)
    evaluation = smoke.evaluate(network)
    assert guessed["raw_pitch"] < 0.25
    assert evaluation.test_scores["raw_pitch"] > guessed["raw_pitch"] + 0.15
    assert 0.05 <= evaluation.test_scores["threshold"] <= 0.95
    assert evaluation.test_error == pytest.approx(1 - evaluation.test_scores["raw_pitch"])


def _frames(store: object, track_id: str) -> range:
    track = store.tracks.loc[track_id]
    return range(0, int(track["count"]) - 3, FEATURES["score_every_frames"])
