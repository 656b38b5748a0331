"""Settings of a run, read from a configuration or from the name of the run."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

from mirtrim.pruning.methods.interface import METHODS, Method
from mirtrim.pruning.settings import (
    CHOICES,
    DEFAULTS,
    OPTIONAL,
    UNUSED,
    PruningSettings,
    checked_value,
    value_in_name,
)
from mirtrim.utils.errors import ConfigError

OF_UNITS = ("fan_in", "macs")  # scales that weights have not


def settings_of_name(name: str) -> PruningSettings:
    """The settings of the run of that name: the inverse of `PruningSettings.name`.

    Raises:
        ConfigError: no run of any method is called so.
    """
    for method_name in sorted(METHODS, key=len, reverse=True):
        if name == method_name or name.startswith(f"{method_name}_"):
            run = _read_name(METHODS[method_name], name[len(method_name) :])
            # What was read is checked like any run, and has to be called so again.
            with suppress(ConfigError):
                settings = settings_of({"method": method_name, **run})
                if settings.name == name:
                    return settings
    raise ConfigError(f"no run is called {name!r}")


def _read_name(kind: type[Method], rest: str) -> dict[str, Any]:
    """Settings in what follows the method in a name, as far as it can be read."""
    run: dict[str, Any] = {}
    words: dict[str, Collection[str]] = {
        "criterion": kind.criteria() if "criterion" in kind.uses else (),
        "scope": CHOICES["scope"] if "scope" in kind.uses else (),
        "reset": CHOICES["reset"] if "reset" in kind.uses else _resets(kind),
    }
    for key, values in words.items():
        found = next((v for v in values if f"{rest}_".startswith(f"_{v}_")), None)
        if found is not None:
            run[key], rest = found, rest[len(found) + 1 :]
        elif key in kind.uses:
            return run
    own = {entry.name: type(entry.default) for entry in fields(kind.Hyperparameters)}
    keys = {**dict.fromkeys(("scale", "order", "budget"), str), "minimum_units": int, **own}
    while rest and not rest.startswith("_reference_"):
        setting = next((k for k in keys if rest.startswith(f"_{k}_")), None)
        if setting is None:
            return run
        rest = rest[len(setting) + 2 :]
        values = CHOICES.get(setting, [rest.partition("_")[0]])
        value = next((v for v in values if f"{rest}_".startswith(f"{v}_")), "")
        run[setting], rest = value_in_name(value, keys[setting]), rest[len(value) :]
    if rest:
        reference = rest.removeprefix("_reference_")
        # Hyper-parameters stand behind the reference, in the order of their names.
        for key in sorted(own, reverse=True):
            before, found_key, value = reference.rpartition(f"_{key}_")
            if found_key:
                reference, run[key] = before, value_in_name(value, own[key])
        run["reference"] = reference
    return run


def _resets(kind: type[Method]) -> Collection[str]:
    """Values of `reset` that a method knows which is not asked for one."""
    resets: Collection[str] = getattr(kind, "resets", ())
    return resets


def settings_of(run: Mapping[str, Any]) -> PruningSettings:
    """The settings of a run as it stands in a configuration; those without use become `UNUSED`.

    Raises:
        ConfigError: names the key: the method is unknown, has no criterion or hyper-parameter of
            that name, or does not allow its value.
    """
    name = run["method"]
    if name not in METHODS:
        raise ConfigError(f"method: unknown method {name!r}; known: {', '.join(sorted(METHODS))}")
    kind = METHODS[name]
    own = {entry.name: entry for entry in fields(kind.Hyperparameters)}
    common = {entry.name: entry for entry in fields(PruningSettings) if entry.name in DEFAULTS}
    given: dict[str, Any] = {
        key: checked_value(common[key], run[key]) for key in run if key in common
    }
    particular = {key: value for key, value in run.items() if key in own}
    unknown = sorted(run.keys() - given.keys() - particular.keys() - {"method", "ratios"})
    if unknown:
        allowed = ", ".join(sorted([*DEFAULTS, "method", "ratios", *own]))
        raise ConfigError(f"{unknown[0]}: unknown key for method {name}; allowed: {allowed}")
    checked = {key: checked_value(own[key], value) for key, value in particular.items()}
    settings = PruningSettings(
        name,
        **given,
        hyperparameters=tuple(
            sorted((key, value) for key, value in checked.items() if value != own[key].default)
        ),
    )
    useless = set(OPTIONAL) - kind.uses
    settings = settings.without(useless - {"reset"} if settings.reset in _resets(kind) else useless)
    if settings.criterion not in kind.criteria() and "criterion" in kind.uses:
        raise ConfigError(
            f"criterion: {name} has no criterion {settings.criterion!r}; "
            f"known: {', '.join(sorted(kind.criteria()))}"
        )
    if kind.masks and settings.scale in OF_UNITS:
        raise ConfigError(
            f"scale: {name} ranks weights, and {settings.scale} is of units; use max or none"
        )
    if "reference" in kind.uses and settings.reference == UNUSED:
        raise ConfigError(f"reference: {name} copies another run; name one")
    if kind.masks and settings.reference != UNUSED:
        copied = settings_of_name(settings.reference)
        if not METHODS[copied.method].masks:
            raise ConfigError(
                f"reference: {name} copies masks, and {settings.reference} masks nothing; name a "
                "run that does"
            )
    return settings
