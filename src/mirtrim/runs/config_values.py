"""Preparing a configuration before its schema is checked: numbers as text, nulls, sweeps, ~."""

import itertools
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from mirtrim.utils.errors import ConfigError


def as_number(value: Any, schema: Mapping[str, Any]) -> Any:
    """Numbers that were written as text where only a number may stand, as numbers, also in lists.

    `--config seeds=[0,1]` gives texts, and so does 1e-3 in YAML, which wants 1.0e-3. 8.0 is an
    integer for JSON Schema, but none for whoever counts with it or makes a name of it.
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
        # What is no whole number stays as it was written, for the message.
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
        raise ConfigError(f"config key {key}: {value} is no number to work with; write another")
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list):
        parts = enumerate(value)
    for name, part in parts:
        check_finite(part, f"{key}.{name}" if key else str(name))


def expand_home(config: dict[str, Any]) -> None:
    """Put the home folder in for ~ in every path, as a shell would have."""
    paths: list[tuple[str, Any, Any]] = [("data_folder", config, "data_folder")]
    for name, block in config["corpora"].items():
        paths += [(f"corpora.{name}.{key}", block, key) for key in ("folder", "index")]
        for key in ("banks", "one_shots"):
            listed = block.get(key) or []
            paths += [(f"corpora.{name}.{key}.{i}", listed, i) for i in range(len(listed))]
    for index, block in enumerate(config["recordings"]["sets"]):
        paths += [(f"recordings.sets.{index}.{key}", block, key) for key in ("folder", "index")]
    for key, holder, place in paths:
        value = holder.get(place) if isinstance(holder, dict) else holder[place]
        if isinstance(value, str):
            holder[place] = os.path.expanduser(value)
            if holder[place].startswith("~"):
                raise ConfigError(
                    f"config key {key}: {holder[place]} is in no home folder; write the whole path"
                )


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
    """A run with a list in the place of a value stands for one run per value."""
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
