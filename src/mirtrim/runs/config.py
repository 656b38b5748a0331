"""Checking a configuration against its JSON schema, with messages of one line."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from mirtrim.pruning.settings import run_schema
from mirtrim.runs.config_references import check_references
from mirtrim.runs.config_tasks import check_rising, check_task
from mirtrim.runs.config_values import (
    as_number,
    check_finite,
    drop_nulls,
    expand_home,
    expand_sweeps,
)
from mirtrim.tasks.registry import TASKS
from mirtrim.utils.errors import ConfigError


def _filling_defaults(kind: type[Validator]) -> type[Validator]:
    """A validator that also puts the schema's defaults into what it checks."""
    check_properties = kind.VALIDATORS["properties"]

    def fill(
        validator: Validator, properties: Mapping[str, Any], instance: Any, schema: Any
    ) -> Iterator[jsonschema.ValidationError]:
        if isinstance(instance, dict):
            for name, part in properties.items():
                if "default" in part:
                    instance.setdefault(name, part["default"])
                if name in instance:  # before any check of it, as of items that must differ
                    instance[name] = as_number(instance[name], part)
        yield from check_properties(validator, properties, instance, schema)

    extended: type[Validator] = extend(kind, {"properties": fill})
    return extended


def validate(
    config: dict[str, Any], schema_path: Path, notes: list[str] | None = None
) -> dict[str, Any]:
    """Fill in defaults and check `config` in place; returns it.

    What a profile inherits and has no use for (a study of tasks, ratios or runs that it does not
    have) is left out.

    Args:
        notes: gets a line for everything that is left out.

    Raises:
        ConfigError: names the key, what is wrong with it, and what is allowed.
    """
    schema = load_schema(schema_path)
    check_finite(config)
    drop_nulls(config)
    expand_sweeps(config)
    validator = _filling_defaults(jsonschema.Draft202012Validator)(schema)
    problems = sorted(
        validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path]
    )
    if problems:
        raise ConfigError(_one_line(problems[0]))
    check_finite(config)
    expand_home(config)
    check_rising(config["ratios"], "ratios")
    for task, block in config["tasks"].items():
        check_task(block, config["ratios"], f"tasks.{task}.")
    check_references(config, [] if notes is None else notes)
    return config


def validate_variant(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    task: str,
    block: dict[str, Any],
    name: str,
) -> None:
    """Fill in defaults and check the settings that a variant makes of those of `task`, in place.

    Raises:
        ConfigError: names the variant and the key.
    """
    validator = _filling_defaults(jsonschema.Draft202012Validator)(
        schema["properties"]["tasks"]["properties"][task]
    )
    for problem in validator.iter_errors(block):
        text = _one_line(problem).removeprefix("config key ")
        raise ConfigError(f"config key studies: variant {name}: {text}")
    check_task(block, config["ratios"], f"studies: variant {name}: ")


def load_schema(path: Path) -> dict[str, Any]:
    """The schema of a configuration, with what tasks and runs declare themselves."""
    schema: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    schema["$defs"]["run"] = run_schema()
    return _with_tasks(schema)


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
    if "propertyNames" in problem.absolute_schema_path:
        wanted = problem.validator_value
        return f"config key {key}.{problem.instance}: names here match {wanted}; rename it"
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
