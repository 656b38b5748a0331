"""Bundles survive the disk; every kind of damage is one line."""

import json
from dataclasses import replace

import pytest
import torch

from mirtrim.listening.bundle import read_bundle, write_bundle
from mirtrim.listening.shelf import find_bundle
from mirtrim.tasks.registry import get_task
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ArtefactError, ConfigError

from .samples import CHOICES, SETTINGS, about_of, card_of, network_of


@pytest.mark.parametrize("task", ["onset", "drums", "pitch", "chord", "instrument"])
def test_a_trimmed_network_comes_back(tmp_path, task):
    network = network_of(task).eval()
    example = torch.randn_like(get_task(task).example_input(SETTINGS[task]["features"]))
    graph = discover(network, example)
    keep = graph.all_kept()
    for layer in graph.layers:
        if not layer.pinned_because:
            keep[layer.groups[0]] = False
    small = cut(network, graph, keep)
    about = about_of(task, small)
    base = write_bundle(tmp_path / "new", "small-1.5", small, about)
    assert base == tmp_path / "new" / "small-1.5"
    assert sorted(path.name for path in base.parent.iterdir()) == [
        "small-1.5.json", "small-1.5.model.json", "small-1.5.onnx", "small-1.5.safetensors",
    ]  # fmt: skip
    for ending in ("", ".json", ".model.json", ".onnx", ".safetensors"):
        bundle = read_bundle(f"{base}{ending}")
        assert bundle.about == about
        assert bundle.path == base
        assert not bundle.network.training
        state, expected = bundle.network.state_dict(), small.state_dict()
        assert all(torch.equal(state[name], expected[name]) for name in expected)
        with torch.no_grad():
            torch.testing.assert_close(bundle.network(example), small(example))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "else", "does not describe a trained network; choose another file"),
        ("version", 2, "has version 2, this reads 3"),
        ("task", "cooking", "task 'cooking' is unknown; known: chord"),
        ("weights_sha256", None, "weights_sha256 is missing"),
        ("weights_sha256", "0", "is not what onset.model.json describes"),
        ("parameters", 5, "parameters, not 5 as described"),
        ("ratio", 0.5, "ratio: 0.5 is less than the minimum of 1"),
        ("test_error", "small", "test_error: 'small' is not of type 'number'"),
        ("decoding", {}, "decoding: 'threshold_onset' is a required property"),
        ("scores", {}, "scores: 'f_measure' is a required property"),
        ("statistics", {}, "statistics: "),
        ("statistics", {"mean": [0.0] * 8, "deviation": [0.0] * 8}, "statistics.deviation.0: 0.0"),
        ("statistics", {"mean": [0.0] * 7, "deviation": [1.0] * 8}, "7 numbers for 8 columns"),
        ("surprise", 1, "'surprise' was unexpected"),
        ("files", {"fp16": {"sha256": "0"}}, "files: does not describe ONNX files"),
        ("manner", {"kind": "events"}, "manner: does not say how to listen"),
        ("network", {"channels": 4, "hidden": 8, "dropout": 0.25}, "does not fit the factory"),
        ("network", {"channels": 4}, "network: 'hidden' is a required property"),
        ("features", {**SETTINGS["onset"]["features"], "mel_bands": 12}, "8 numbers for 12"),
        ("features", {**SETTINGS["onset"]["features"], "hop": 0}, "features.hop: 0 is less than"),
    ],
)
def test_damage_is_one_line(make_bundle, key, value, message):
    base = make_bundle("onset").path
    path = base.with_name("onset.model.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ArtefactError) as caught:
        read_bundle(base)
    assert message in str(caught.value)
    assert "onset" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_that_is_older_than_a_feature_has_its_default(make_bundle):
    base = make_bundle("onset").path
    path = base.with_name("onset.model.json")
    content = json.loads(path.read_text())
    older = {
        k: v for k, v in content["features"].items() if k not in ("threshold", "merge_seconds")
    }
    path.write_text(json.dumps({**content, "features": older}))
    features = read_bundle(base).about.features
    assert (features["threshold"], features["merge_seconds"]) == ("best", 0.03)
    del older["mel_bands"]
    path.write_text(json.dumps({**content, "features": older}))
    with pytest.raises(ArtefactError, match="features: 'mel_bands' is a required property"):
        read_bundle(base)


@pytest.mark.parametrize("ending", [".json", ".model.json", ".safetensors"])
def test_missing_and_broken_files(make_bundle, ending):
    base = make_bundle("onset").path
    path = base.with_name(base.name + ending)
    path.write_bytes(b"{")
    with pytest.raises(ArtefactError, match="onset"):
        read_bundle(base)
    path.unlink()
    with pytest.raises(ArtefactError, match=f"onset{ending} is missing"):
        read_bundle(base)


def test_nothing_wrong_is_written(tmp_path):
    network = network_of("onset")
    about = about_of("onset", network)
    for wrong, message in (
        (replace(about, decoding={}), "threshold_onset"),
        (replace(about, parameters=7), "not 7 as described"),
        (replace(about, licence=""), "licence"),
    ):
        with pytest.raises(ArtefactError, match=message):
            write_bundle(tmp_path / "models", "a", network, wrong)
    assert not (tmp_path / "models").exists()


def test_the_nearest_ratio_that_is_enough(make_bundle, tmp_path):
    folder = tmp_path / "models"
    make_bundle("onset", "d", ratio=1.0, target_ratio=1.0, pruning={**CHOICES, "method": "dense"})
    make_bundle("onset", "four", ratio=4.2)
    make_bundle("onset", "eight", ratio=8.1, target_ratio=8.0)
    make_bundle("onset", "eight_better", ratio=8.1, target_ratio=8.0, validation_error=0.1)
    make_bundle("chord", "other", ratio=20.0)
    names = {ratio: find_bundle(folder, "onset", ratio).name for ratio in (None, 1, 4, 4.3, 8)}
    assert names == {None: "d", 1: "d", 4: "four", 4.3: "eight_better", 8: "eight_better"}
    with pytest.raises(ArtefactError) as caught:
        find_bundle(folder, "onset", 16)
    assert str(caught.value).endswith(
        "no network of task onset is 16 times smaller, only dense 1.0x, trim 4.2x, "
        "trim 8.1x, trim 8.1x"
    )
    assert find_bundle(folder, "chord").name == "other"
    with pytest.raises(ArtefactError, match="no network of task drums; it holds chord, onset"):
        find_bundle(folder, "drums")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtefactError, match="it holds no networks"):
        find_bundle(tmp_path / "empty", "drums")
    with pytest.raises(ConfigError, match="nowhere: no such folder; check the name"):
        find_bundle(tmp_path / "nowhere", "drums")
    with pytest.raises(ConfigError, match=r"ratio 0.5: must be at least 1"):
        find_bundle(folder, "onset", 0.5)


def test_the_card_says_what_the_numbers_say(make_bundle):
    card = card_of(make_bundle("drums", corpus="mini_groove_midi", test_error=0.6))
    for words in (
        "# drums\n",
        "it finds strokes of kick, snare, hihat, in steps of 50 ms.",
        "trim, 4.2 times smaller than the dense one, seed 0",
        "mini_groove_midi (drum kits alone), rendered music, not recordings",
        "Test error 0.600 (1 − f measure), validation error 0.250",
        "| f measure | 0.625 |",
        "| compression ratio | 4.25 (target: 4) |",
        "less than 100 ms apart count as one",
        "it is wrong more often than right",
        "## Licence\n\nMIT.",
    ):
        assert words in card
    assert "confusion" not in card
    card = card_of(make_bundle("instrument", corpus="tinysol"))
    assert "flute, piano, violin" in card
    assert "rendered" not in card
    assert "more often" not in card
    card = card_of(make_bundle("drums", name="varied", corpus="varied_drums"))
    assert "varied_drums (drum kits, at most with a quiet band behind them), rendered music" in card
    assert "* Recordings, unless you check by ear" in card
