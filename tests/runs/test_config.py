"""The three profiles are valid, and every mistake is named in one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirtrim.pruning.methods import settings_of
from mirtrim.runs.config import load_schema, validate
from mirtrim.runs.config_references import PREFIXES, RULES
from mirtrim.runs.config_values import expand_home
from mirtrim.tasks.registry import TASKS
from mirtrim.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
PROFILES = sorted(
    path.stem
    for path in (ROOT / "config").glob("*.yaml")
    if "profile:" in path.read_text() and path.stem != "default"
)
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"


def default() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((ROOT / "config" / "default.yaml").read_text())
    return config


def test_a_task_that_is_left_out_is_left_out_of_the_studies() -> None:
    config = default()
    config["tasks"]["chord"] = None
    assert validate(config, SCHEMA)["studies"]["criteria"]["tasks"] == ["onset"]


def test_default_is_valid_and_defaults_are_filled_in() -> None:
    config = validate(default(), SCHEMA)
    assert config["data_folder"] == "data"
    assert config["runs"][0]["minimum_units"] == 2
    assert config["corpora"]["mini_groove_midi"]["folder"] is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["rations"], [2], r"^config key \(top level\): unknown key 'rations'; allowed: .*ratios"),
        (["seeds"], "0", r"^config key seeds: '0' is not of type array$"),
        (["ratios"], [4, 2], r"^config key ratios: must rise"),
        (["tasks", "chord", "ratios"], [2, 2], r"^config key tasks.chord.ratios: must rise"),
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
            ["runs", 0, "method"],
            "melt",
            r"^config key runs.0.method: unknown method .melt.; known: .*mask.*trim",
        ),
        (
            ["runs", 0, "criterion"],
            "loudness",
            r"^config key runs.0.criterion: mask has no criterion 'loudness'; known: ",
        ),
        (
            ["recordings"],
            {"sets": [{"name": "a", "task": "smell", "folder": "x"}]},
            r"^config key recordings.sets.0.task: 'smell' does not support listening; known: chord",
        ),
        (
            ["recordings"],
            {"sets": [{"name": "a", "task": "onset"}]},
            r"^config key recordings.sets.0: set folder or loader$",
        ),
        (
            ["recordings"],
            {"sets": 2 * [{"name": "a", "task": "onset", "folder": "x"}]},
            r"^config key recordings.sets.1.name: a occurs twice$",
        ),
        (
            ["runs", 1, "method"],
            "mask",
            r"^config key runs.1: run mask_magnitude_local_rewind occurs twice",
        ),
        (
            ["studies", "methods", "tasks"],
            ["smell"],
            r"^config key studies.methods.tasks: unknown task 'smell'",
        ),
        (
            ["runs", 2, "ratios"],
            [5, 6],
            r"^config key runs.2.ratios: no task has any of them; there are 1.5, 2, 3, 4",
        ),
        (
            ["runs", 3],
            {"method": "same_shape", "reference": "trim_by_ear"},
            r"^config key runs.3.reference: no run .trim_by_ear. before this one; known: mask",
        ),
        (
            ["runs", 0],
            {"method": "cram", "radus": 0.1},
            r"^config key runs.0.radus: unknown key for method cram; allowed: .*radius",
        ),
        (["runs", 0], {"method": "cram", "radius": -1}, r"runs.0.radius: -1 is below 0"),
        (["runs", 0], {"method": "mask", "radius": 1}, r"runs.0.radius: unknown key for"),
        (["runs", 0], {"method": "cram", "radius": "big"}, r"runs.0.radius: 'big' is not a number"),
        (["runs", 0], {"method": "feedback", "period": 1.5}, r"runs.0.period: 1.5 is not an int"),
        (["runs", 0], {"method": "feedback", "period": True}, r"runs.0.period: True is not"),
        (
            ["runs", 0],
            {"method": "cram", "radius": float("nan")},
            r"runs.0.radius: nan is no",
        ),
        (
            ["studies", "methods", "runs", 0],
            {"method": "same_shape"},
            r"^config key studies.methods.runs.0.reference: same_shape copies another run; name",
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


@pytest.mark.parametrize("task", ["onset", "chord"])
@pytest.mark.parametrize("part", ["features", "network", "training"])
def test_a_key_that_no_task_has_is_named_in_every_part(task: str, part: str) -> None:
    config = default()
    config["tasks"][task][part]["loudness"] = 1
    message = rf"^config key tasks\.{task}\.{part}: unknown key 'loudness'; allowed: "
    with pytest.raises(ConfigError, match=message):
        validate(config, SCHEMA)


def test_a_key_that_is_needed_is_named() -> None:
    config = default()
    del config["tasks"]["onset"]["training"]["epochs"]
    with pytest.raises(ConfigError, match=r"^config key tasks\.onset\.training: 'epochs' is a req"):
        validate(config, SCHEMA)


def test_a_task_that_there_is_not_is_named() -> None:
    config = default()
    config["tasks"]["smell"] = config["tasks"]["onset"]
    with pytest.raises(ConfigError, match=r"^config key tasks: unknown key 'smell'; allowed: chor"):
        validate(config, SCHEMA)


OWN = """
profile: mine
seeds: [0]
ratios: [3]
tasks: {instrument: null, pitch: null, drums: null, onset: null}
runs:
  - {method: trim}
  - {method: cram, radius: [0.02, 0.05, 0.1]}
studies: null
"""


def own(text: str = OWN) -> dict[str, Any]:
    """The default configuration with a profile of one's own over it, as Snakemake merges them."""

    def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
        for key, value in over.items():
            both = isinstance(value, dict) and isinstance(base.get(key), dict)
            base[key] = merged(base[key], value) if both else value
        return base

    return merged(default(), yaml.safe_load(text))


def test_a_profile_of_ones_own_is_short() -> None:
    notes: list[str] = []
    config = validate(own(), SCHEMA, notes)
    assert list(config["tasks"]) == ["chord"]
    assert config["studies"] == {}
    names = [settings_of(run).name for run in config["runs"]]
    assert names == [
        "trim_magnitude_local_rewind",
        "cram_local_radius_0p02",
        "cram_local",
        "cram_local_radius_0p1",
    ]
    # What is weighed and published by the profile that it inherits, and is no run of its own.
    assert config["costs"]["runs"] == config["costs"]["board_runs"] == names[:1]
    assert config["models"]["runs"] == []
    assert "costs.runs: feedback_local is left out, the profile has no such run" in notes


def test_a_profile_that_narrows_need_not_silence_inherited_studies() -> None:
    notes: list[str] = []
    config = validate(own(OWN.replace("studies: null", "")), SCHEMA, notes)
    # Nothing of the studies has a ratio of 3 but what goes through every round; the other runs
    # and the studies of other ratios are left out, and each is told.
    assert config["studies"] == {}
    assert sum(note.endswith("the profile has nothing for it") for note in notes) == 7
    config = validate(own(OWN.replace("studies: null", "").replace("[3]", "[2, 4]")), SCHEMA)
    runs = {name: [run["method"] for run in b["runs"]] for name, b in config["studies"].items()}
    assert runs["fine_tuning"] == ["trim"]
    assert "cram" not in runs["methods"]  # is a main run now, and trained once
    assert config["studies"]["repetitions"]["tasks"] == ["chord"]
    assert "speed" not in runs  # onset and drums only


def test_a_run_whose_reference_the_profile_has_not_is_left_out() -> None:
    notes: list[str] = []
    text = OWN.replace("studies: null", "").replace("{method: trim}", "{method: mask}")
    config = validate(own(text.replace("[3]", "[2, 4]")), SCHEMA, notes)
    methods = [run["method"] for run in config["studies"]["controls"]["runs"]]
    assert "same_shape" not in methods
    assert any(
        "same_shape" in note and "its reference is not an earlier run" in note for note in notes
    )


def test_nulls_leave_things_out() -> None:
    config = validate(own(OWN + "costs: null\nmodels: null\n"), SCHEMA)
    assert config["costs"]["runs"] == config["models"]["runs"] == []


def test_sweeps_are_products() -> None:
    text = OWN.replace("radius: [0.02, 0.05, 0.1]", "radius: [0.1, 0.2], scope: [local, global]")
    names = [settings_of(run).name for run in validate(own(text), SCHEMA)["runs"][1:]]
    assert names == [
        "cram_local_radius_0p1",
        "cram_global_radius_0p1",
        "cram_local_radius_0p2",
        "cram_global_radius_0p2",
    ]


def test_defaults_never_change_their_meaning() -> None:
    """Settings at their default are no part of a result's identity, so that a key can be added
    later. If the default of a key changed, old results would be taken for new ones. Add lines
    here for new keys; never change one.
    """
    schema = load_schema(SCHEMA)
    task = schema["properties"]["tasks"]["properties"]["onset"]["properties"]
    found = {
        name: part["default"]
        for block in (task, task["training"]["properties"], schema["$defs"]["corpus"]["properties"])
        for name, part in block.items()
        if "default" in part
    }
    assert found == {
        "ratios": None, "rewind_epoch": 1, "network": {}, "initialisation": "sound",
        "augmentation": None, "teacher": None, "banks": ["pretty_midi"], "one_shots": [],
        "copies": 1,
        "weight_decay": 0.0001, "optimizer": "adam", "momentum": 0.9, "precision": "float32",
        "dropout_kernel": "torch", "schedule": "plateau", "plateau_patience": 10,
        "stop_patience": 30, "positive_weight": 1, "folder": None, "index": None, "version": None,
        "label_noise": 0, "rare_classes": None, "damage_weight": 0,
        "parts": None, "pieces": {"train": 120, "validation": 40, "test": 80},
        "piece_seconds": 20, "minimum_seconds": 0, "train_share": 1, "seed": 2020,
    }  # fmt: skip
    of_tasks = {
        f"{name} {part} {key}": value["default"]
        for name, kind in TASKS.items()
        for part, keys in kind.schema.items()
        for key, value in keys.items()
        if "default" in value
    }
    assert of_tasks == {
        "chord features bins": 105,
        "chord features window_frames": 15,
        "chord features gain": 100,
        "chord features annotation": "played",
        "chord features score_every_frames": 1,
        "chord network widths": [16, 20, 24],
        "chord network hidden": 200,
        "chord network noise": 0.3,
        "chord network dropout": 0.6,
        "chord network affine_input": True,
        "chord training transpose_semitones": 4,
        "drums features merge_seconds": 0.03,
        "drums features threshold": "best",
        "drums network channels": 256,
        "drums network dropout": 0.25,
        "drums network hidden": 1024,
        "drums training positive_weight": 1,
        "drums_five features merge_seconds": 0.03,
        "drums_five features threshold": "best",
        "drums_five network channels": 256,
        "drums_five network dropout": 0.25,
        "drums_five network hidden": 1024,
        "drums_five training positive_weight": 1,
        "genre features silence_db": 40,
        "genre network kernel": 64,
        "genre network channels": 64,
        "genre network hidden": 512,
        "genre network bottleneck_channels": 1,
        "genre network dropout": 0.25,
        "instrument features silence_db": 40,
        "instrument network kernel": 64,
        "instrument network channels": 64,
        "instrument network hidden": 512,
        "instrument network bottleneck_channels": 1,
        "instrument network dropout": 0.25,
        "onset features merge_seconds": 0.03,
        "onset features threshold": "best",
        "onset network channels": 256,
        "onset network dropout": 0.25,
        "onset network hidden": 1024,
        "onset training positive_weight": 1,
        "pitch features frame_samples": 1024,
        "pitch features score_every_frames": 1,
        "pitch network capacity": 4,
        "pitch network first_kernel": 512,
        "pitch network dropout": 0.25,
        "pitch network prior": 0.5,
    }


def test_of_two_studies_with_one_run_the_later_has_the_last_word() -> None:
    notes: list[str] = []
    config = default()
    config["studies"]["mine"] = {
        "tasks": ["onset"], "ratios": [2], "runs": [{"method": "cram", "ratios": [2]}],
    }  # fmt: skip
    studies = validate(config, SCHEMA, notes)["studies"]
    assert "cram" not in [run["method"] for run in studies["methods"]["runs"]]
    assert [run["ratios"] for run in studies["mine"]["runs"]] == [[2]]
    assert "studies.methods: run cram_local is left out, studies.mine has other ratios" in notes


def test_what_a_study_has_and_the_profile_has_not_is_told_line_by_line() -> None:
    cram, late = {"method": "cram"}, {"method": "gradual", "ratios": [5]}
    shape = {"method": "same_shape", "reference": "cram_local"}
    config = default()
    config["tasks"]["chord"] = None
    config["studies"] = {
        "mine": {"tasks": ["onset"], "ratios": [2], "runs": [cram, late, shape]},
        "none": {"tasks": ["onset"], "ratios": [5], "runs": [cram]},
        "gone": {"tasks": ["chord"], "ratios": [2], "runs": [late]},
        "lost": {"tasks": ["onset"], "ratios": [2], "runs": [late]},
        "odd": {"tasks": ["onset"], "ratios": [2], "runs": [shape, {"method": "soup"}]},
    }
    notes: list[str] = []
    found = validate(config, SCHEMA, notes)["studies"]
    runs = {name: [run["method"] for run in study["runs"]] for name, study in found.items()}
    assert runs == {"mine": ["cram", "same_shape"], "odd": ["soup"]}
    missed = "is left out, no task has any of its ratios"
    assert [note for note in notes if note.startswith("studies.")] == [
        f"studies.mine: run gradual_local {missed}",
        "studies.none: is left out, the profile has nothing for it",
        "studies.gone: is left out, the profile has nothing for it",
        f"studies.lost: run gradual_local {missed}",
        "studies.lost: is left out, the profile has nothing for it",
        "studies.odd: run same_shape_reference_cram_local is left out, its reference is not an "
        "earlier run",
    ]


VARIED = {
    "tasks": ["onset"], "ratios": [2], "runs": [{"method": "cram"}, {"method": "trim"}],
    "variants": {"onset": {"width": [{"value": 0.5, "network": {"channels": 4}}]}},
}  # fmt: skip
CONTRASTS = {"contrasts": [["cram_local", "trim_magnitude_local_rewind"]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {}, "told": "free_ratios"}, "is for studies with variants; leave it out"),
        ({"told": "contrasts"}, "contrasts is for studies with contrasts"),
        (
            CONTRASTS | {"told": "free_ratios"},
            "free_ratios is for studies without contrasts",
        ),
        (
            {
                "told": "levels",
                "variants": {
                    "onset": {
                        "width": [{"value": 1}, {"value": 2}],
                        "epochs": [{"value": 8}, {"value": 9}],
                    }
                },
            },
            "levels needs a study that varies one dimension, the same for all tasks",
        ),
    ],
)
def test_what_a_study_tells_fits_what_it_has(change, message) -> None:
    config = default()
    config["studies"] = {"mine": VARIED | change}
    with pytest.raises(ConfigError, match=rf"studies\.mine\.told: {message}$"):
        validate(config, SCHEMA)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variants": {}, "main_runs": []}, "is for studies with variants; leave it out"),
        ({"main_runs": ["cram_local"]}, "'cram_local' is no run of `runs`; known: .*trim_magn.*"),
    ],
)
def test_main_runs_of_a_study_are_main_runs(change, message) -> None:
    config = default()
    config["studies"] = {"mine": VARIED | change}
    with pytest.raises(ConfigError, match=rf"studies\.mine\.main_runs: {message}$"):
        validate(config, SCHEMA)


def test_a_fixed_dimension_is_no_level() -> None:
    config = default()
    levels = {"width": [{"value": 0.5}], "rewind": [{"value": 0}, {"value": 1, "rewind_epoch": 2}]}
    config["studies"] = {"mine": VARIED | {"told": "levels", "variants": {"onset": levels}}}
    assert validate(config, SCHEMA)["studies"]["mine"]["told"] == "levels"


def test_what_a_study_tells_unless_it_says_so() -> None:
    config = default()
    config["studies"] = {"free": VARIED, "pairs": VARIED | CONTRASTS}
    studies = validate(config, SCHEMA)["studies"]
    assert (studies["free"]["told"], studies["pairs"]["told"]) == ("free_ratios", "contrasts")


def test_a_study_without_seeds_has_those_of_the_profile() -> None:
    config = default()
    config["seeds"] = [4, 7]
    mine = {"tasks": ["onset"], "ratios": [2], "runs": [{"method": "cram"}]}
    config["studies"] = {"both": mine, "one": {**mine, "seeds": [7]}}
    studies = validate(config, SCHEMA)["studies"]
    assert [studies[name]["seeds"] for name in ("both", "one")] == [[4, 7], [7]]


def test_whole_numbers_are_integers_however_they_are_written() -> None:
    config = default()
    config["seeds"] = [0.0, "1"]
    onset, chord = config["tasks"]["onset"], config["tasks"]["chord"]
    onset["training"] |= {"epochs": 9.0, "batch_size": "32.0", "teacher": "0.5"}
    onset["features"]["hop"] = 768.0
    onset["network"]["channels"] = 6.0
    chord["network"]["widths"] = [6.0, 9, "12"]
    config["studies"]["criteria"]["seeds"] = ["2", 3.0]
    found = validate(config, SCHEMA)
    numbers = [
        *found["seeds"], *(onset["training"][key] for key in ("epochs", "batch_size")),
        onset["features"]["hop"], onset["network"]["channels"], *chord["network"]["widths"],
        *found["studies"]["criteria"]["seeds"],
    ]  # fmt: skip
    assert numbers == [0, 1, 9, 32, 768, 6, 6, 9, 12, 2, 3]
    assert {type(number) for number in numbers} == {int}
    assert onset["training"]["teacher"] == 0.5


@pytest.mark.parametrize("seeds", [[0, "0"], [3, 3.0], ["4", "4.0"]])
def test_one_seed_is_not_there_twice(seeds: list[Any]) -> None:
    with pytest.raises(ConfigError, match=r"^config key seeds: \[.*\] has non-unique elements$"):
        validate(default() | {"seeds": seeds}, SCHEMA)


@pytest.mark.parametrize("text", ["8.5", 8.5, "many"])
def test_what_is_no_whole_number_is_named_as_it_was_written(text: Any) -> None:
    config = default()
    config["tasks"]["onset"]["training"]["epochs"] = text
    with pytest.raises(
        ConfigError,
        match=rf"^config key tasks\.onset\.training\.epochs: {text!r} is not of type int",
    ):
        validate(config, SCHEMA)


@pytest.mark.parametrize("name", ["rows", "page", "dense", "corpus_drums", "models_own"])
def test_a_study_has_no_name_of_a_rule(name: str) -> None:
    study = {"tasks": ["onset"], "ratios": [2], "runs": [{"method": "cram"}]}
    message = rf"^config key studies\.{name}: is the name of a target already; rename it$"
    with pytest.raises(ConfigError, match=message):
        validate(default() | {"studies": {name: study}}, SCHEMA)


def test_every_rule_is_known_by_its_name() -> None:
    text = "".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk"))
    assert {*re.findall(r"^rule (\w+):", text, re.MULTILINE)} <= {*RULES}
    made = re.findall(r"name:\n +(?:f\"(\w+)\{\w+\}\"|(\w+)\n)", text)
    assert {prefix for prefix, _ in made if prefix} == {*PREFIXES}
    # `kind`: pages of what was measured, whose table stands in measurements.smk.
    assert {variable for _, variable in made if variable} == {"study", "task", "kind"}
    pages = text.partition("MEASURED_PAGES = {")[2].partition("\n}")[0]
    assert {"merging"} < {*re.findall(r'^    "(\w+)": \(', pages, re.MULTILINE)} <= {*RULES}


@pytest.mark.parametrize("name", ["My-Drums", "drums 2"])
def test_the_workflow_can_use_the_name_of_a_corpus(name: str) -> None:
    config = default()
    config["corpora"][name] = config["corpora"]["mini_guitarset"]
    message = rf"^config key corpora\.{name}: names here match \^\[a-z0-9_\]\+\$; rename it$"
    with pytest.raises(ConfigError, match=message):
        validate(config, SCHEMA)


def test_numbers_are_finite() -> None:
    config = default()
    config["tasks"]["onset"]["training"]["learning_rate"] = float("nan")
    with pytest.raises(
        ConfigError,
        match=r"^config key tasks.onset.training.learning_rate: nan is not a usable number",
    ):
        validate(config, SCHEMA)
    config = default()
    config["ratios"] = [2, float("inf")]
    with pytest.raises(ConfigError, match=r"^config key ratios.1: inf is not a usable number"):
        validate(config, SCHEMA)


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = default()
    config["data_folder"] = "~/x"
    config["corpora"]["mini_groove_midi"]["folder"] = "~/groove"
    found = validate(config, SCHEMA)
    assert found["data_folder"] == str(tmp_path / "x")
    assert found["corpora"]["mini_groove_midi"]["folder"] == str(tmp_path / "groove")
    assert found["corpora"]["mini_guitarset"]["folder"] is None
    config["data_folder"] = "~nobody_of_that_name/x"
    with pytest.raises(ConfigError, match=r"data_folder: ~nobody_of_that_name/x has no home"):
        validate(config, SCHEMA)


def test_every_path_may_begin_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    def config(begin: str) -> dict[str, Any]:
        corpus = {
            "folder": f"{begin}/f", "index": f"{begin}/i", "one_shots": [f"{begin}/o"],
            "banks": [f"{begin}/a", f"{begin}/b"],
        }  # fmt: skip
        recorded = {"folder": f"{begin}/g", "index": f"{begin}/j"}
        return {
            "data_folder": f"{begin}/d",
            "corpora": {"mine": corpus, "bare": {"folder": None, "banks": None}},
            "recordings": {"sets": [{"folder": None}, recorded]},
        }

    found = config("~")
    expand_home(found)
    expected = config("/home/someone")
    expected["recordings"]["sets"][0] = {"folder": None}
    assert found == expected
    for key, change in (
        ("corpora.mine.banks.1", lambda c: c["corpora"]["mine"]["banks"]),
        ("recordings.sets.1.index", lambda c: c["recordings"]["sets"][1]),
    ):
        wrong = config("~")
        change(wrong)["index" if "index" in key else 1] = "~nobody_of_that_name/x"
        said = rf"config key {key}: ~nobody_of_that_name/x has no home folder"
        with pytest.raises(ConfigError, match=said):
            expand_home(wrong)


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


MEASURED = """
connectivity:
  chord: {runs: [dense, trim_magnitude_local_rewind], ratios: [3]}
  pitch: {runs: [dense], ratios: [3]}
inspected: {tasks: [chord, onset], runs: [trim_magnitude_local_rewind, mask_magnitude_local_rewind]}
"""


def test_what_is_measured_is_of_tasks_and_runs_of_the_profile() -> None:
    notes: list[str] = []
    config = validate(own(OWN + MEASURED), SCHEMA, notes)
    assert config["connectivity"] == {
        "chord": {"runs": ["dense", "trim_magnitude_local_rewind"], "ratios": [3],
                  "seeds": config["seeds"]}
    }  # fmt: skip
    assert config["inspected"]["tasks"] == ["chord"]
    assert config["inspected"]["runs"] == ["trim_magnitude_local_rewind"]
    assert config["inspected"]["seeds"] == config["seeds"]
    for note in (
        "connectivity: pitch is left out, the profile has no such task",
        "inspected.tasks: onset is left out, the profile has no such task",
        "inspected.runs: mask_magnitude_local_rewind is left out, the profile has no such run",
    ):
        assert note in notes
    assert validate(own(), SCHEMA)["inspected"]["tasks"] == ["chord"]
    nothing = validate(own(OWN + "inspected: null\nconnectivity: null\n"), SCHEMA)
    assert (nothing["inspected"]["runs"], nothing["connectivity"]) == ([], {})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ratios: [3]}\n  pitch", "ratios: [5]}\n  pitch", r"connectivity.chord.ratios: 5 is no"),
        ("  chord: {runs", "  song: {runs", r"connectivity: unknown task 'song'"),
        ("[dense, trim", "[dense, prune", r"connectivity.chord.runs: no run 'prune_magn.*dense"),
        ("[chord, onset]", "[chord, song]", r"inspected.tasks: unknown task 'song'"),
    ],
)
def test_a_mistake_in_what_is_measured_is_named(old: str, new: str, message: str) -> None:
    assert MEASURED.count(old) == 1
    with pytest.raises(ConfigError, match=rf"^config key {message}"):
        validate(own(OWN + MEASURED.replace(old, new)), SCHEMA)


def merging(change: Callable[[dict[str, Any]], object] = lambda config: None) -> dict[str, Any]:
    """The default profile with a pair of tasks that share a trunk, checked."""
    config = default()
    config["merging"] = {
        "onset": {"other": "drums", "runs": ["trim_magnitude_local_finetune"], "ratios": [4]},
    }
    change(config)
    return config


def test_tasks_that_share_a_trunk_are_of_the_profile() -> None:
    config = validate(merging(), SCHEMA)
    assert config["merging"]["onset"] == {
        "other": "drums", "runs": ["trim_magnitude_local_finetune"], "ratios": [4],
        "seeds": config["seeds"],
    }  # fmt: skip
    notes: list[str] = []
    without = validate(merging(lambda config: config["tasks"].update(drums=None)), SCHEMA, notes)
    assert without["merging"] == {}
    assert "merging.onset.other: drums is left out, the profile has no such task" in notes
    assert validate(default(), SCHEMA)["merging"] == {}
    nothing = validate(merging(lambda config: config.update(merging=None)), SCHEMA)
    assert nothing["merging"] == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"other": "onset"}, r"merging.onset.other: is the task itself; name another"),
        ({"other": "smell"}, r"merging.onset.other: unknown task 'smell'"),
        ({"other": "chord"}, r"merging.onset.other: chord has other settings \(.*hop.*corpus\)"),
        ({"ratios": [5]}, r"merging.onset.ratios: 5 is not a ratio of the task; it has 1.5, 2"),
        ({"runs": ["dense"]}, r"merging.onset.runs: no run 'dense'; known: mask_magnitude"),
        ({"with": "drums"}, r"merging.onset: unknown key 'with'"),
    ],
)
def test_a_pair_that_cannot_share_a_trunk_is_refused(change: dict[str, Any], message: str) -> None:
    config = merging(lambda config: config["merging"]["onset"].update(change))
    with pytest.raises(ConfigError, match=rf"^config key {message}"):
        validate(config, SCHEMA)


def test_variants_share_a_trunk_as_tasks_do() -> None:
    def of_variants(other: str, ratio: float = 4) -> dict[str, Any]:
        config = default()
        levels = {"width": [{"value": 0.5, "network": {"channels": 4}, "ratios": [2, 4]}]}
        config["studies"]["narrow"] = {
            "tasks": ["onset", "drums"],
            "ratios": [2, 4],
            "runs": [],
            "variants": {"onset": levels, "drums": levels},
        }
        run = "trim_magnitude_local_finetune"
        pair = {"other": other, "runs": [run], "ratios": [ratio]}
        config["merging"] = {"onset-width_0p5": pair}
        return validate(config, SCHEMA)["merging"]

    assert list(of_variants("drums-width_0p5")) == ["onset-width_0p5"]
    with pytest.raises(ConfigError, match=r"merging.onset-width_0p5.other: unknown task 'drums-w"):
        of_variants("drums-width_0p25")
    with pytest.raises(
        ConfigError, match=r"width_0p5.ratios: 8 is not a ratio of the task; it has"
    ):
        of_variants("drums-width_0p5", 8)


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_with_ratios_of_its_own_inherits_none_of_a_task(name: str) -> None:
    """`ratios: null` of a task stands for those of the profile; a task of the default profile that
    has its own would keep them without a word."""
    profile = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    own = {task for task, block in default()["tasks"].items() if block.get("ratios")}
    assert own == {"pitch", "drums"}
    for task in own if "ratios" in profile else ():
        block = profile["tasks"].get(task, {})
        assert block is None or "ratios" in block, task


def test_features_of_a_pair_are_the_same() -> None:
    config = merging(lambda config: config["tasks"]["drums"]["features"].update(mel_bands=40))
    with pytest.raises(ConfigError, match=r"drums has other settings \(mel_bands\); two tasks"):
        validate(config, SCHEMA)


def test_contrasts_are_of_runs_of_the_profile_and_of_variants() -> None:
    def study(contrasts: str, variants: str) -> dict[str, Any]:
        text = OWN.replace("studies: null", "")
        block = f"{{tasks: [chord], ratios: [3], runs: [], contrasts: {contrasts}, {variants}}}"
        config = own(text)
        config["studies"] = {"lengths": yaml.safe_load(block)}
        return validate(config, SCHEMA)

    lengths = "variants: {chord: {epochs: [{value: 1, training: {epochs: 1}}, {value: 5}]}}"
    pair = "[[trim_magnitude_local_rewind, dense]]"
    found = study(pair, lengths)["studies"]["lengths"]
    assert found["contrasts"] == [["trim_magnitude_local_rewind", "dense"]]
    with pytest.raises(ConfigError, match=r"studies.lengths.contrasts: is for studies with var"):
        study(pair, "seeds: [0]")
    with pytest.raises(ConfigError, match=r"studies.lengths.contrasts: no run 'trimm'; known: den"):
        study("[[trimm, dense]]", lengths)
    with pytest.raises(ConfigError, match=r"studies.lengths.contrasts.0: .*too short"):
        study("[[dense]]", lengths)
