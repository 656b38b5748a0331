"""Rows that the tests of figures share, and one way to make more."""

from dataclasses import asdict, replace

import pandas as pd

from mirtrim.runs.rows import Row
from tests.analysis import test_rows_tables as example


def table(*rows: Row) -> pd.DataFrame:
    return pd.DataFrame([asdict(r) for r in rows])


def trimmed(
    seed: int, error: float, ratio: float = 2.0, asked: float = 2.0, **changes: object
) -> Row:
    whole = {
        "order": "lowest_first", "budget": "parameters", "total_training_macs": 6000, **changes,
    }  # fmt: skip
    return replace(example.trimmed(seed, error, ratio, asked), **whole)  # type: ignore[arg-type]


def masked(seed: int, error: float, ratio: float, **changes: object) -> Row:
    """Dense MACs, whatever was masked."""
    whole = {"method": "mask", "macs": 1000, **changes}
    return trimmed(seed, error, ratio, ratio, **whole)


# Dense test errors: 0.2 for seed 0, 0.1 for seed 1.
DENSE = (example.row(seed=0, test_error=0.2), example.row(seed=1, test_error=0.1))
TRIM = (
    trimmed(0, 0.3),
    trimmed(1, 0.2, ratio=2.1),
    trimmed(0, 0.4, 4.1, 4.0, round=2),
    trimmed(1, 0.3, 4.3, 4.0, round=2),
)
MASK = tuple(masked(seed, 0.1 + 0.05 * seed, 4.0) for seed in (0, 1))
ROWS = table(*DENSE, *TRIM, *MASK)
REINIT = table(
    trimmed(0, 0.5, reset="reinit"),
    trimmed(1, 0.3, reset="reinit"),
)
LONELY = table(trimmed(7, 0.3))
