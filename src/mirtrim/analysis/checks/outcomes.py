"""The checks by name. A new one is one function with one decorator in this folder.

Each takes the `Material` and the settings of its line in `config/checklist.yaml`, and returns pass
or fail with the evidence, or `None` instead of pass or fail if material is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

Outcome = tuple[bool | None, str]


@dataclass(frozen=True)
class Material:
    """What checks look at.

    Attributes:
        rows: result rows with a column `run`.
        pieces: scores per test piece.
        config: the profile's configuration.
        verdicts: table of verdicts, or None.
        citation: the parsed citation file, or None.
        inspections, barriers: measurements of trained networks (`runs.measured_rows`) of this and
            other profiles, with a column `profile`; or None.
    """

    rows: pd.DataFrame
    pieces: pd.DataFrame
    config: Mapping[str, Any]
    verdicts: pd.DataFrame | None = None
    citation: Mapping[str, Any] | None = None
    inspections: pd.DataFrame | None = None
    barriers: pd.DataFrame | None = None


CHECKS: dict[str, Callable[..., Outcome]] = {}


def check(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Register a check under the name of its function."""
    CHECKS[function.__name__] = function
    return function


def outcome(wrong: Sequence[str], right: str) -> Outcome:
    """Pass with the evidence `right` if nothing is `wrong`."""
    return (not wrong, "; ".join(wrong) if wrong else right)
