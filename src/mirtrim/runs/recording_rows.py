"""Rows of scores on a person's recordings.

One per recording, estimator and measure: set (name of the recordings), task, recording, estimator
(name of a network's files, or of a simple rule), kind (`NETWORK` or `RULE`), library (of a rule),
ratio, weights (digest) and rendered (main score on its own test split) of a network, measure,
value, digest (of all that the value depends on).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mirtrim.runs.tables_on_disk import read_tables
from mirtrim.utils.files import atomic_path

NETWORK, RULE = "network", "rule"
NUMBERS = ("ratio", "rendered", "value")
COLUMNS = (
    "set", "task", "recording", "estimator", "kind", "library", "ratio", "weights", "rendered",
    "measure", "value", "digest",
)  # fmt: skip
TEXTS = tuple(name for name in COLUMNS if name not in NUMBERS)


def write_recording_rows(path: Path, rows: pd.DataFrame) -> None:
    """Write rows as CSV, atomically."""
    with atomic_path(path) as temporary:
        rows.to_csv(temporary, index=False, float_format="%.6g")


def read_recording_rows(paths: Sequence[Path]) -> pd.DataFrame:
    """Read what `write_recording_rows` wrote; a damaged file is an `ArtefactError`."""
    return read_tables(paths, TEXTS, _check, "scores on recordings")


def _check(table: pd.DataFrame) -> None:
    lacking = [name for name in COLUMNS if name not in table.columns]
    if lacking:
        raise ValueError(f"column {lacking[0]} is missing")
    if not np.isfinite(table.value.astype(float)).all():
        raise ValueError("column value: not a finite number")
    odd = sorted(set(table.kind) - {NETWORK, RULE})
    if odd:
        raise ValueError(f"column kind: {odd[0]} is neither {NETWORK} nor {RULE}")
