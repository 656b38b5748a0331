"""The three profiles are valid, and every mistake is named in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mirtrim.config import validate
from mirtrim.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def default() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / "config" / "default.yaml").read_text())
    return config


def test_a_task_that_is_left_out_is_left_out_of_the_studies() -> None:
    config = default()
    config["tasks"]["chord"] = None
    assert validate(config, SCHEMA)["studies"]["methods"]["tasks"] == ["onset"]


def test_default_is_valid_and_defaults_are_filled_in() -> None:
    config = validate(default(), SCHEMA)
    assert config["data_folder"] == "data"
    assert config["runs"][0]["floor"] == 2
    assert config["corpora"]["mini_groove_midi"]["folder"] is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["rations"], [2], r"^config key \(top level\): unknown key 'rations'; allowed: .*ratios"),
        (["seeds"], "0", r"^config key seeds: '0' is not of type array$"),
        (["ratios"], [4, 2], r"^config key ratios: must rise"),
        (["ratios"], [0.5], r"^config key ratios.0: 0.5 is less than or equal to"),
        (
            ["tasks", "onset", "corpus"],
            "x",
            r"^config key tasks.onset.corpus: no corpus 'x'; known",
        ),
        (
            ["tasks", "onset", "training", "epochs"],
            "ten",
            r"tasks.onset.training.epochs: 'ten' is not",
        ),
        (
            ["tasks", "onset", "training", "learning_rate"],
            float("nan"),
            r"^config key tasks.onset.training.learning_rate: nan is no number",
        ),
        (["ratios"], [2, float("inf")], r"^config key ratios.1: inf is no number"),
        (
            ["tasks", "onset", "training", "learning_rate"],
            "inf",
            r"^config key tasks.onset.training.learning_rate: inf is no number",
        ),
        (["seeds"], ["0", "1.5"], r"^config key seeds.1: '1.5' is not of type integer"),
        (["data_folder"], "~nobody_at_all/x", r"^config key data_folder: ~nobody_at_all/x is in"),
        (
            ["runs", 0, "method"],
            "melt",
            r"^config key runs.0.method: unknown method .melt.; known: .*mask.*trim",
        ),
        (
            ["runs", 0, "criterion"],
            "loudness",
            r"^config key runs.0.criterion: mask has no criterion 'loudness'; known: ",
        ),
        (["runs", 1, "method"], "mask", r"^config key runs.1: run mask_magnitude_local_rewind is"),
        (
            ["studies", "methods", "tasks"],
            ["smell"],
            r"^config key studies.methods.tasks: unknown task 'smell'",
        ),
        (
            ["studies", "methods", "runs", 0, "ratios"],
            [5, 6],
            r"key studies.methods.runs.0.ratios: none is among the ratios of task onset: 1.5",
        ),
        (
            ["studies", "methods", "runs", 0],
            {"method": "same_shape", "reference": "trim_by_ear"},
            r"key studies.methods.runs.0.reference: no run .trim_by_ear. before this one; known",
        ),
        (
            ["studies", "methods", "runs", 0],
            {"method": "same_shape"},
            r"^config key studies.methods.runs.0.reference: same_shape copies another run; name",
        ),
        (
            ["studies", "criteria", "runs", 4, "ratios"],
            [4, 16],
            r"^config key studies.criteria.runs.4: another study has this run with other settings",
        ),
        (["costs", "runs"], ["melt"], r"^config key costs.runs: no run 'melt'; known: mask_magn"),
        (
            ["studies", "onset"],
            {"tasks": [], "ratios": [4], "runs": []},
            r"^config key studies.onset: is the name of a target already; rename it",
        ),
    ],
)
def test_mistakes_are_named(path: list[Any], value: Any, message: str) -> None:
    config = default()
    block: Any = config
    for key in path[:-1]:
        block = block[key]
    block[path[-1]] = value
    with pytest.raises(ConfigError, match=message) as caught:
        validate(config, SCHEMA)
    assert "\n" not in str(caught.value)


def test_numbers_that_were_written_as_text_are_numbers() -> None:
    config = default()
    config["seeds"] = ["0", "1"]  # what --config seeds=[0,1] gives
    config["ratios"] = ["1.5", "2", 4, 8, 16, "32"]
    training = config["tasks"]["onset"]["training"]
    training["learning_rate"], training["epochs"] = "1e-3", "3"  # no number in YAML 1.1
    checked = validate(config, SCHEMA)
    assert (checked["seeds"], checked["ratios"]) == ([0, 1], [1.5, 2, 4, 8, 16, 32])
    assert checked["tasks"]["onset"]["training"]["learning_rate"] == 0.001
    assert checked["tasks"]["onset"]["training"]["epochs"] == 3
    assert checked["profile"] == "default"


def test_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    config = default()
    config["data_folder"] = "~/x"
    config["corpora"]["mini_groove_midi"].update(folder="~", index="~/index.json")
    checked = validate(config, SCHEMA)
    assert checked["data_folder"] == "/home/someone/x"
    assert checked["corpora"]["mini_groove_midi"]["folder"] == "/home/someone"
    assert checked["corpora"]["mini_groove_midi"]["index"] == "/home/someone/index.json"
