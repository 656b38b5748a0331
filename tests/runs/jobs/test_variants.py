"""Variants of tasks: names, merged settings, whose rows they have, and what is refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirtrim.runs.jobs.variants import merge, name_of
from mirtrim.runs.plan import Plan, make_plan
from mirtrim.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))
WIDTHS = [{"value": 0.5, "network": {"channels": 4}}, {"value": 1}]
EPOCHS = [{"value": 3, "training": {"epochs": 3}, "rewind_epoch": 2}, {"value": 8}]


def planned(variants: dict[str, Any], tasks: tuple[str, ...] = ("onset",), **study: Any) -> Plan:
    config = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    config["tasks"] = {name: config["tasks"][name] for name in ("onset", "chord")}
    block = {"tasks": list(tasks), "ratios": [4], "runs": [], "variants": variants, **study}
    config["studies"] = {"sizes": block}
    return make_plan(config, SCHEMA, SCRIPTS)


def test_every_combination_is_a_variant_with_settings_of_its_own() -> None:
    plan = planned({"onset": {"width": WIDTHS, "epochs": EPOCHS}})
    assert list(plan.variants) == [
        "onset-width_0p5-epochs_3", "onset-width_0p5-epochs_8",
        "onset-width_1-epochs_3", "onset-width_1-epochs_8",
    ]  # fmt: skip
    turned = planned({"onset": {"epochs": EPOCHS, "width": WIDTHS}})
    assert turned.variants == plan.variants
    small = plan.variants["onset-width_0p5-epochs_3"]
    assert small["values"] == {"width": 0.5, "epochs": 3}
    assert (small["task"], small["study"]) == ("onset", ["sizes"])
    network, training = small["block"]["network"], small["block"]["training"]
    assert (network["channels"], network["hidden"]) == (4, 256)
    assert (training["epochs"], training["batch_size"], small["block"]["rewind_epoch"]) == (
        3,
        32,
        2,
    )
    # The task stays as it is, and digests tell all of them apart.
    assert plan.config["tasks"]["onset"]["network"]["channels"] == 8
    assert len({plan.settings[f"task {name}"] for name in plan.variants}) == 4
    assert "features onset-width_1-epochs_3" not in plan.settings
    assert plan.code["dense onset-width_0p5-epochs_3"] == plan.code["dense onset"]


def test_one_that_equals_its_task_or_another_has_its_rows() -> None:
    plan = planned({"onset": {"width": WIDTHS, "epochs": EPOCHS}})
    assert plan.variants["onset-width_1-epochs_8"]["rows"] == "onset"
    own = ("onset-width_0p5-epochs_3", "onset-width_0p5-epochs_8", "onset-width_1-epochs_3")
    assert [plan.variants[name]["rows"] for name in own] == list(own)
    assert plan.settings["task onset-width_1-epochs_8"] == plan.settings["task onset"]
    twins = planned({"onset": {"rewind": [{"value": 1, "rewind_epoch": 3},
                                          {"value": 2, "rewind_epoch": 3}]}})  # fmt: skip
    assert twins.variants["onset-rewind_2"]["rows"] == "onset-rewind_1"
    # Other ratios are other rounds.
    fewer = planned({"onset": {"width": [{"value": 1, "ratios": [2, 4]}]}})
    assert fewer.variants["onset-width_1"]["rows"] == "onset-width_1"
    trim = fewer.expected()["onset-width_1"]["trim_magnitude_local_rewind"]
    assert trim.ratios == (2, 4)


def test_without_variants_a_plan_is_what_it_was() -> None:
    plan, with_them = planned({}), planned({"onset": {"width": WIDTHS}})
    assert plan.variants == {}
    assert plan.expected().keys() == {"onset", "chord"}
    for key, digest in plan.settings.items():
        assert with_them.settings[key] == digest
    for key, digest in plan.code.items():
        assert with_them.code[key] == digest


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ({"pitch": {"width": WIDTHS}}, r"sizes.variants.pitch: is not one of its tasks; known"),
        ({"onset": {"width": [WIDTHS[0], WIDTHS[0]]}}, r"onset.width: value 0.5 occurs twice"),
        ({"onset": {"width": [*WIDTHS, WIDTHS[1]]}}, r"onset.width: value 1 occurs twice"),
        ({"onset": {"width": [{"value": 1, "features": {}}]}}, r"width.0: unknown key 'features'"),
        ({"onset": {"width": [{"network": {}}]}}, r"variants.onset.width.0: 'value' is a required"),
        ({"onset": {"width": [{"value": 2, "network": {"chanels": 4}}]}},
         r"variant onset-width_2: network: unknown key 'chanels'; allowed: channels"),
        ({"onset": {"width": [{"value": 2, "network": {"channels": 0}}]}},
         r"variant onset-width_2: network.channels: 0 is less than"),
        ({"onset": {"width": [{"value": 2, "ratios": [4, 2]}]}}, r"onset-width_2: ratios: must"),
        ({"onset": {"Width": WIDTHS}}, r"onset.Width: names here match"),
        ({"onset": {}}, r"variants.onset: .*(non-empty|properties)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(variants: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        planned(variants)


def test_a_variant_of_two_studies_has_one_meaning() -> None:
    config = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    config["tasks"] = {"onset": config["tasks"]["onset"]}
    study = {"tasks": ["onset"], "ratios": [4], "runs": [], "variants": {"onset": {}}}
    config["studies"] = {
        name: {**study, "variants": {"onset": {"width": [{"value": 2, "network": network}]}}}
        for name, network in (("first", {"channels": 16}), ("second", {"channels": 16}))
    }
    plan = make_plan(copy.deepcopy(config), SCHEMA, SCRIPTS)
    assert plan.variants["onset-width_2"]["study"] == ["first", "second"]
    level = config["studies"]["second"]["variants"]["onset"]["width"][0]
    level["network"] = {"channels": 12}
    said = r"studies.second.variants.onset: onset-width_2 has other settings in study first$"
    with pytest.raises(ConfigError, match=said):
        make_plan(config, SCHEMA, SCRIPTS)


def test_a_variant_that_brings_in_code_has_a_digest_of_its_own() -> None:
    noise = [{"value": 0.1, "training": {"label_noise": 0.1}},
             {"value": 0.2, "training": {"label_noise": 0.2}}]  # fmt: skip
    damage = [{"value": 4, "training": {"damage_weight": 4}}, {"value": 0}]
    plan = planned({"chord": {"noise": noise, "damage": damage}}, tasks=("chord",))
    code, run = plan.code, "trim_magnitude_local_rewind"
    names = ["chord", "chord-damage_0-noise_0p1", "chord-damage_4-noise_0p1",
             "chord-damage_4-noise_0p2"]  # fmt: skip
    # How much noise is a setting, that there is any is code; damage is none of the dense training.
    plain, noisy, both, more = (code[f"dense {name}"] for name in names)
    assert noisy == both == more != plain
    plain, noisy, both, more = (code[f"compress {name} {run}"] for name in names)
    assert len({plain, noisy, both}) == 3
    assert both == more
    assert len({plan.settings[f"task {name}"] for name in names}) == 4


def test_settings_of_flaws_at_their_defaults_change_no_digest() -> None:
    rest = {"label_noise": 0, "damage_weight": 0, "rare_classes": None}
    plan = planned({"onset": {"noise": [{"value": 0, "training": rest}]}})
    assert plan.variants["onset-noise_0"]["rows"] == "onset"


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"label_noise": 0.1}, "task onset: training.label_noise is for"),
        ({"rare_classes": {"factor": 2}}, "task onset: training.rare_classes is for"),
        ({"damage_weight": 1}, "task onset: training.damage_weight is for"),
        ({"label_noise": 1}, "training.label_noise: 1 is greater than or equal to"),
        ({"rare_classes": {"order": 1}}, "training.rare_classes: 'factor' is a required"),
        ({"rare_classes": {"factor": 0.5}}, "rare_classes.factor: 0.5 is less than"),
    ],
)
def test_flaws_that_cannot_be_are_refused_before_anything_runs(
    training: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        planned({"onset": {"noise": [{"value": 1, "training": training}]}})


def test_what_a_study_tells() -> None:
    variants = {"onset": {"width": WIDTHS}}
    runs = ["trim_magnitude_local_rewind", "dense"]
    told = [
        planned(variants, **study).config["studies"]["sizes"]["told"]
        for study in ({}, {"contrasts": [runs]}, {"told": "calibration"}, {"told": "rare_classes"})
    ]
    assert told == ["free_ratios", "contrasts", "calibration", "rare_classes"]


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"told": "fortune"}, r"sizes.told: 'fortune' is not one of"),
        ({"told": "contrasts"}, r"sizes.told: contrasts is for studies with contrasts"),
        ({"told": "calibration", "contrasts": [["dense", "trim_magnitude_local_rewind"]]},
         r"sizes.told: calibration is for studies without contrasts"),
    ],
)  # fmt: skip
def test_what_a_study_cannot_tell_is_named(study: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        planned({"onset": {"width": WIDTHS}}, **study)


def test_a_study_without_variants_tells_nothing_of_them() -> None:
    with pytest.raises(ConfigError, match=r"sizes.told: is for studies with variants"):
        planned({}, runs=[{"method": "mask", "order": "shuffled"}], told="rare_classes")


def test_the_neighbours_are_planned_with_every_level() -> None:
    default = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    merge(default, yaml.safe_load((ROOT / "config/neighbours.yaml").read_text()))
    plan = make_plan(default, SCHEMA, SCRIPTS)
    rows = {name: found["rows"] for name, found in plan.variants.items()}
    assert rows["instrument-noise_0"] == rows["instrument-damage_0-imbalance_1"] == "instrument"
    noise = [name for name in rows if "noise" in name]
    assert [name for name in noise if rows[name] == name] == [
        "instrument-noise_0p1", "instrument-noise_0p2", "instrument-noise_0p4",
        "chord-noise_0", "chord-noise_0p1", "chord-noise_0p2", "chord-noise_0p4",
    ]  # fmt: skip
    rare = plan.variants["instrument-damage_4-imbalance_20"]["block"]["training"]
    assert (rare["damage_weight"], rare["rare_classes"]) == (4, {"factor": 20, "order": 0})


def test_names_and_merging() -> None:
    assert name_of("pitch", {"width": 0.125, "rewind": -1}) == "pitch-width_0p125-rewind_m1"
    base: dict[str, Any] = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    merge(base, {"a": {"c": [5]}, "d": 4})
    assert base == {"a": {"b": 1, "c": [5]}, "d": 4}


def test_the_published_studies_use_the_rows_of_the_published_widths() -> None:
    default = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    merge(default, yaml.safe_load((ROOT / "config/published.yaml").read_text()))
    plan = make_plan(default, SCHEMA, SCRIPTS)
    rows = {name: variant["rows"] for name, variant in plan.variants.items()}
    assert rows["chord-width_1-epochs_30"] == "chord"
    assert rows["onset-width_1"] == "onset"
    assert rows["instrument-width_1"] == "instrument"
    assert len([name for name in rows if name.startswith("chord-width") and "epochs" in name]) == 12
    assert plan.variants["chord-width_0p5-rewind_1"]["block"]["rewind_epoch"] == 30
