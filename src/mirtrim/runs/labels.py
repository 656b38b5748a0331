"""Names and labels of runs from the columns of their rows."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from mirtrim.pruning.settings import DEFAULTS, UNUSED, PruningSettings
from mirtrim.runs.rows import with_names
from mirtrim.utils.errors import ConfigError

# What a run has in its columns, whatever its method, where nothing else is said.
USUAL = {
    **{name: value for name, value in DEFAULTS.items() if name != "reference"},
    "hyperparameters": "{}",
}

# Settings of hypotheses and checks that name runs.
NAMING = ("run", "against", "runs", "unchanged", "reduced", "faster", "except_runs")


def label_of(row: Mapping[str, Any]) -> str:
    """What legends and tables call a run."""
    return label_of_settings(PruningSettings.of_columns(row))


@cache
def label_of_settings(settings: PruningSettings) -> str:
    """The same of a run's settings; two runs that differ have two labels.

    `PruningSettings.label` names only the method of a reference. If that is incomplete, the
    reference's own label is used: "same shape (of trim (finetune))".
    """
    method = settings.reference.split("_")[0]
    usual = PruningSettings(method).name  # what a run of that name says needs no words
    if settings.reference in (UNUSED, method, usual):
        return settings.label
    return settings.label.replace(f"of {method}", f"of {label_of_name(settings.reference)}", 1)


def with_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the label of each row's run as a column `run`."""
    named, settings = with_names(table)
    return named.assign(run=named.run.map(labels_of(settings)))


def labels_of(settings: Mapping[str, PruningSettings]) -> dict[str, str]:
    """Label by name of the runs that `with_names` found."""
    return {name: label_of_settings(found) for name, found in settings.items()}


@cache
def label_of_name(name: str) -> str:
    """What a run is called that may not have been run; a name of no known method as it reads."""
    # Torch comes with the methods, and is not needed for what has rows.
    from mirtrim.pruning.methods import settings_of_name

    try:
        return label_of_settings(settings_of_name(name))
    except ConfigError:
        return name.replace("_", " ")


def labels_in(settings: Mapping[str, Any]) -> dict[str, str]:
    """Label by name of the runs that the settings of a hypothesis or a check name."""
    named: list[str] = []
    for key in NAMING:
        value = settings.get(key, [])
        named += [value] if isinstance(value, str) else value
    return {name: label_of_name(name) for name in named}


def in_words(text: str, labels: Mapping[str, str]) -> str:
    """`text` with the label in the place of every name of a run.

    Args:
        labels: label by name.
    """
    names = sorted((name for name in labels if name != labels[name]), key=len, reverse=True)
    if not names:
        return text
    pattern = rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)"
    return re.sub(pattern, lambda found: labels[found[0]], text)
