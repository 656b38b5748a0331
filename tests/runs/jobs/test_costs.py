"""Cost and latency jobs: every network of a run exported, weighed, scored and timed."""

import json
from pathlib import Path

import onnx
import pandas as pd
import pytest

from mirtrim.runs.cost_rows import read_cost_rows, read_latencies, write_cost_rows
from mirtrim.runs.jobs.costs import cost
from mirtrim.runs.jobs.latencies import FinishedRun, measure_latencies
from mirtrim.runs.jobs.networks import trained_networks
from mirtrim.runs.rows import read_rows
from mirtrim.utils.errors import ArtefactError
from tests.runs.jobs.synthetic import Job


def run_cost(undisturbed: Path, folder: Path, method: str) -> pd.DataFrame:
    network = undisturbed / ("dense.safetensors" if method == "dense" else method)
    done: list[tuple[int, int]] = []
    cost(
        Job(undisturbed).setting,
        read_rows([undisturbed / f"{method}.csv"]),
        network,
        files_folder=folder / method,
        costs_path=folder / f"{method}.csv",
        code_digest="0" * 64,
        count=lambda now, of_all: done.append((now, of_all)),
    )
    assert done == ([(1, 1)] if method == "dense" else [(1, 2), (2, 2)])
    return read_cost_rows([folder / f"{method}.csv"])


@pytest.fixture(scope="module")
def costs(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("costs")
    for method in ("dense", "trim", "mask"):
        run_cost(undisturbed, folder, method)
    return folder


def test_the_exported_network_has_the_error_of_the_trained_one(
    undisturbed: Path, costs: Path
) -> None:
    for method in ("dense", "trim", "mask"):
        exported = read_cost_rows([costs / f"{method}.csv"])
        plain = exported[exported.format == "fp32"]
        trained = read_rows([undisturbed / f"{method}.csv"])
        assert plain.test_error.to_numpy() == pytest.approx(trained.test_error.to_numpy(), abs=1e-6)
        assert (plain.difference <= 1e-5).all()
        # Only files of floats are held against the network; some sum is rounded differently.
        assert (plain.difference > 0).any()
        assert (exported.difference[exported.format == "int8"] == 0).all()
        assert set(exported.format) == {"fp32", "int8"}
        assert "threshold_onset" in json.loads(exported.scores.iloc[0])


def test_a_mask_is_worth_its_zeros_only_when_packed(costs: Path) -> None:
    dense, trim, mask = (
        read_cost_rows([costs / f"{name}.csv"]).query("format == 'fp32'").iloc[-1]
        for name in ("dense", "trim", "mask")
    )
    assert mask.weights_raw == dense.weights_raw
    assert mask.weights_zstd < dense.weights_zstd
    assert trim.weights_raw < dense.weights_raw / 2
    assert (mask.macs, mask.parameters) == (dense.macs, dense.parameters)


def test_int8_files_hold_int8_weights(costs: Path) -> None:
    model = onnx.load(costs / "trim" / "ratio-2.int8.onnx")
    kinds = {t.data_type for t in model.graph.initializer if len(t.dims) > 1}
    assert kinds == {onnx.TensorProto.INT8}


def test_each_row_weighs_the_file_of_its_own_format(costs: Path) -> None:
    for row in read_cost_rows([costs / "trim.csv"]).itertuples():
        file = costs / "trim" / f"ratio-{row.target_ratio:g}.{row.format}.onnx"
        assert row.onnx_raw == file.stat().st_size


def test_every_network_is_timed_in_every_runtime(
    undisturbed: Path, costs: Path, tmp_path: Path
) -> None:
    runs = [
        FinishedRun(read_rows([undisturbed / f"{name}.csv"]), undisturbed / path, costs / name)
        for name, path in (("dense", "dense.safetensors"), ("trim", "trim"))
    ]
    measure_latencies(Job(undisturbed).setting, runs, tmp_path / "latency.csv", seconds=0.02)
    assert (tmp_path / "latency.csv").read_text().startswith("task,")  # no numbers of lines
    table = pd.read_csv(tmp_path / "latency.csv")
    assert len(table) == 4 * (1 + 2)
    runtimes = {"torch", "onnxruntime", "onnxruntime rewritten", "onnxruntime int8"}
    assert set(table.runtime) == runtimes
    assert (table.p5_ms <= table.median_ms).all()
    assert (table.median_ms <= table.p95_ms).all()
    # Memory is measured where a process can be asked to run a file and nothing else.
    other = table[~table.runtime.isin(["onnxruntime", "onnxruntime int8"])]
    assert (other[["baseline_bytes", "peak_bytes"]] == 0).all().all()
    read = read_latencies([tmp_path / "latency.csv"])
    assert read.run.tolist() == ["dense"] * 4 + ["trim_magnitude_local_rewind"] * 8
    assert read.target_ratio.tolist() == [1] * 4 + [2] * 4 + [4] * 4
    plain = table[table.runtime == "onnxruntime"]
    assert (plain.peak_bytes > plain.baseline_bytes).all()
    expected = plain.macs / plain.median_ms / 1e6
    assert plain.gmacs_per_second.to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-4)


def test_networks_come_with_their_rows(undisturbed: Path) -> None:
    table = read_rows([undisturbed / "trim.csv"])
    found = list(trained_networks(Job(undisturbed).setting, table, undisturbed / "trim"))
    assert [row.target_ratio for row, _ in found] == [2, 4]
    for row, network in found:
        assert sum(p.numel() for p in network.parameters()) == row.parameters
        assert not network.training


def test_a_missing_network_is_named(undisturbed: Path, tmp_path: Path) -> None:
    table = read_rows([undisturbed / "trim.csv"])
    with pytest.raises(ArtefactError, match=r"ratio-2.json is missing; delete .* and run again"):
        list(trained_networks(Job(undisturbed).setting, table, tmp_path))


def test_damaged_cost_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("task,seed\nonset,0\n")
    with pytest.raises(ArtefactError, match=r"costs.csv does not hold cost rows .*; delete it"):
        read_cost_rows([path])
    write_cost_rows(path, [])
    assert read_cost_rows([path]).empty
