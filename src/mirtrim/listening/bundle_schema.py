"""The JSON schema of a bundle's description."""

from collections.abc import Mapping
from typing import Any

import jsonschema

from mirtrim.listening.decoding import decoding_names, optional_decoding_names
from mirtrim.pruning.settings import COLUMN_DEFAULTS
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.tasks.registry import TASKS, get_task
from mirtrim.tasks.task import Task
from mirtrim.utils.errors import ConfigError

TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "number"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
RATIO = {"type": "number", "minimum": 1}
COUNT = {"type": "integer", "minimum": 1}


def problem_of(content: Mapping[str, Any]) -> str | None:
    """The first thing that is wrong with the fields of an `About`, in one line; None if none is."""
    name = content.get("task")
    if name not in TASKS:
        return f"task {name!r} is unknown; known: {', '.join(sorted(TASKS))}"
    try:
        schema = _schema(get_task(str(name)))
    except ConfigError as error:
        return str(error)
    errors = jsonschema.Draft202012Validator(schema).iter_errors(content)
    first = min(errors, key=lambda error: [str(part) for part in error.absolute_path], default=None)
    if first is None:
        return _problem_of_statistics(get_task(str(name)), content)
    key = ".".join(str(part) for part in first.absolute_path)
    return f"{key}: {first.message}" if key else first.message


def _schema(task: Task) -> dict[str, Any]:
    """JSON schema of the fields of an `About` for one task."""
    per_column = {"type": "array", "items": NUMBER, "minItems": 1}
    above_zero = {**per_column, "items": {"type": "number", "exclusiveMinimum": 0}}
    statistics = {"mean": per_column, "deviation": above_zero}
    return _object(
        task=TEXT,
        features=_parameters(task, "features"),
        network=_parameters(task, "network"),
        statistics=_object(**(statistics if task.normalised_array else {})),
        decoding=_decoding(task),
        corpus=TEXT,
        profile=TEXT,
        licence=TEXT,
        pruning={
            "type": "object",
            # Packed networks may be older than some columns.
            "required": [name for name in RUN_KEYS if name not in COLUMN_DEFAULTS],
            "additionalProperties": False,
            "properties": {name: TEXT for name in RUN_KEYS},
        },
        seed={"type": "integer", "minimum": 0},
        target_ratio=RATIO,
        ratio=RATIO,
        parameters=COUNT,
        nonzeros=COUNT,
        macs=COUNT,
        validation_error=SHARE,
        test_error=SHARE,
        scores={"type": "object", "additionalProperties": NUMBER, "required": [task.main_score]},
        versions=TEXT,
    )


def _decoding(task: Task) -> dict[str, Any]:
    needed = _object(**{name: NUMBER for name in decoding_names(task)})
    optional = {name: SHARE for name in optional_decoding_names(task)}
    return {**needed, "properties": {**needed["properties"], **optional}}


def _object(**properties: Any) -> dict[str, Any]:
    """An object with these keys, all of them and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _parameters(task: Task, part: str) -> dict[str, Any]:
    """Parameters as a configuration has them; nothing is left to a default.

    What a default is may change after the bundle was written.
    """
    return _object(**task.schema[part])


def _problem_of_statistics(task: Task, content: Mapping[str, Any]) -> str | None:
    """Statistics are those of the columns of a patch, (batch, 1, columns, rows)."""
    if not task.normalised_array:
        return None
    columns = task.example_input(content["features"]).shape[2]
    for name, values in content["statistics"].items():
        if len(values) != columns:
            return f"statistics.{name}: {len(values)} numbers for {columns} columns"
    return None
