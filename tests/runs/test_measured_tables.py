"""Tables of what is measured on finished networks: read as written, empty if nothing is asked."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mirtrim.pruning.settings import DENSE, PruningSettings
from mirtrim.runs.cost_rows import (
    CostRow,
    read_arenas,
    read_cost_rows,
    read_latencies,
    write_cost_rows,
)
from mirtrim.runs.measured_rows import Barrier, Inspection, read_measured, write_measured
from mirtrim.utils.errors import ArtefactError

TRIM = PruningSettings("trim")
COLUMNS = tuple(field.name for field in fields(CostRow))


def cost(settings: PruningSettings, seed: int, number_format: str, **changes: Any) -> CostRow:
    dense = settings == DENSE
    blank = dict(
        task="onset", corpus="mini", **settings.columns, seed=seed, round=0 if dense else 1,
        target_ratio=1.0 if dense else 4.0, ratio=1.0 if dense else 4.25, format=number_format,
        parameters=80, nonzeros=80, macs=10, peak_activation_bytes=64, weights_raw=320,
        weights_gzip=300, weights_zstd=290, onnx_raw=400, onnx_gzip=380, onnx_zstd=370,
        difference=1 / 3, validation_error=0.25, test_error=0.5, scores="{}", network_digest="7e1",
        code_digest="007", versions="v",
    )  # fmt: skip
    return CostRow(**{**blank, **changes})


def test_cost_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = [cost(TRIM, 1, "int8"), cost(TRIM, 1, "fp32"), cost(DENSE, 0, "fp32")]
    path = tmp_path / "costs.csv"
    write_cost_rows(path, rows)
    assert path.read_text().startswith("task,corpus,method,")  # no numbers of lines
    found = read_cost_rows([path])
    assert tuple(found.columns) == COLUMNS
    # In the order of run, seed and format, whatever that of the file.
    assert found[["method", "format"]].to_numpy().tolist() == [
        ["dense", "fp32"], ["trim", "fp32"], ["trim", "int8"]
    ]  # fmt: skip
    assert found.index.tolist() == [0, 1, 2]
    # Nine digits; digests that look like numbers stay what they are.
    assert found.difference.tolist() == [0.333333333] * 3
    assert found.network_digest.tolist() == ["7e1"] * 3
    assert found.code_digest.tolist() == ["007"] * 3
    one = read_cost_rows([], [path], {"onset": ["dense_seed0"]})
    assert one.method.tolist() == ["dense"]
    with pytest.raises(ValueError, match="unknown format 'fp16'"):
        cost(TRIM, 1, "fp16")


@pytest.mark.parametrize("jobs", [None, {}, {"onset": []}])
def test_where_nothing_is_asked_there_are_columns_and_no_lines(jobs: Any) -> None:
    found = read_cost_rows([], [], jobs)
    assert found.empty
    assert tuple(found.columns) == COLUMNS


def test_where_something_is_asked_and_nothing_is_there_it_is_said(tmp_path: Path) -> None:
    asked = {"onset": ["dense_seed0"]}
    with pytest.raises(ArtefactError, match="there are no rows; run the workflow"):
        read_cost_rows([], [], asked)
    with pytest.raises(ArtefactError, match="there are no rows; run the workflow"):
        read_arenas([], [], asked)
    with pytest.raises(ArtefactError, match="there are no rows; run the workflow"):
        read_measured(Inspection, [], [], asked)
    path = tmp_path / "costs.csv"
    write_cost_rows(path, [cost(TRIM, 0, "fp32")])
    for files in ([path], []), ([], [path]):
        with pytest.raises(ArtefactError, match="onset/dense_seed0: no rows of this job; run it"):
            read_cost_rows(*files, asked)


def latency(**changes: Any) -> pd.DataFrame:
    line = {"task": "onset", **TRIM.columns, "seed": 0, "target_ratio": 4.0, "runtime": "torch",
            "median_ms": 2.5}  # fmt: skip
    return pd.DataFrame([line | changes])


def test_latencies_of_a_jobs_file_take_the_place_of_the_tables(tmp_path: Path) -> None:
    job, table = tmp_path / "job.csv", tmp_path / "table.csv"
    latency(median_ms=1.5).to_csv(job, index=False)
    lines = [latency(seed=1), latency(target_ratio=2.0), latency()]
    pd.concat(lines).to_csv(table, index=False)
    found = read_latencies([job], [table])
    assert found.run.tolist() == [TRIM.name] * 2
    assert found.median_ms.tolist() == [1.5, 2.5]
    assert found.seed.tolist() == [0, 1]
    assert found.index.tolist() == [0, 1]
    assert read_latencies([], [table]).target_ratio.tolist() == [2.0, 4.0, 4.0]
    nothing = read_latencies([])
    assert nothing.empty
    assert {"run", "runtime", "median_ms", "task", "target_ratio"} <= set(nothing.columns)
    latency().drop(columns="runtime").to_csv(job, index=False)
    with pytest.raises(ArtefactError, match=r"job\.csv does not hold latencies \(column runtime"):
        read_latencies([job])


def barrier(**changes: Any) -> Barrier:
    blank = dict(
        task="onset", corpus="mini", **TRIM.columns, seed=0, round=1, target_ratio=4.0, ratio=4.0,
        parameters=8, network_digest="n", code_digest="c", versions="v", machine="m",
        error_barrier=1 / 3, first_error=0.25, second_error=0.5, errors="[0.25, 0.5]", epochs=3,
    )  # fmt: skip
    return Barrier(**{**blank, **changes})


def test_measured_rows_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "barriers.csv"
    write_measured(path, [barrier(seed=1), barrier(round=2), barrier()])
    assert path.read_text().startswith("task,corpus,method,")  # no numbers of lines
    found = read_measured(Barrier, [path])
    assert found[["seed", "round"]].to_numpy().tolist() == [[0, 1], [0, 2], [1, 1]]
    assert found.index.tolist() == [0, 1, 2]
    assert found.error_barrier.tolist() == [0.333333333] * 3
    empty = read_measured(Barrier, [])
    assert (len(empty), list(empty.columns)) == (0, list(found.columns))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"error_barrier": float("nan")}, "column error_barrier: not a finite number"),
        ({"second_error": float("inf")}, "column second_error: not a finite number"),
        ({"errors": "[0.25"}, "Expecting ',' delimiter"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "barriers.csv"
    write_measured(path, [barrier(**change)])
    with pytest.raises(
        ArtefactError, match=rf"barriers\.csv does not hold Barrier rows .*{message}"
    ):
        read_measured(Barrier, [path])
    write_measured(path, [barrier()])
    pd.read_csv(path).drop(columns="epochs").to_csv(path, index=False)
    with pytest.raises(ArtefactError, match="columns epochs differ"):
        read_measured(Barrier, [path])
