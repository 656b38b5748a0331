"""Rows of further measurements on trained networks: inspections, barriers, merges, singular
directions.

They have their own tables, so that a new measurement makes no row of a training stale.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from mirtrim.pruning.settings import COLUMN_DEFAULTS
from mirtrim.runs.rows import RUN_KEYS, read_jobs
from mirtrim.runs.tables_on_disk import check_finite, check_same_columns, write_csv
from mirtrim.utils import provenance

# What such a row copies from the result row of its network.
SHARED = ("task", "corpus", *RUN_KEYS, "seed", "round", "target_ratio", "ratio", "parameters")


@dataclass(frozen=True, kw_only=True)
class NetworkRow:
    """Which network a row is of; attributes as in `runs.rows.Row`."""

    task: str
    corpus: str
    method: str
    criterion: str
    scope: str
    scale: str
    order: str
    reset: str
    budget: str
    reference: str
    seed: int
    round: int
    target_ratio: float
    ratio: float


@dataclass(frozen=True, kw_only=True)
class _Measured(NetworkRow):
    """What all of them share; attributes as in `runs.rows.Row`.

    Attributes:
        network_digest: digest of the code behind the network, from its result row.
        code_digest: digest of the code behind this row.
    """

    parameters: int
    network_digest: str
    code_digest: str
    versions: str
    machine: str
    minimum_units: int = COLUMN_DEFAULTS["minimum_units"]
    hyperparameters: str = COLUMN_DEFAULTS["hyperparameters"]


@dataclass(frozen=True)
class Inspection(_Measured):
    """One finished network, looked at once more.

    Attributes:
        test_error: of the network that was looked at, 1 − main score.
        judgements: how many statements with a probability it made on the test split
            (`tasks.certainty`).
        share_true: how many of them were true.
        calibration_error: expected calibration error, 15 bins of equal width.
        calibration_error_equal_mass: the same with bins of equally many statements.
        overconfidence: mean probability − share that was true.
        brier: mean squared difference of probability and truth.
        reliability: JSON, of every bin of equal width its statements, their mean probability and
            the share that was true.
        worst_class, worst_class_share: the class that it recognises least often, and how often;
            "-" and NaN for tasks without classes.
        units: JSON, layer → units left.
    """

    test_error: float = nan
    judgements: int = 0
    share_true: float = nan
    calibration_error: float = nan
    calibration_error_equal_mass: float = nan
    overconfidence: float = nan
    brier: float = nan
    reliability: str = "[]"
    worst_class: str = "-"
    worst_class_share: float = nan
    units: str = "{}"


@dataclass(frozen=True)
class Barrier(_Measured):
    """Two trainings of one ticket, and the errors on the line between them.

    Attributes:
        error_barrier: highest error on the line above the mean of its ends
            (`runs.jobs.connectivity`).
        first_error, second_error: test errors of the two networks.
        errors: JSON, test errors at equal steps from the first to the second.
        epochs: of each of the two trainings.
    """

    error_barrier: float = nan
    first_error: float = nan
    second_error: float = nan
    errors: str = "[]"
    epochs: int = 0


@dataclass(frozen=True)
class Merge(_Measured):
    """One way to merge two tasks with trunks of one trimmed shape (`runs.jobs.merging`).

    Attributes:
        variant: what a study has changed of this task, as in `runs.rows.Row`.
        other_task: the task that shares the trunk of this one, or the variant of a task.
        way: how the trunk was made: "separate", "start", "average", "task_vectors", "emr".
        strength: λ of task vectors; NaN where there is none.
        test_error, other_test_error: of this and of the other task.
        validation_error, other_validation_error: the same on validation.
        errors: JSON, mean validation errors among which λ was chosen, if it was.
        cosine: of the angle between both task vectors.
        stored_parameters: what has to be stored for both tasks, in numbers that were learnt.
        stored_bytes: the same with statistics and masks, in bytes.
        epochs: of the training of the other task.
    """

    variant: str = "{}"
    other_task: str = "-"
    way: str = "-"
    strength: float = nan
    test_error: float = nan
    other_test_error: float = nan
    validation_error: float = nan
    other_validation_error: float = nan
    errors: str = "[]"
    cosine: float = nan
    stored_parameters: int = 0
    stored_bytes: int = 0
    epochs: int = 0


@dataclass(frozen=True)
class SingularView(_Measured):
    """The singular directions of one network's weights, compared with the dense network's.

    Means over layers with two outputs or more (`pruning.singular`).

    Attributes:
        threshold: cosine below which a direction is an intruder.
        intruder_share: share of its directions that resemble none of the dense network's.
        leading_intruder_share: the same of the leading tenth.
        effective_rank: exp of the entropy of the singular values.
        leading_energy: share of the energy in the leading tenth.
        layers: JSON, layer → counts and values of the layer.
    """

    threshold: float = nan
    intruder_share: float = nan
    leading_intruder_share: float = nan
    effective_rank: float = nan
    leading_energy: float = nan
    layers: str = "{}"


MUST_BE_FINITE: dict[type[NetworkRow], tuple[str, ...]] = {
    Inspection: ("test_error", "share_true", "calibration_error", "overconfidence", "brier"),
    Barrier: ("error_barrier", "first_error", "second_error"),
    Merge: ("test_error", "other_test_error", "cosine", "stored_bytes"),
    SingularView: (
        "intruder_share", "leading_intruder_share", "effective_rank", "leading_energy",
    ),
}  # fmt: skip


def write_measured(
    path: Path, rows: Sequence[NetworkRow], kind: type[NetworkRow] | None = None
) -> None:
    """Write rows of one kind as CSV, atomically; without rows the kind must be given."""
    columns = [field.name for field in fields(kind or type(rows[0]))]
    write_csv(path, pd.DataFrame([asdict(row) for row in rows], columns=columns), digits=9)


def read_measured(
    kind: type[NetworkRow],
    paths: Sequence[Path],
    tables: Sequence[Path] = (),
    jobs: Mapping[str, Collection[str]] | None = None,
    what: str = "",
) -> pd.DataFrame:
    """Read rows of one kind into one table in a fixed order; as `runs.rows.read_rows`.

    Args:
        what: what the files hold, for messages; by default rows of the name of their kind.

    Returns:
        Their columns; no lines, but the columns, where no file is given and no job is wanted.

    Raises:
        ArtefactError: a file is damaged, or a wanted job is in none.
    """
    columns = [field.name for field in fields(kind)]
    if nothing_asked(paths, tables, jobs):
        return pd.DataFrame(columns=columns)

    def check(table: pd.DataFrame) -> None:
        check_same_columns(table, columns)
        check_finite(table, *MUST_BE_FINITE.get(kind, ()))
        for name in {"reliability", "units", "errors", "layers", "variant"} & set(columns):
            for text in table[name]:
                json.loads(text)

    text = [field.name for field in fields(kind) if field.type is str]
    what = what or f"{kind.__name__} rows"
    found = read_jobs(paths, tables, jobs, text=text, check=check, what=what)
    keys = ["task", *RUN_KEYS, "seed", "round", *({"format"} & set(columns))]
    # Several rows of one network stay in their order: sorting by many keys is stable.
    return found[columns].sort_values(keys, ignore_index=True)


def nothing_asked(
    paths: Sequence[Path], tables: Sequence[Path], jobs: Mapping[str, Collection[str]] | None
) -> bool:
    """Whether nothing has been measured yet, and nothing is requested."""
    return not paths and not tables and not any((jobs or {}).values())


def read_beside(kind: type[_Measured], tables: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Rows of one kind of several profiles, with a column `profile`.

    Args:
        tables: profile → its tables.

    Raises:
        ArtefactError: a table is damaged.
    """
    parts = [
        read_measured(kind, [], [Path(path) for path in paths]).assign(profile=profile)
        for profile, paths in tables.items()
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def shared_of(row: pd.Series, code_digest: str) -> dict[str, Any]:
    """The columns that all measured rows have.

    Args:
        row: the result row of the network.
        code_digest: digest of the code that measures.
    """
    return {
        **{name: row[name] for name in SHARED},
        "network_digest": row.code_digest,
        "code_digest": code_digest[:16],
        "versions": provenance.versions(),
        "machine": provenance.machine(),
    }
