"""The result row: one schema, checked whenever rows are written or read."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from mirtrim.evidence.tables_on_disk import read_tables
from mirtrim.files import atomic_path


@dataclass(frozen=True)
class Row:
    """One network, trained and measured.

    Attributes:
        profile, task, corpus: where it comes from.
        method, criterion, scope, scale, order, reset, reference: how it was made; "-" where the
            method has no use for a choice.
        counted: what `ratio_asked` counts, "parameters" or "macs".
        seed, round: which repetition, which cut (0 is the dense network).
        ratio_asked: target compression ratio.
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
        law_difference: largest |trimmed − gated| output in this round's cut, −1 if no cut.
        diagnostics: what the method recorded about the training, JSON.
        code_digest, data_digest, config_digest: what determined the numbers.
        versions, machine: what they were computed with.
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
    counted: str
    seed: int
    round: int
    ratio_asked: float
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
    law_difference: float
    diagnostics: str
    code_digest: str
    data_digest: str
    config_digest: str
    versions: str
    machine: str

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
        for name in ("scores", "diagnostics"):
            if not isinstance(json.loads(getattr(self, name)), dict):
                raise ValueError(f"row column {name}: not a JSON object")


COLUMNS = tuple(field.name for field in fields(Row))
# What identifies a run, apart from its seed and round.
RUN_KEYS = ["method", "criterion", "scope", "scale", "order", "reset", "counted", "reference"]
PIECE_KEYS = ["task", *RUN_KEYS, "seed", "round", "track_id"]


def write_rows(path: Path, rows: list[Row]) -> None:
    """Write rows as CSV, atomically."""
    with atomic_path(path) as temporary:
        pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS)).to_csv(
            temporary, index=False
        )


def read_rows(paths: list[Path]) -> pd.DataFrame:
    """Read row files into one table, in a fixed order; a damaged file is an `ArtefactError`."""
    text = [field.name for field in fields(Row) if field.type in (str, "str")]
    keys = ["task", *RUN_KEYS, "seed", "round"]
    return read_tables(paths, text, _check, "result rows").sort_values(keys, ignore_index=True)


def _check(table: pd.DataFrame) -> None:
    if tuple(table.columns) != COLUMNS:
        raise ValueError(f"columns {sorted(set(table.columns) ^ set(COLUMNS))} differ")
    for record in table.to_dict("records"):
        Row(**{str(name): value for name, value in record.items()})


def write_pieces(path: Path, tables: list[pd.DataFrame]) -> None:
    """Write scores per test piece (for bootstraps over pieces) as CSV, atomically."""
    with atomic_path(path) as temporary:
        pd.concat(tables, ignore_index=True).to_csv(temporary, index=False, float_format="%.6g")


def collect(row_paths: list[Path], rows_path: Path) -> None:
    """Join row files into one table, in a fixed order."""
    rows = read_rows(row_paths)
    with atomic_path(rows_path) as temporary:
        rows.to_csv(temporary, index=False)
