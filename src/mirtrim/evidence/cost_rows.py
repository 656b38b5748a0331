"""The cost row: what one network weighs in one number format, and its error in it."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from mirtrim.evidence.rows import RUN_KEYS
from mirtrim.evidence.tables_on_disk import read_tables
from mirtrim.files import atomic_path

FORMATS = ("fp32", "int8")


@dataclass(frozen=True)
class CostRow:
    """One exported network.

    Attributes:
        task … round, ratio_asked, ratio: as in the result row of the network.
        format: "fp32", or "int8": weights and activations quantised after training.
        parameters, nonzeros, macs, peak_activation_bytes: as in the result row.
        weights_raw, weights_gzip, weights_zstd: bytes of the weights and buffers alone, plain
            and compressed; zeros of a mask are worth nothing in the first.
        onnx_raw, onnx_gzip, onnx_zstd: bytes of the ONNX file.
        difference: largest relative difference of the fp32 file's outputs to torch's; 0 for
            int8, whose difference is its error.
        validation_error, test_error: 1 − main score of the file in ONNX Runtime, the decoding
            tuned on validation for that file.
        scores: every score on the test split, JSON.
        network_digest: digest of the code behind the network, from its result row.
        code_digest: digest of the code behind this row.
        versions: what it was computed with.
    """

    task: str
    corpus: str
    method: str
    criterion: str
    scope: str
    scale: str
    order: str
    reset: str
    counted: str
    reference: str
    seed: int
    round: int
    ratio_asked: float
    ratio: float
    format: str
    parameters: int
    nonzeros: int
    macs: int
    peak_activation_bytes: int
    weights_raw: int
    weights_gzip: int
    weights_zstd: int
    onnx_raw: int
    onnx_gzip: int
    onnx_zstd: int
    difference: float
    validation_error: float
    test_error: float
    scores: str
    network_digest: str
    code_digest: str
    versions: str

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"cost row: unknown format {self.format!r}")


COLUMNS = tuple(field.name for field in fields(CostRow))
SHARED = ("task", "corpus", *RUN_KEYS, "seed", "round", "ratio_asked", "ratio")
COUNTED = ("parameters", "nonzeros", "macs", "peak_activation_bytes")


def write_cost_rows(path: Path, rows: list[CostRow]) -> None:
    """Write cost rows as CSV, atomically."""
    with atomic_path(path) as temporary:
        pd.DataFrame([asdict(row) for row in rows], columns=list(COLUMNS)).to_csv(
            temporary, index=False, float_format="%.9g"
        )


def read_cost_rows(paths: list[Path]) -> pd.DataFrame:
    """Read cost rows into one table in a fixed order; a damaged file is an `ArtefactError`."""
    text = [field.name for field in fields(CostRow) if field.type is str]
    keys = ["task", *RUN_KEYS, "seed", "round", "format"]
    return read_tables(paths, text, _check, "cost rows").sort_values(keys, ignore_index=True)


def _check(table: pd.DataFrame) -> None:
    if tuple(table.columns) != COLUMNS:
        raise ValueError(f"columns {sorted(set(table.columns) ^ set(COLUMNS))} differ")
