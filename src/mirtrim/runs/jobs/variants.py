"""Variants of tasks: what a study changes of the dense training, such as its width and length.

    studies:
      regimes:
        variants:
          chord:
            width:
              - {value: 0.5, network: {widths: [8, 10, 12], hidden: 100}}
            epochs:
              - {value: 6, training: {epochs: 6}, rewind_epoch: 2}

Every combination of one level of each dimension is a variant of the task: its settings, with the
levels' merged into them. It is called after them, "chord-width_0p5-epochs_6", shares the features
of the task, draws the same random numbers, and has tables of rows of its own, which tell the
levels in the column `variant`. A variant whose settings are those of the task, or of an earlier
variant, is not trained twice: its rows are that one's.
"""

import copy
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from mirtrim.utils.errors import ConfigError

# In names and figures; others follow by alphabet.
ORDER = ("width", "epochs", "rewind")
# What a level may change: what a network needs to know of its data stays.
CHANGES = ("network", "training", "rewind_epoch", "ratios")


def variants_of(config: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], Any]]:
    """Study, task, levels (dimension → value) and merged settings of every variant.

    Args:
        config: checked, but for what a variant makes of the settings of a task.

    Raises:
        ConfigError: a level changes a key that it must not, or occurs twice.
    """
    for study, block in config["studies"].items():
        for task, dimensions in (block.get("variants") or {}).items():
            if task not in block["tasks"]:
                continue  # the profile has left it out
            where = f"config key studies.{study}.variants.{task}"
            # In a fixed order: names must not depend on the order of the keys.
            dimensions = {name: dimensions[name] for name in sorted(dimensions, key=_place)}
            for name, levels in dimensions.items():
                _check_levels(levels, f"{where}.{name}")
            for chosen in itertools.product(*dimensions.values()):
                merged = copy.deepcopy(config["tasks"][task])
                for level in chosen:
                    merge(merged, {k: v for k, v in level.items() if k != "value"})
                values = {n: level["value"] for n, level in zip(dimensions, chosen, strict=True)}
                yield study, task, values, merged


def name_of(task: str, values: Mapping[str, float]) -> str:
    """ "chord-width_0p5-epochs_6"."""
    levels = [f"{key}_{value:g}" for key, value in values.items()]
    # As in names of runs: letters, digits and underscores; a minus is no dash.
    return "-".join(
        [task, *(n.replace(".", "p").replace("-", "m").replace("+", "") for n in levels)]
    )


def _place(dimension: str) -> tuple[int, str]:
    return ORDER.index(dimension) if dimension in ORDER else len(ORDER), dimension


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    """Put `over` into `base`, key by key; lists are replaced as a whole."""
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = copy.deepcopy(value)


def _check_levels(levels: list[dict[str, Any]], where: str) -> None:
    values = [level["value"] for level in levels]
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ConfigError(f"{where}: value {twice:g} occurs twice")
    for index, level in enumerate(levels):
        unknown = sorted(level.keys() - {"value", *CHANGES})
        if unknown:
            allowed = ", ".join(CHANGES)
            raise ConfigError(f"{where}.{index}: unknown key {unknown[0]!r}; allowed: {allowed}")
