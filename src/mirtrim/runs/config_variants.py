"""Checks of studies that vary their tasks: what they train, and what their page shows."""

from collections.abc import Collection, Mapping
from typing import Any

from mirtrim.utils.errors import ConfigError


def check_told(study: dict[str, Any], where: str) -> None:
    """Fill in the default of what the page of a study with variants shows."""
    usual = "contrasts" if study["contrasts"] else "free_ratios"
    if study["told"] is None:
        study["told"] = usual
    elif not study["variants"]:
        raise ConfigError(f"{where}: is for studies with variants; leave it out")
    elif study["told"] == "levels" and _several_levels(study) != 1:
        raise ConfigError(
            f"{where}: levels needs a study that varies one dimension, the same for all tasks"
        )
    elif "contrasts" in (usual, study["told"]) and study["told"] != usual:
        raise ConfigError(
            f"{where}: {study['told']} is for studies "
            f"{'without' if study['contrasts'] else 'with'} contrasts"
        )


def _several_levels(study: Mapping[str, Any]) -> int:
    """How many dimensions have several levels, over all tasks; 0 if a task has none."""
    several = [
        {name for name, levels in dimensions.items() if len(levels) > 1}
        for dimensions in study["variants"].values()
    ]
    return len(set().union(*several)) if all(several) else 0


def check_main_runs(study: dict[str, Any], main: Collection[str], where: str) -> None:
    """Which main runs a study trains, which a study on the tasks as they are does not choose."""
    if study["main_runs"] is not None and not study["variants"]:
        raise ConfigError(f"{where}: is for studies with variants; leave it out")
    unknown = sorted(set(study["main_runs"] or ()) - set(main))
    if unknown:
        raise ConfigError(
            f"{where}: {unknown[0]!r} is no run of `runs`; known: {', '.join(sorted(main))}"
        )
