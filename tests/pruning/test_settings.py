"""The identity of a run: one object, from which name, label, columns and schema follow."""

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
import yaml

from mirtrim.pruning.methods import METHODS, settings_of, settings_of_name
from mirtrim.pruning.settings import (
    COLUMN_DEFAULTS,
    DEFAULTS,
    DENSE,
    RUN_COLUMNS,
    PruningSettings,
    run_schema,
)
from mirtrim.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
RUNS = {
    ("trim_magnitude_local_rewind", "trim"): {"method": "trim"},
    ("trim_random_global_rewind", "trim (random, global)"): {
        "method": "trim", "criterion": "random", "scope": "global",
    },
    (
        "trim_magnitude_local_rewind_scale_macs_budget_macs_minimum_units_3",
        "trim (macs, macs, minimum units 3)",
    ): {
        "method": "trim", "scale": "macs", "budget": "macs", "minimum_units": 3,
    },
    (
        "same_shape_reference_trim_magnitude_local_rewind", "same shape (of trim)"
    ): {"method": "same_shape", "reference": "trim_magnitude_local_rewind"},
    ("feedback_local_period_32_ramp_end_0p5", "feedback (period 32, ramp end 0.5)"): {
        "method": "feedback", "period": 32, "ramp_end": 0.5,
    },
    ("cram_local_radius_1em05", "cram (radius 1e-05)"): {"method": "cram", "radius": 1e-5},
    ("dense_longer", "dense longer"): {"method": "dense_longer"},
}  # fmt: skip


@pytest.mark.parametrize(("names", "run"), RUNS.items())
def test_name_and_label(names: tuple[str, str], run: dict[str, object]) -> None:
    settings = settings_of(run)
    assert (settings.name, settings.label) == names
    assert PruningSettings.of_columns(settings.columns) == settings
    assert set(settings.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_what_is_at_its_default_is_no_part_of_the_identity() -> None:
    plain = settings_of({"method": "feedback"})
    assert settings_of({"method": "feedback", "period": 16, "ramp_end": 0.75}) == plain
    assert settings_of({"method": "feedback", "period": 17}) != plain
    # Nor is a choice that the method has no use for.
    assert settings_of({"method": "feedback", "criterion": "gradient"}) == plain


def test_an_old_row_is_at_the_defaults_of_what_it_lacks() -> None:
    old = {name: value for name, value in settings_of({"method": "trim"}).columns.items()
           if name not in COLUMN_DEFAULTS}  # fmt: skip
    assert PruningSettings.of_columns(old) == PruningSettings("trim")
    text = {name: str(value) for name, value in PruningSettings("trim").columns.items()}
    assert PruningSettings.of_columns(text) == PruningSettings("trim")


def test_columns_hold_everything() -> None:
    assert list(DENSE.columns) == list(RUN_COLUMNS)
    assert {"method", *DEFAULTS, "hyperparameters"} == set(RUN_COLUMNS)
    assert {entry.name for entry in fields(PruningSettings)} == set(RUN_COLUMNS)


def test_random_numbers_of_old_runs_stay_what_they_were() -> None:
    """The words that every committed row of 0.1 was seeded with."""
    assert settings_of({"method": "trim", "order": "shuffled"}).seed_words == (
        '{"method": "trim", "criterion": "magnitude", "scope": "local", "scale": "max", '
        '"order": "shuffled", "reset": "rewind", "counted": "parameters", "floor": 2, '
        '"reference": "-"}'
    )
    swept = settings_of({"method": "cram", "radius": 0.1}).seed_words
    assert json.loads(swept)["radius"] == 0.1


def test_the_schema_follows() -> None:
    schema = run_schema()
    assert set(schema["properties"]) == {"method", "ratios", *DEFAULTS}
    assert schema["properties"]["scope"] == {
        "enum": ["local", "global"],
        "default": "local",
        "description": "Rank within each layer or over all layers.",
    }
    assert schema["properties"]["minimum_units"] == {
        "type": "integer",
        "minimum": 1,
        "default": 2,
        "description": "Units that every layer keeps at least.",
    }
    # One ratio is enough, and 1 is none.
    ratios = schema["properties"]["ratios"]
    assert (ratios["type"], ratios["minItems"]) == (["array", "null"], 1)
    assert ratios["items"] == {"type": "number", "exclusiveMinimum": 1}
    assert schema["required"] == ["method"]


def test_every_hyperparameter_says_what_it_is_and_can_be_swept() -> None:
    swept = set()
    for name, kind in METHODS.items():
        other_run = "mask_magnitude_local_rewind" if kind.masks else "x"
        base = {"method": name} | ({"reference": other_run} if "reference" in kind.uses else {})
        for entry in fields(kind.Hyperparameters):
            assert entry.metadata["help"].endswith("."), (name, entry.name)
            if among := entry.metadata["among"]:
                value = next(value for value in among if value != entry.default)
                settings = settings_of({**base, entry.name: value})
                assert dict(settings.hyperparameters) == {entry.name: value}
                continue
            other = replace(kind.Hyperparameters(), **{entry.name: entry.default * 2})
            value = min(getattr(other, entry.name), entry.metadata["maximum"] or float("inf"))
            value = value if value != entry.default else entry.default / 2
            settings = settings_of({**base, entry.name: value})
            assert dict(settings.hyperparameters) == {entry.name: value}
            assert getattr(METHODS[name]().own(settings), entry.name) == value
            swept.add(f"{name} {entry.name}")
    assert swept >= {
        "feedback period", "feedback ramp_end", "cram radius", "platon beta_importance",
        "top_kast explored", "top_kast penalty", "powerpropagation exponent",
        "semi_structured decay", "soup ingredients", "trim_fast pack",
    }  # fmt: skip


def test_a_hyperparameter_that_a_method_has_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="radius: unknown key for method trim"):
        settings_of({"method": "trim", "radius": 1})


def test_a_name_says_what_the_run_is() -> None:
    config = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    studies = [run for study in config["studies"].values() for run in study["runs"]]
    for run in [*config["runs"], *studies, *RUNS.values()]:
        settings = settings_of({k: v for k, v in run.items() if k != "ratios"})
        assert settings_of_name(settings.name) == settings
    swept = {"method": "platon", "scope": "global", "beta_importance": 0.5, "period": 3}
    assert settings_of_name(settings_of(swept).name) == settings_of(swept)
    shuffled = {"method": "same_shape", "reference": "trim_magnitude_local_rewind_order_shuffled"}
    assert settings_of_name(settings_of(shuffled).name) == settings_of(shuffled)


@pytest.mark.parametrize(
    "name", ["optimal_damage", "trim", "trim_beauty_local_rewind", "trim_magnitude_local_rewind_x",
             "mask_magnitude_local_rewind_minimum_units_2", "cram_local_radius_big", ""],
)  # fmt: skip
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no run is called"):
        settings_of_name(name)


# What hyper-parameters may be: the smallest and the largest value, None where there is none.
BOUNDS = {
    "explored": (1, None), "exponent": (1, None), "ingredients": (1, None), "pack": (1, None),
    "period": (1, None), "decay": (0, None), "penalty": (0, None), "radius": (0, None),
    "beta_importance": (0, 1), "beta_uncertainty": (0, 1), "prune_at": (0, 1), "ramp_end": (0, 1),
    "rise": (0, 1), "length": (0.01, 1), "taught": (0.01, 1),
}  # fmt: skip
HYPERPARAMETERS = [
    (method, field.name)
    for method, known in METHODS.items()
    for field in (fields(known.Hyperparameters) if known.Hyperparameters else ())
    if field.type is not str
]


@pytest.mark.parametrize(("method", "key"), HYPERPARAMETERS)
def test_hyperparameters_keep_their_bounds(method: str, key: str) -> None:
    smallest, largest = BOUNDS[key]
    for value in (smallest, largest):
        if value is not None:
            settings = settings_of({"method": method, key: value})
            assert getattr(METHODS[method]().own(settings), key) == value
    for value in (smallest - 1, None if largest is None else largest + 1):
        if value is not None:
            with pytest.raises(ConfigError, match=key):
                settings_of({"method": method, key: value})
