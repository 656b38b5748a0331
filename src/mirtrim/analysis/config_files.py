"""Read and check the files of `config/` that the analysis uses."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import jsonschema
import yaml

from mirtrim.utils.errors import ConfigError

TEXT = {"type": "string", "pattern": r"\S"}


def mapping_of(
    properties: Mapping[str, Any], optional: Sequence[str] = (), **more: Any
) -> dict[str, Any]:
    """JSON schema of a mapping with exactly these keys; all except the `optional` ones are
    required."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
        **more,
    }


def list_of(items: Mapping[str, Any]) -> dict[str, Any]:
    """JSON schema of a non-empty list of such items."""
    return {"type": "array", "minItems": 1, "items": items}


def read_checked(path: str | os.PathLike[str], schema: Mapping[str, Any]) -> Any:
    """The content of a YAML file that fits a JSON schema.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or does not fit the schema; names the
            key.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML ({reason}); mend it") from error
    problem = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(schema).iter_errors(content)
    )
    if problem is not None:
        key = ".".join(_names(content, list(problem.absolute_path))) or "(top level)"
        raise ConfigError(f"{path}: key {key}: {problem.message}")
    return content


def _names(content: Any, place: Sequence[str | int]) -> list[str]:
    """Path of a value in a file; list entries are identified by their name if they have one."""
    if not place:
        return []
    first, *rest = place
    inner = content[first]
    name = first
    if isinstance(first, int) and isinstance(inner, dict):
        name = inner.get("name") or inner.get("id") or first
    return [str(name), *_names(inner, rest)]


def check_settings(function: Callable[..., Any], settings: Mapping[str, Any], where: str) -> None:
    """Check settings against the keyword arguments that a function declares, and their types.

    Raises:
        ConfigError: names the setting; `where` says what it belongs to.
    """
    hints, name = get_type_hints(function), function.__name__
    declared = {
        key: parameter
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for key in settings:
        if key not in declared:
            known = ", ".join(declared) or "none"
            raise ConfigError(f"{where}: key settings.{key}: unknown to {name}; known: {known}")
    for key, parameter in declared.items():
        if key not in settings:
            if parameter.default is inspect.Parameter.empty:
                raise ConfigError(f"{where}: key settings.{key}: {name} needs it; add it")
        elif not _is(settings[key], hints[key]):
            kind = hints[key].__name__ if isinstance(hints[key], type) else str(hints[key])
            raise ConfigError(f"{where}: key settings.{key}: must be {kind}, not {settings[key]!r}")


def _is(value: Any, kind: Any) -> bool:
    """Whether a value from YAML is of a type such as str, float, list[str], dict[str, float] or a
    union of them."""
    inner = get_args(kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_is(item, inner[0]) for item in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(
            _is(key, inner[0]) and _is(item, inner[1]) for key, item in value.items()
        )
    if inner:
        return any(_is(value, one) for one in inner)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind)
