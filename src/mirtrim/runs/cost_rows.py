"""The cost row: what one network weighs in one number format, and its error in it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from mirtrim.pruning.settings import COLUMN_DEFAULTS
from mirtrim.runs.measured_rows import NetworkRow, nothing_asked, read_measured, write_measured
from mirtrim.runs.rows import RUN_KEYS, TEXT_KEYS, read_jobs, with_names
from mirtrim.runs.tables_on_disk import check_columns

FORMATS = ("fp32", "int8")


@dataclass(frozen=True, kw_only=True)
class CostRow(NetworkRow):
    """One exported network.

    Attributes:
        task … round, target_ratio, ratio, minimum_units, hyperparameters: as in the result row
            of the network.
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
        versions: of the software that computed it.
    """

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
    minimum_units: int = COLUMN_DEFAULTS["minimum_units"]
    hyperparameters: str = COLUMN_DEFAULTS["hyperparameters"]

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"cost row: unknown format {self.format!r}")


SHARED = ("task", "corpus", *RUN_KEYS, "seed", "round", "target_ratio", "ratio")
COUNTED = ("parameters", "nonzeros", "macs", "peak_activation_bytes")


def write_cost_rows(path: Path, rows: Sequence[CostRow]) -> None:
    """Write cost rows as CSV, atomically."""
    write_measured(path, rows, CostRow)


def read_cost_rows(
    paths: Sequence[Path],
    tables: Sequence[Path] = (),
    jobs: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """Read cost rows into one table in a fixed order; as `runs.rows.read_rows`.

    Raises:
        ArtefactError: a file is damaged, or a wanted job is in none.
    """
    return read_measured(CostRow, paths, tables, jobs, "cost rows")


def read_latencies(paths: Sequence[Path], tables: Sequence[Path] = ()) -> pd.DataFrame:
    """What the latency jobs wrote, in a fixed order; job files take the place of tables.

    Returns:
        Their columns, `run` being the name of the run.

    Raises:
        ArtefactError: a file is damaged.
    """
    if nothing_asked(paths, tables, None):
        return pd.DataFrame(columns=[*SHARED, "run", "runtime", "median_ms"])
    columns = {"task", "runtime", "median_ms"}
    return with_names(_read_lines(paths, tables, None, "latencies", columns))[0]


def read_arenas(
    paths: Sequence[Path],
    tables: Sequence[Path] = (),
    jobs: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """What the microcontroller jobs wrote, in a fixed order; job files take the place of tables.

    Returns:
        Their columns, `run` being the name of the run.

    Raises:
        ArtefactError: a file is damaged, or a wanted job is in none.
    """
    columns = {"task", "variant", "arena_bytes"}
    return with_names(_read_lines(paths, tables, jobs, "arenas", columns))[0]


def _read_lines(
    paths: Sequence[Path],
    tables: Sequence[Path],
    jobs: Mapping[str, Collection[str]] | None,
    what: str,
    columns: set[str],
) -> pd.DataFrame:
    check = partial(check_columns, needed=columns)
    found = read_jobs(paths, tables, jobs, text=TEXT_KEYS, check=check, what=what)
    keys = ["task", *RUN_KEYS, "seed", "target_ratio"]
    return found.sort_values(keys, ignore_index=True, kind="stable")
