"""Rows of scores on the user's recordings.

One per recording, estimator and measure: set (name of the recordings), task, recording, estimator
(name of a network's files, or of a simple rule), kind (`NETWORK` or `RULE`), library (of a rule),
ratio, weights (digest) and rendered (main score on its own test split) of a network, measure,
value, digest (of all that the value depends on).
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mirtrim.runs.tables_on_disk import check_columns, check_finite, read_tables

NETWORK, RULE = "network", "rule"
NUMBERS = ("ratio", "rendered", "value")
COLUMNS = (
    "set", "task", "recording", "estimator", "kind", "library", "ratio", "weights", "rendered",
    "measure", "value", "digest",
)  # fmt: skip
TEXTS = tuple(name for name in COLUMNS if name not in NUMBERS)


def read_recording_rows(paths: Sequence[Path]) -> pd.DataFrame:
    """Read rows of any number of files; a damaged file is an `ArtefactError`."""
    return read_tables(paths, TEXTS, _check, "scores on recordings")


def _check(table: pd.DataFrame) -> None:
    check_columns(table, COLUMNS)
    check_finite(table, "value")
    if odd := sorted(set(table.kind) - {NETWORK, RULE}):
        raise ValueError(f"column kind: {odd[0]} is neither {NETWORK} nor {RULE}")
