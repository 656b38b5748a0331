"""Preparing a configuration before its schema is checked: numbers as text, nulls, sweeps, ~."""

import itertools
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mirtrim.utils.errors import ConfigError

# Keys of paths and of lists of them.
PATHS = ("data_folder", "folder", "index", "banks", "one_shots")


def as_number(value: Any, schema: Mapping[str, Any]) -> Any:
    """Numbers that were written as text where only a number may stand, as numbers, also in lists.

    `--config seeds=[0,1]` gives strings, and so does 1e-3 in YAML, which needs 1.0e-3. 8.0 is an
    integer for JSON Schema, but not for code that counts with it or builds a name from it.
    """
    items = schema.get("items")
    if isinstance(value, list) and isinstance(items, Mapping):
        return [as_number(one, items) for one in value]
    wanted = schema.get("type")
    kinds = set(wanted) if isinstance(wanted, list) else {wanted}
    if not kinds & {"integer", "number"} or "string" in kinds:
        return value
    number = _read(value) if isinstance(value, str) else value
    if isinstance(number, float) and "number" not in kinds:
        # Other values stay as written, for the message.
        return int(number) if number.is_integer() else value
    return number


def _read(text: str) -> float | str:
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def check_finite(value: Any, key: str = "") -> None:
    """Raise a `ConfigError` that names the first key whose value is NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"config key {key}: {value} is not a usable number; write another")
    for name, part in _parts(value):
        check_finite(part, f"{key}.{name}" if key else str(name))


def _parts(value: Any) -> list[tuple[Any, Any]]:
    """What a block or a list is made of, with the key or the place of each part."""
    if isinstance(value, Mapping):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []


def expand_home(block: Any, where: str = "", is_path: bool = False) -> None:
    """Put the home folder in for ~ in every path, as a shell would have.

    Args:
        block: a configuration; of its parts, `where` is the key, and `is_path` whether what they
            hold are paths.
    """
    for key, value in _parts(block):
        known = is_path or key in PATHS
        if isinstance(value, str) and known:
            block[key] = os.path.expanduser(value)
            if block[key].startswith("~"):
                raise ConfigError(
                    f"config key {where}{key}: {block[key]} has no home folder; write the full path"
                )
        expand_home(value, f"{where}{key}.", known)


def drop_nulls(config: dict[str, Any]) -> None:
    """What a profile leaves out by setting it to null: one of the tasks or studies, or all of the
    latter, all runs, all that is weighed or published."""
    for key in (
        "studies", "runs", "costs", "models", "recordings", "inspected", "connectivity",
        "merging", "singular",
    ):  # fmt: skip
        if key in config and config[key] is None:
            del config[key]
    for key in ("tasks", "studies"):
        if isinstance(config.get(key), dict):
            config[key] = {name: block for name, block in config[key].items() if block is not None}


def expand_sweeps(config: dict[str, Any]) -> None:
    """A run with a list instead of a value stands for one run per value."""
    studies = config.get("studies")
    blocks = [config, *(studies.values() if isinstance(studies, dict) else ())]
    for block in blocks:
        if isinstance(block, dict) and isinstance(block.get("runs"), list):
            block["runs"] = [one for run in block["runs"] for one in _swept(run)]


def _swept(run: Any) -> list[Any]:
    if not isinstance(run, dict):
        return [run]
    lists = {k: v for k, v in run.items() if isinstance(v, list) and k != "ratios"}
    return [
        {**run, **dict(zip(lists, values, strict=True))}
        for values in itertools.product(*lists.values())
    ]
