"""Settings of a task, and of its variants, that contradict each other are named in one line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from mirtrim.runs.config import load_schema, validate, validate_variant
from mirtrim.runs.jobs.variants import variants_of
from mirtrim.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def checked(task: dict[str, Any], level: dict[str, Any]) -> list[dict[str, Any]]:
    """Onset of the default profile with `task` merged into it, and the only level of a study;
    returns the settings of both."""
    config = yaml.safe_load((ROOT / "config" / "default.yaml").read_text())
    onset = config["tasks"]["onset"]
    onset["training"] |= task.pop("training", {})
    onset |= task
    config["tasks"] = {"onset": onset}
    study = {"tasks": ["onset"], "ratios": [2], "runs": [{"method": "cram"}]}
    study["variants"] = {"onset": {"epochs": [{"value": 9, **level}]}}
    config["studies"] = {"mine": study}
    config = validate(config, SCHEMA)
    [(_, name, _, block)] = variants_of(config)
    validate_variant(config, load_schema(SCHEMA), name, block, "onset-epochs_9")
    return [config["tasks"]["onset"], block]


def refused(settings: dict[str, Any], key: str, message: str) -> None:
    """Both a task and a variant of these settings are refused, in one line that names the key."""
    for task, level, where in (
        (settings, {}, "tasks.onset."),
        ({}, settings, "studies: variant onset-epochs_9: "),
    ):
        with pytest.raises(ConfigError) as caught:
            checked(yaml.safe_load(yaml.safe_dump(task)), level)
        assert str(caught.value) == f"config key {where}{key}: {message}"


def test_an_epoch_has_a_step_at_least() -> None:
    refused(
        {"training": {"batch_size": 4000}},
        "training.batch_size",
        "4000 is above examples_per_epoch, 1920; lower it, or an epoch has no step",
    )
    one_step = checked({"training": {"batch_size": 1920}}, {})
    assert [block["training"]["batch_size"] for block in one_step] == [1920, 1920]


def test_weights_are_rewound_to_an_epoch_that_there_is() -> None:
    refused(
        {"rewind_epoch": 7, "training": {"epochs": 2}},
        "rewind_epoch",
        "7 is beyond its 2 epochs; lower it",
    )
    last = checked({"rewind_epoch": 2, "training": {"epochs": 2}}, {})
    assert [block["rewind_epoch"] for block in last] == [2, 2]


def test_a_momentum_that_one_cycle_would_move_is_refused() -> None:
    refused(
        {"training": {"momentum": 0.5, "optimizer": "sgd"}},
        "training.momentum",
        "one_cycle moves the momentum between 0.95 and 0.85; leave it out, or use schedule plateau",
    )
    kept = checked({"training": {"momentum": 0.5, "schedule": "plateau"}}, {})
    assert [block["training"]["momentum"] for block in kept] == [0.5, 0.5]
