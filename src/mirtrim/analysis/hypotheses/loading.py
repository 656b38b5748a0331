"""Reading the table of hypotheses; a bad key is named."""

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from mirtrim.analysis.hypotheses.finding import COMPUTATIONS
from mirtrim.utils.errors import ConfigError

NAME = re.compile(r"H[0-9]+[a-z]{0,2}'?")
TEXTS = ("id", "sentence", "computation", "family")
OPTIONAL = ("settings", "tasks", "twin")


@dataclass(frozen=True)
class Hypothesis:
    """One claim that rows can support or refute.

    Attributes:
        id: short name, H and a number.
        sentence: the claim.
        computation: name of the registered function that computes it.
        family: the hypotheses whose tests are corrected together.
        settings: keyword arguments of the computation.
        tasks: on which to compute it; empty for all that were run.
        twin: the hypothesis that claims the same of rewound weights; empty if there is none.
    """

    id: str
    sentence: str
    computation: str
    family: str
    settings: dict[str, Any]
    tasks: tuple[str, ...] = ()
    twin: str = ""


def load_hypotheses(path: Path) -> list[Hypothesis]:
    """Read and check the table of hypotheses.

    Raises:
        ConfigError: names the file, the hypothesis and the key at fault, and what is allowed.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML ({reason}); mend it") from error
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: must be a list of hypotheses, each with {', '.join(TEXTS)}")
    found = [_hypothesis(entry, f"{path}: entry {n}") for n, entry in enumerate(entries, start=1)]
    names = [hypothesis.id for hypothesis in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{path}: {name}: stands there twice; give one another id")
    for hypothesis in found:
        if hypothesis.twin and hypothesis.twin not in names:
            known = ", ".join(names)
            raise ConfigError(
                f"{path}: {hypothesis.id}: key twin: no hypothesis {hypothesis.twin!r}; "
                f"known: {known}"
            )
    return found


def _hypothesis(entry: Any, where: str) -> Hypothesis:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: must be a mapping with {', '.join(TEXTS)}")
    if isinstance(entry.get("id"), str):
        where = f"{where} ({entry['id']})"
    for key in TEXTS:
        if not isinstance(entry.get(key), str) or not entry[key].strip():
            raise ConfigError(f"{where}: key {key}: must be there and be text")
    if not NAME.fullmatch(entry["id"]):
        raise ConfigError(f"{where}: key id: must be like H2, H2c or H2', not {entry['id']!r}")
    unknown = sorted(map(str, set(entry) - {*TEXTS, *OPTIONAL}))
    if unknown:
        allowed = ", ".join((*TEXTS, *OPTIONAL))
        raise ConfigError(f"{where}: key {unknown[0]}: unknown; known: {allowed}")
    if entry["computation"] not in COMPUTATIONS:
        known = ", ".join(sorted(COMPUTATIONS))
        raise ConfigError(
            f"{where}: key computation: no computation {entry['computation']!r}; known: {known}"
        )
    tasks = entry.get("tasks", [])
    if not _is(tasks, list[str]):
        raise ConfigError(f"{where}: key tasks: must be a list of names of tasks")
    twin = entry.get("twin", "")
    if not isinstance(twin, str):
        raise ConfigError(f"{where}: key twin: must be the id of another hypothesis")
    settings = entry.get("settings", {})
    if not isinstance(settings, dict):
        raise ConfigError(f"{where}: key settings: must be a mapping")
    _check_settings(entry["computation"], settings, where)
    texts = {key: " ".join(entry[key].split()) for key in TEXTS}
    return Hypothesis(**texts, settings=settings, tasks=tuple(tasks), twin=twin)


def _check_settings(name: str, settings: Mapping[str, Any], where: str) -> None:
    """Against the keyword arguments that the computation declares, and their types."""
    function = COMPUTATIONS[name]
    hints = get_type_hints(function)
    declared = {
        key: parameter
        for key, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    for key in settings:
        if key not in declared:
            known = ", ".join(declared)
            raise ConfigError(f"{where}: key settings.{key}: unknown to {name}; known: {known}")
    for key, parameter in declared.items():
        if key not in settings:
            if parameter.default is inspect.Parameter.empty:
                raise ConfigError(f"{where}: key settings.{key}: {name} needs it; add it")
        elif not _is(settings[key], hints[key]):
            kind = str(hints[key]) if get_args(hints[key]) else hints[key].__name__
            raise ConfigError(f"{where}: key settings.{key}: must be {kind}, not {settings[key]!r}")


def _is(value: Any, kind: Any) -> bool:
    """Whether a value from YAML is of a type such as str, float, list[str], dict[str, float]."""
    inner = get_args(kind)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_is(item, inner[0]) for item in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(
            _is(key, inner[0]) and _is(item, inner[1]) for key, item in value.items()
        )
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind)
