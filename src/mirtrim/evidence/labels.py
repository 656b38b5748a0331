"""Names and labels of runs from the columns of their rows."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from mirtrim.evidence.rows import with_names
from mirtrim.pruning.settings import DEFAULTS, PruningSettings

# What a run has in its columns, whatever its method, where nothing else is said.
USUAL = {
    **{name: value for name, value in DEFAULTS.items() if name != "reference"},
    "hyperparameters": "{}",
}


def label_of(row: Mapping[str, Any]) -> str:
    """What legends and tables call a run."""
    return PruningSettings.of_columns(row).label


def with_labels(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the label of each row's run as a column `run`."""
    named, labels = with_names(table)
    return named.assign(run=named.run.map(labels))


def in_words(text: str, labels: Mapping[str, str]) -> str:
    """`text` with the label in the place of every name of a run.

    Args:
        labels: label by name, from `with_names`.
    """
    names = sorted((name for name in labels if name != labels[name]), key=len, reverse=True)
    if not names:
        return text
    pattern = rf"(?<!\w)({'|'.join(map(re.escape, names))})(?!\w)"
    return re.sub(pattern, lambda found: labels[found[0]], text)
