"""Bundles from what a replication writes: rows, networks, statistics."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.listening.about import FP32, INT8, read_description
from mirtrim.listening.bundle import read_bundle, write_bundle
from mirtrim.listening.collecting import calibrated, collect_bundles
from mirtrim.listening.decoding import sure_from
from mirtrim.listening.runtime import open_listener
from mirtrim.pruning.methods import settings_of
from mirtrim.runs.jobs.compress import Run, compress
from mirtrim.runs.jobs.dense import dense_cost, load_dense, train_dense
from mirtrim.runs.jobs.setting import open_setting
from mirtrim.runs.rows import read_rows
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import open_store, write_store
from mirtrim.utils.errors import ArtefactError, ConfigError

from .samples import SPECTRAL, about_of, card_of, network_of

BLOCK = {
    "corpus": "mini_noise",
    "rewind_epoch": 1,
    **SPECTRAL,
    "training": {
        "initialisation": "sound", "epochs": 2, "batch_size": 8, "examples_per_epoch": 32,
        "learning_rate": 0.01, "weight_decay": 1e-4, "schedule": "one_cycle",
        "plateau_patience": 10, "stop_patience": 30, "positive_weight": 2,
    },
}  # fmt: skip
RUN = "trim_magnitude_local_rewind"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Networks and rows of a dense training and two rounds of trimming."""
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    tracks = []
    for number, split in enumerate(["train", "train", "validation", "test"]):
        targets = (rng.random((60, 1)) < 0.2).astype(np.uint8)
        frames = rng.standard_normal((60, 8)).astype(np.float32) + 2 * targets
        times = np.flatnonzero(targets) * 0.05
        row = {"track_id": f"t{number}", "split": split, "source": f"s{number}",
               "duration_seconds": 3.0}  # fmt: skip
        events = pd.DataFrame({"time_seconds": times, "label": "onset"})
        tracks.append((row, {"frames": frames.astype(np.float32), "targets": targets}, events))
    write_store(folder / "store", tracks, "frames")
    setting = open_setting("test", "onset", BLOCK, folder / "store")
    train_dense(
        setting, 0, 1, network_path=folder / "dense_seed0.safetensors",
        rows_path=folder / "dense.csv", pieces_path=folder / "pieces.csv",
        resume_folder=folder / "resume",
    )  # fmt: skip
    dense = load_dense(folder / "dense_seed0.safetensors")
    cost, choices = dense_cost(folder / "dense.csv"), settings_of({"method": "trim"})
    compress(
        Run(setting, dense, cost, choices, {1: 2.0, 2: 4.0}, 0),
        rows_path=folder / "trim.csv", pieces_path=folder / "pieces2.csv",
        networks_folder=folder / f"{RUN}_seed0", resume_folder=folder / "resume",
    )  # fmt: skip
    return folder


def collect(results, target, runs=("dense", RUN), ratios=(4, 16), **changes):
    tables = {
        "dense": read_rows([results / "dense.csv"]),
        RUN: read_rows([results / "trim.csv"]),
    }
    statistics = open_store(results / "store").statistics
    return collect_bundles(BLOCK, tables, results, statistics, target, runs, ratios, **changes)


def test_bundles_are_the_networks_of_the_rows(results, tmp_path):
    written = collect(results, tmp_path)
    assert [path.name for path in written] == ["onset-dense", f"onset-{RUN}-ratio-4"]
    setting = open_setting("test", "onset", BLOCK, results / "store")
    for path, rows, number in zip(written, ("dense.csv", "trim.csv"), (0, 1), strict=True):
        bundle, row = read_bundle(path), read_rows([results / rows]).iloc[number]
        assert bundle.about.test_error == row.test_error
        assert bundle.about.ratio == pytest.approx(row.ratio)
        scores = json.loads(row.scores)
        threshold = scores.pop("threshold_onset")
        assert bundle.about.decoding == {"threshold_onset": threshold}
        assert bundle.about.scores == scores
        assert bundle.about.statistics == setting.store.statistics
        assert setting.evaluate(bundle.network).test_error == row.test_error
        assert path.with_name(path.name + ".md").read_text().startswith(f"# {path.name}\n")


def test_with_features_there_is_an_eight_bit_copy_with_its_score(results, tmp_path):
    (plain,) = collect(results, tmp_path / "plain", runs=["dense"])
    assert list(read_description(plain).files) == [FP32]
    store = open_store(results / "store")
    (base,) = collect(results, tmp_path / "both", runs=["dense"], store=store)
    said = read_description(base)
    assert set(said.files) == {FP32, INT8}
    small, large = said.files[INT8], said.files[FP32]
    assert small["bytes"] == base.with_name(f"{base.name}.int8.onnx").stat().st_size
    assert min(small["milliseconds"], large["milliseconds"]) > 0
    assert small["machine"] == large["machine"] != ""
    assert small["test_error"] == pytest.approx(said.about.test_error, abs=0.2)
    listener = open_listener(base, INT8)
    example = np.random.default_rng(0).standard_normal((3, 1, 8, 20)).astype(np.float32)
    exact = open_listener(base).outputs(example)
    found = listener.outputs(example)
    assert found.shape == exact.shape
    assert not np.array_equal(found, exact)
    assert np.abs(found - exact).max() < 0.2 * np.abs(exact).max()
    card = base.with_name(f"{base.name}.md").read_text()
    assert "| test error of the int8 network |" in card
    assert "| milliseconds for one example, fp32, one thread |" in card


def test_the_dense_bundle_holds_the_best_weights(results, tmp_path):
    (path,) = collect(results, tmp_path, runs=["dense"])
    best = load_dense(results / "dense_seed0.safetensors").best
    state = read_bundle(path).network.state_dict()
    assert all(torch.equal(state[name], value) for name, value in best.items())


def test_what_is_not_there_is_named(results, tmp_path):
    with pytest.raises(ConfigError, match="no rows of run 'mask' are given; given: dense, trim_"):
        collect(results, tmp_path, runs=["mask"])
    with pytest.raises(ConfigError, match="has no rows of seed 0 at ratios 16"):
        collect(results, tmp_path, runs=[RUN], ratios=[16])
    with pytest.raises(ConfigError, match="has no rows of seed 1"):
        collect(results, tmp_path, seed=1)
    table = read_rows([results / "dense.csv"]).assign(scores="{}")
    with pytest.raises(ArtefactError, match="onset lack threshold_onset"):
        collect_bundles(BLOCK, {"dense": table}, results, {}, tmp_path, ["dense"], [])
    assert not list(tmp_path.iterdir())


def test_a_classifier_learns_from_which_probability_on_it_is_sure():
    probability = {
        name: np.array([[best, 1 - best], [best, 1 - best]])
        for name, best in (("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.65), ("e", 0.6), ("f", 0.55))
    }
    right = dict.fromkeys("abcdef", 0)
    assert sure_from(probability, right) == pytest.approx(0.55)
    # 1, 1, 1, 3/4, 4/5, 4/6 of the answers down to each are right.
    assert sure_from(probability, {**right, "d": 1, "f": 1}) == pytest.approx(0.6)
    assert sure_from(probability, {**right, "e": 1, "f": 1}) == pytest.approx(0.6)
    assert sure_from(probability, dict.fromkeys("abcdef", 1)) == 1.0


def test_the_threshold_is_chosen_on_validation_alone(tmp_path):
    network = network_of("instrument")
    about = about_of("instrument", network)
    rng = np.random.default_rng(0)
    tracks = []
    for number, split in enumerate(["train", "validation", "validation", "test"]):
        row = {"track_id": f"t{number}", "split": split, "source": f"s{number}",
               "duration_seconds": 1.0}  # fmt: skip
        samples = rng.integers(-9000, 9000, 8000).astype(np.int16)
        label = pd.DataFrame({"label": ["flute" if split == "test" else "piano"]})
        tracks.append((row, {"samples": samples}, label))
    write_store(tmp_path / "store", tracks, None)
    store = open_store(tmp_path / "store")
    task = get_task("instrument")
    predictions = task.predict(network, store, "validation", about.features)
    piano = about.features["classes"].index("piano")
    expected = sure_from(predictions, {"t1": piano, "t2": piano})
    assert calibrated(network, about, store) == {"sure_from": round(expected, 4)}
    assert calibrated(network, about, None) == {}
    # A bundle takes it, and its card says so.
    with_it = replace(about, decoding={"sure_from": 0.5})
    bundle = read_bundle(write_bundle(tmp_path / "models", "a", network, with_it))
    assert bundle.about.decoding == {"sure_from": 0.5}
    assert "below a probability of 0.50 it answers “unsure”" in card_of(bundle)
    with pytest.raises(ArtefactError, match="sure_from"):
        write_bundle(tmp_path, "b", network, replace(about, decoding={"sure_from": 1.5}))
