"""What identifies a run: its method and everything that is chosen about it.

File names, labels of legends, columns of rows, defaults and the schema of the configuration all
follow from `PruningSettings`; two runs are the same run if and only if these are equal. Nothing
here needs torch, so that a table can be drawn without it.
"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from mirtrim.utils.errors import ConfigError

# Stands for a choice that the method has no use for.
UNUSED = "-"
Value = str | int | float | bool


def choice(
    default: Value,
    *,
    help: str,
    among: Collection[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field of `PruningSettings`, or a hyper-parameter of a method.

    Args:
        default: its value where nothing is said; its type is the type of the field.
        help: what it does, in one sentence, for the schema and the docs.
        among: the only values allowed.
        minimum, maximum: the smallest and the largest value allowed.
    """
    metadata = {"help": help, "among": tuple(among), "minimum": minimum, "maximum": maximum}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class PruningSettings:
    """The pruning settings of a run; `UNUSED` where a method has no use for one.

    Attributes:
        hyperparameters: what is particular to the method, as sorted (name, value) pairs; only
            values that are not the method's default.
    """

    method: str
    criterion: str = choice("magnitude", help="What scores units or weights.")
    scope: str = choice(
        "local", help="Rank within each layer or over all layers.", among=("local", "global")
    )
    scale: str = choice(
        "max",
        help="What makes scores of different layers comparable.",
        among=("none", "max", "fan_in", "macs"),
    )
    order: str = choice(
        "lowest_first",
        help="What goes: the lowest scores, the highest (a control), or as many per layer as the "
        "criterion would take, drawn at random (a control).",
        among=("lowest_first", "highest_first", "shuffled"),
    )
    reset: str = choice(
        "rewind",
        help="What the weights become after a cut.",
        among=("rewind", "reinit", "finetune"),
    )
    budget: str = choice("parameters", help="What a ratio counts.", among=("parameters", "macs"))
    minimum_units: int = choice(2, help="Units that every layer keeps at least.", minimum=1)
    reference: str = choice(
        UNUSED,
        help="For same_shape and same_mask: the run, named like its files, whose networks give "
        "their shape or their masks.",
    )
    hyperparameters: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        """Name of the run, in files and wherever runs are named: method, main choices, then
        everything else that is not the default. `[a-z0-9_]` only."""
        words = [self.method, self.criterion, self.scope, self.reset]
        for key in ("scale", "order", "budget", "minimum_units", "reference"):
            if (value := getattr(self, key)) not in (UNUSED, DEFAULTS[key]):
                words.append(f"{key}_{value}")
        words += [f"{key}_{_in_a_name(value)}" for key, value in self.hyperparameters]
        return "_".join(word for word in words if word != UNUSED)

    @property
    def label(self) -> str:
        """Short name for legends and tables: the method, and in brackets every other choice that
        is not the default."""
        words = []
        for key, usual in DEFAULTS.items():
            value = getattr(self, key)
            if value in (UNUSED, usual):
                continue
            if key == "reference":
                words.append(f"of {value.split('_')[0]}")
            elif isinstance(value, str):
                words.append(value.replace("_", " "))
            else:
                words.append(f"{key.replace('_', ' ')} {value}")
        words += [f"{key.replace('_', ' ')} {value}" for key, value in self.hyperparameters]
        method = self.method.replace("_", " ")
        return f"{method} ({', '.join(words)})" if words else method

    @property
    def columns(self) -> dict[str, Any]:
        """The settings as columns of a row, in the order of `RUN_COLUMNS`."""
        values = {key: getattr(self, key) for key in RUN_COLUMNS}
        return values | {"hyperparameters": json.dumps(dict(self.hyperparameters))}

    @property
    def seed_words(self) -> str:
        """What random numbers of the run are seeded with. A setting that is added later, or a
        hyper-parameter at its default, changes nothing."""
        words = {word: getattr(self, key) for word, key in SEEDING.items()}
        return json.dumps(words | dict(self.hyperparameters))

    @staticmethod
    def of_columns(row: Mapping[str, Any]) -> "PruningSettings":
        """The settings of a row; columns that an old row does not have are at their defaults."""
        values = {key: row[key] for key in ("method", *DEFAULTS) if key in row}
        values["minimum_units"] = int(values.get("minimum_units", DEFAULTS["minimum_units"]))
        given = json.loads(row.get("hyperparameters", "{}"))
        return PruningSettings(**values, hyperparameters=tuple(sorted(given.items())))

    def without(self, names: Iterable[str]) -> "PruningSettings":
        """The same with `UNUSED` for `names`."""
        nothing: dict[str, Any] = dict.fromkeys(names, UNUSED)
        return replace(self, **nothing)


# Setting → default; `UNUSED` is the only default of `reference`.
DEFAULTS: dict[str, Any] = {
    entry.name: entry.default
    for entry in fields(PruningSettings)
    if entry.name not in ("method", "hyperparameters")
}
# Setting → its values, of those that have few.
CHOICES: dict[str, tuple[str, ...]] = {
    entry.name: entry.metadata["among"]
    for entry in fields(PruningSettings)
    if entry.metadata.get("among")
}


def assert_known(setting: str, value: str) -> None:
    """Raise a `ConfigError` that lists the values of a setting if `value` is none of them."""
    if value not in CHOICES[setting]:
        raise ConfigError(f"unknown {setting} {value!r}; known: {', '.join(CHOICES[setting])}")


# The columns of a row that identify its run, in the order in which rows are sorted. New ones come
# last and have a default in `COLUMN_DEFAULTS`, so that old rows stay readable.
RUN_COLUMNS = (
    "method", "criterion", "scope", "scale", "order", "reset", "budget", "reference",
    "minimum_units", "hyperparameters",
)  # fmt: skip
COLUMN_DEFAULTS: dict[str, Any] = {
    "minimum_units": DEFAULTS["minimum_units"],
    "hyperparameters": "{}",
}
# What the random numbers of a run were seeded with from the beginning, in this order: the word of
# that time → the setting.
SEEDING = {
    {"budget": "counted", "minimum_units": "floor"}.get(name, name): name
    for name in (*RUN_COLUMNS[:7], "minimum_units", "reference")
}
# What a method may have no use for.
OPTIONAL = ("criterion", "scope", "scale", "order", "reset", "reference")
DENSE = PruningSettings("dense").without(OPTIONAL)


def _in_a_name(value: Value) -> str:
    """0.05 as "0p05" and -1 as "m1", for file names."""
    text = f"{value:g}" if isinstance(value, float) else str(value).lower()
    return text.replace(".", "p").replace("-", "m").replace("+", "")


def value_in_name(text: str, kind: type) -> Value:
    """What `_in_a_name` has written, as a value of that type; the text where it is none."""
    if kind is str:
        return text
    try:
        value: Value = kind(text.replace("p", ".").replace("m", "-"))
    except ValueError:
        return text
    return value


def run_schema() -> dict[str, Any]:
    """JSON schema of a run in the configuration, without the hyper-parameters of its method."""
    properties: dict[str, Any] = {
        "method": {"type": "string", "description": "What is done, for instance mask or trim."}
    }
    for entry in fields(PruningSettings):
        if entry.name in DEFAULTS:
            properties[entry.name] = _schema_of(entry)
    properties["ratios"] = {
        "type": ["array", "null"],
        "minItems": 1,
        "items": {"type": "number", "exclusiveMinimum": 1},
        "default": None,
        "description": "Which of a task's ratios, those that it does not have left out; null "
        "takes all of them.",
    }
    return {"type": "object", "required": ["method"], "properties": properties}


def _schema_of(entry: Any) -> dict[str, Any]:
    kind = {str: "string", int: "integer", float: "number", bool: "boolean"}[type(entry.default)]
    schema: dict[str, Any] = {"type": kind}
    if entry.metadata["among"]:
        schema = {"enum": list(entry.metadata["among"])}
    if entry.metadata["minimum"] is not None:
        schema["minimum"] = entry.metadata["minimum"]
    return {**schema, "default": entry.default, "description": entry.metadata["help"]}


def checked_value(entry: Field[Any], value: Any) -> Value:
    """`value` for a field made by `choice`, as the type of its default.

    Raises:
        ConfigError: names the field and what it allows.
    """
    default: Any = entry.default
    kind, metadata = type(default), entry.metadata
    fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        words = {str: "text", int: "an integer", float: "a number", bool: "true or false"}
        raise ConfigError(f"{entry.name}: {value!r} is not {words[kind]}")
    if kind is float and not math.isfinite(value):
        raise ConfigError(f"{entry.name}: {value} is not a finite number")
    if metadata["among"] and value not in metadata["among"]:
        allowed = ", ".join(map(str, metadata["among"]))
        raise ConfigError(f"{entry.name}: {value!r} is none of {allowed}")
    for limit, below in (("minimum", True), ("maximum", False)):
        bound = metadata[limit]
        if bound is not None and (value < bound if below else value > bound):
            raise ConfigError(
                f"{entry.name}: {value:g} is {'below' if below else 'above'} {bound:g}"
            )
    result: Value = kind(value)
    return result
