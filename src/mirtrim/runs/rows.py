"""The result row: one schema, checked whenever rows are written or read."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from mirtrim.pruning.settings import COLUMN_DEFAULTS, RUN_COLUMNS, PruningSettings
from mirtrim.runs.tables_on_disk import (
    Check,
    check_same_columns,
    completed,
    read_tables,
    write_csv,
)
from mirtrim.utils.errors import ArtefactError


@dataclass(frozen=True)
class Row:
    """One network, trained and measured.

    Attributes:
        profile, task, corpus: where it comes from.
        method, criterion, scope, scale, order, reset, reference: how it was made; "-" where the
            method has no use for a choice.
        budget: what `target_ratio` counts, "parameters" or "macs".
        seed, round: which repetition, which cut (0 is the dense network).
        target_ratio: target compression ratio.
        ratio: compression ratio reached, dense parameters / parameters that are really left.
        parameters, nonzeros: entries of all parameters, and those that are not zero.
        macs: multiply-accumulates for one example.
        bytes_raw, bytes_gzip: serialised weights, plain and compressed.
        peak_activation_bytes: largest sum of live activations, fp32, batch of one.
        validation_error, test_error: 1 − main score, at the epoch that validation chose.
        scores: every score of the task on the test split, JSON.
        epochs, best_epoch: trained, and chosen by validation.
        train_seconds, training_macs: cost of this round's last training alone; MACs count one
            forward and a backward pass of twice its cost for every training example.
        trainings, total_train_seconds, total_training_macs: cost of everything that led to this
            network: all trainings of the round and of the rounds before, and the dense one
            unless the method starts from initial weights.
        equivalence_difference: largest |trimmed − gated| output in this round's cut, −1 if no cut.
        diagnostics: what the method recorded about the training, JSON.
        code_digest, data_digest, config_digest: what determined the numbers.
        versions, machine: what they were computed with.
        minimum_units: units that every layer keeps at least.
        hyperparameters: everything particular to the method that is not its default, JSON.
        variant: what a study has changed of the task's dense training (`runs.jobs.variants`),
            JSON; tables of tasks as they are do not have this column.
    """

    profile: str
    task: str
    corpus: str
    method: str
    criterion: str
    scope: str
    scale: str
    order: str
    reset: str
    reference: str
    budget: str
    seed: int
    round: int
    target_ratio: float
    ratio: float
    parameters: int
    nonzeros: int
    macs: int
    bytes_raw: int
    bytes_gzip: int
    peak_activation_bytes: int
    validation_error: float
    test_error: float
    scores: str
    epochs: int
    best_epoch: int
    train_seconds: float
    training_macs: int
    trainings: int
    total_train_seconds: float
    total_training_macs: int
    equivalence_difference: float
    diagnostics: str
    code_digest: str
    data_digest: str
    config_digest: str
    versions: str
    machine: str
    # Columns that came later, with what rows without them say.
    minimum_units: int = COLUMN_DEFAULTS["minimum_units"]
    hyperparameters: str = COLUMN_DEFAULTS["hyperparameters"]
    variant: str = "{}"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type in (int, "int") and (
                isinstance(value, bool) or not isinstance(value, int)
            ):
                raise ValueError(f"row column {field.name}: {value!r} is not an integer")
            if field.type in (float, "float") and not math.isfinite(float(value)):
                raise ValueError(f"row column {field.name}: {value!r} is not a finite number")
            if field.type in (str, "str") and not isinstance(value, str):
                raise ValueError(f"row column {field.name}: {value!r} is not text")
        if not 0 <= self.nonzeros <= self.parameters:
            raise ValueError(f"row: {self.nonzeros} non-zeros of {self.parameters} parameters")
        for name in ("scores", "diagnostics", "hyperparameters", "variant"):
            if not isinstance(json.loads(getattr(self, name)), dict):
                raise ValueError(f"row column {name}: not a JSON object")


COLUMNS = tuple(field.name for field in fields(Row))
# What identifies a run, apart from its seed and round.
RUN_KEYS = list(RUN_COLUMNS)
# Columns of any table of runs that hold text even where it looks like a number.
TEXT_KEYS = ["task", *(key for key in RUN_KEYS if key != "minimum_units")]
# Columns that old files may lack, and the values that their absence means.
LATER = {entry.name: entry.default for entry in fields(Row) if entry.default is not MISSING}
PIECE_KEYS = ["task", *RUN_KEYS, "seed", "round", "track_id"]
PIECE_TEXTS = [*TEXT_KEYS, "track_id"]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV, atomically."""
    columns = [
        name for name in COLUMNS if name != "variant" or any(r.variant != "{}" for r in rows)
    ]
    write_csv(path, pd.DataFrame([asdict(row) for row in rows], columns=columns), digits=None)


def read_rows(
    paths: Sequence[Path],
    tables: Sequence[Path] = (),
    jobs: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """Read rows into one table, in a fixed order.

    Args:
        paths: files of jobs.
        tables: tables of tasks (`runs.tables`); what they have of a job in `paths` is passed over.
        jobs: task → the jobs wanted, "<run>_seed<seed>"; None for all.

    Raises:
        ArtefactError: a file is damaged, or a wanted job is in none.
    """
    text = [field.name for field in fields(Row) if field.type in (str, "str")]
    keys = ["task", *RUN_KEYS, "seed", "round"]
    found = read_jobs(paths, tables, jobs, text=text, check=_check, what="result rows", later=LATER)
    return found[list(COLUMNS)].sort_values(keys, ignore_index=True)


def read_jobs(
    paths: Sequence[Path],
    tables: Sequence[Path],
    jobs: Mapping[str, Collection[str]] | None,
    *,
    text: Sequence[str],
    check: Check,
    what: str,
    later: Mapping[str, Any] = COLUMN_DEFAULTS,
) -> pd.DataFrame:
    """Read tables of any kind of which jobs write the lines; as `read_rows`.

    Args:
        text, check, what, later: as for `tables_on_disk.read_tables`.
    """
    own, rest = (read_tables(some, text, check, what, later) for some in (paths, tables))
    return select_jobs(own, rest, jobs)


def select_jobs(
    own: pd.DataFrame, tables: pd.DataFrame, jobs: Mapping[str, Collection[str]] | None
) -> pd.DataFrame:
    """Lines of the wanted jobs: those of the jobs' own files, then those of tables.

    Raises:
        ArtefactError: a wanted job is in neither.
    """
    empty = not len(own) and not len(tables) and not jobs
    if empty and (len(own.columns) or len(tables.columns)):
        return own if len(own.columns) else tables
    parts = [with_names(table)[0] for table in (own, tables) if len(table)]
    if not parts:
        raise ArtefactError("there are no rows; run the workflow")
    for part in parts:
        part["job"] = part.task + "/" + part.run + "_seed" + part.seed.astype(str)
    newer = set(parts[0].job)
    found = pd.concat([parts[0], *(part[~part.job.isin(newer)] for part in parts[1:])])
    if jobs is not None:
        wanted = [f"{task}/{job}" for task, names in jobs.items() for job in names]
        missing = sorted(set(wanted) - set(found.job))
        if missing:
            raise ArtefactError(f"{missing[0]}: no rows of this job; run it")
        found = found[found.job.isin(wanted)]
    return found.drop(columns=["job", "run"])


def with_names(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, PruningSettings]]:
    """The table with a column `run`, the name of each row's run, and the settings of each name."""
    table = completed(table, COLUMN_DEFAULTS)
    kinds = table[RUN_KEYS].drop_duplicates()
    settings = [PruningSettings.of_columns(kind) for kind in kinds.to_dict("records")]
    kinds = kinds.assign(run=[found.name for found in settings])
    named = table.drop(columns="run", errors="ignore").merge(
        kinds, on=RUN_KEYS, how="left", validate="many_to_one"
    )
    return named, {found.name: found for found in settings}


def _check(table: pd.DataFrame) -> None:
    check_same_columns(table, COLUMNS)
    for record in table.to_dict("records"):
        Row(**{str(name): value for name, value in record.items()})


def write_pieces(path: Path, tables: list[pd.DataFrame]) -> None:
    """Write scores per test piece (for bootstraps over pieces) as CSV, atomically."""
    write_csv(path, pd.concat(tables, ignore_index=True))
