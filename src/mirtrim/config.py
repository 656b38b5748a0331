"""Checking a configuration against its JSON schema, with messages of one line."""

import copy
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from mirtrim.errors import ConfigError
from mirtrim.pruning.methods import choices_of, name_of
from mirtrim.tasks.registry import TASKS

# What a person can ask the workflow for, besides tasks and studies.
TARGETS = ("all", "data", "tables", "figures", "costs", "models", "report")


def _filling_defaults(kind: type[Validator]) -> type[Validator]:
    """A validator that also puts the schema's defaults into what it checks."""
    check_properties, check_items = kind.VALIDATORS["properties"], kind.VALIDATORS["items"]

    def fill(
        validator: Validator, properties: Mapping[str, Any], instance: Any, schema: Any
    ) -> Iterator[jsonschema.ValidationError]:
        if isinstance(instance, dict):
            for name, part in properties.items():
                if "default" in part:
                    instance.setdefault(name, part["default"])
                if name in instance:
                    instance[name] = _as_number(instance[name], part)
        yield from check_properties(validator, properties, instance, schema)

    def read(
        validator: Validator, items: Any, instance: Any, schema: Any
    ) -> Iterator[jsonschema.ValidationError]:
        if isinstance(instance, list) and isinstance(items, dict):
            instance[:] = [_as_number(value, items) for value in instance]
        yield from check_items(validator, items, instance, schema)

    extended: type[Validator] = extend(kind, {"properties": fill, "items": read})
    return extended


def _as_number(value: Any, schema: Mapping[str, Any]) -> Any:
    """A number that was written as text where only a number may stand, as a number.

    `--config seeds=[0,1]` gives texts, and so does 1e-3 in YAML, which wants 1.0e-3.
    """
    wanted = schema.get("type")
    if not isinstance(value, str) or wanted not in ("integer", "number"):
        return value
    with suppress(ValueError):
        return int(value)
    with suppress(ValueError):
        return float(value) if wanted == "number" else value
    return value


def check_finite(value: Any, key: str = "") -> None:
    """Raise a `ConfigError` that names the first key whose value is NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"config key {key}: {value} is no number to work with; write another")
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for name, part in parts:
        check_finite(part, f"{key}.{name}" if key else str(name))


def validate(config: dict[str, Any], schema_path: Path) -> dict[str, Any]:
    """Fill in defaults and check `config` in place; returns it.

    Raises:
        ConfigError: names the key, what is wrong with it, and what is allowed.
    """
    schema = _with_tasks(yaml.safe_load(schema_path.read_text(encoding="utf-8")))
    for key in ("tasks", "studies"):  # a profile leaves one out by setting it to null
        if isinstance(config.get(key), dict):
            config[key] = {name: block for name, block in config[key].items() if block is not None}
    check_finite(config)
    validator = _filling_defaults(jsonschema.Draft202012Validator)(schema)
    problems = sorted(
        validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path]
    )
    if problems:
        raise ConfigError(_one_line(problems[0]))
    check_finite(config)
    _expand_home(config)
    for task, block in config["tasks"].items():
        if block["corpus"] not in config["corpora"]:
            known = ", ".join(sorted(config["corpora"]))
            raise ConfigError(
                f"config key tasks.{task}.corpus: no corpus {block['corpus']!r}; known: {known}"
            )
    _check_rising(config["ratios"], "ratios")
    for task, block in config["tasks"].items():
        if block["ratios"] is None:
            block["ratios"] = config["ratios"]
        _check_rising(block["ratios"], f"tasks.{task}.ratios")
    _check_runs(config, config["runs"], "runs", list(config["tasks"]), set())
    _check_studies(config)
    _check_named_runs(config)
    return config


def _expand_home(config: dict[str, Any]) -> None:
    """Put the home folder in for ~ in every path, as a shell would have."""
    paths = [("data_folder", config, "data_folder")]
    for name, block in config["corpora"].items():
        paths += [(f"corpora.{name}.{key}", block, key) for key in ("folder", "index")]
    for key, block, name in paths:
        if isinstance(block.get(name), str):
            block[name] = os.path.expanduser(block[name])
            if block[name].startswith("~"):
                raise ConfigError(
                    f"config key {key}: {block[name]} is in no home folder; write the whole path"
                )


def _check_studies(config: Mapping[str, Any]) -> None:
    """Their names are free, their tasks exist, and one name means one run in all of them."""
    main = {name_of(choices_of(run)) for run in config["runs"]}
    known: dict[str, dict[str, Any]] = {}
    for name, study in config["studies"].items():
        where = f"studies.{name}"
        if name in (*TARGETS, *TASKS):
            raise ConfigError(f"config key {where}: is the name of a target already; rename it")
        for task in study["tasks"]:
            if task not in TASKS:
                raise ConfigError(f"config key {where}.tasks: unknown task {task!r}")
        # A profile that leaves a task out leaves it out here as well.
        study["tasks"] = [task for task in study["tasks"] if task in config["tasks"]]
        if study["seeds"] is None:
            study["seeds"] = config["seeds"]
        _check_runs(config, study["runs"], f"{where}.runs", study["tasks"], main)
        for index, run in enumerate(study["runs"]):
            if known.setdefault(name_of(choices_of(run)), run) != run:
                raise ConfigError(
                    f"config key {where}.runs.{index}: another study has this run with other "
                    "settings; make them the same"
                )


def _check_named_runs(config: Mapping[str, Any]) -> None:
    """What is weighed, fitted to boards or published is one of the runs."""
    costs = config["costs"]
    for key in ("seeds", "board_seeds"):
        if costs[key] is None:
            costs[key] = config["seeds"]
    studied = (run for block in config["studies"].values() for run in block["runs"])
    runs = [*config["runs"], *studied]
    known = list(dict.fromkeys(name_of(choices_of(run)) for run in runs))
    for key, names in (
        ("costs.runs", costs["runs"]),
        ("costs.board_runs", costs["board_runs"]),
        ("models.runs", config["models"]["runs"]),
    ):
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"config key {key}: no run {name!r}; known: {', '.join(known) or 'none'}"
                )


def _check_runs(
    config: Mapping[str, Any],
    runs: list[dict[str, Any]],
    key: str,
    tasks: list[str],
    taken: set[str],
) -> None:
    """Methods and criteria exist, some ratio is one of each task's, names differ."""
    names = set(taken)
    for index, run in enumerate(runs):
        where = f"config key {key}.{index}"
        try:
            name = name_of(choices_of(run))
        except ConfigError as error:
            raise ConfigError(f"{where}.{error}") from error
        if name in names:
            raise ConfigError(f"{where}: run {name} is there twice")
        if run["reference"] not in ("-", *names):
            known = ", ".join(sorted(names)) or "none"
            raise ConfigError(
                f"{where}.reference: no run {run['reference']!r} before this one; known: {known}"
            )
        names.add(name)
        for task in tasks:
            ratios = config["tasks"][task]["ratios"]
            if not set(run["ratios"] or ratios) & set(ratios):
                raise ConfigError(
                    f"{where}.ratios: none is among the ratios of task {task}: "
                    + ", ".join(f"{ratio:g}" for ratio in ratios)
                )


def _check_rising(ratios: list[float], key: str) -> None:
    if ratios != sorted(set(ratios)):
        raise ConfigError(
            f"config key {key}: must rise without repeats; each round starts from the last"
        )


def _with_tasks(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with a branch for every task, made from what the task itself declares."""
    general = schema["$defs"].pop("task")
    branches = {}
    for name, task in TASKS.items():
        branch = copy.deepcopy(general)
        for part, keys in task.schema.items():
            block = branch["properties"][part]
            block["additionalProperties"] = False
            block["properties"] = {**block.get("properties", {}), **keys}
            needed = [key for key, value in keys.items() if "default" not in value]
            block["required"] = [*block.get("required", []), *needed]
        branches[name] = branch
    tasks = schema["properties"]["tasks"]
    schema["properties"]["tasks"] = {**tasks, "additionalProperties": False, "properties": branches}
    return schema


def _one_line(problem: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in problem.absolute_path) or "(top level)"
    if problem.validator == "additionalProperties":
        allowed = set(problem.schema.get("properties", {}))
        unknown = sorted(set(problem.instance) - allowed)
        return (
            f"config key {key}: unknown key {', '.join(map(repr, unknown))}; "
            f"allowed: {', '.join(sorted(allowed))}"
        )
    if problem.validator == "type":
        wanted = problem.validator_value
        wanted = " or ".join(wanted) if isinstance(wanted, list) else wanted
        return f"config key {key}: {problem.instance!r} is not of type {wanted}"
    return f"config key {key}: {problem.message}"
