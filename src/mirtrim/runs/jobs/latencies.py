"""The latency job: every network of some runs, in torch and in ONNX Runtime, taking turns."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from torch import Tensor, nn

from mirtrim.deploy.latency import Call, interleaved, onnx_call, torch_call
from mirtrim.deploy.resident import peak_resident
from mirtrim.deploy.runtime_graph import optimise
from mirtrim.deploy.speed import gmacs_per_second
from mirtrim.runs.jobs.costs import onnx_file
from mirtrim.runs.jobs.networks import trained_networks
from mirtrim.runs.jobs.setting import Setting
from mirtrim.runs.labels import label_of
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.utils import provenance

# Runtimes that read a file of the cost job, and its format; memory is measured for these.
FORMAT_OF_RUNTIME = {"onnxruntime": "fp32", "onnxruntime int8": "int8"}
REWRITTEN = "onnxruntime rewritten"


@dataclass(frozen=True)
class FinishedRun:
    """What the jobs of one run and seed have left.

    Attributes:
        rows: its result rows.
        networks: the file of a dense training or the folder of a chain.
        files: folder of its ONNX files.
    """

    rows: pd.DataFrame
    networks: Path
    files: Path


def measure_latencies(
    setting: Setting, runs: Sequence[FinishedRun], latency_path: Path, *, seconds: float
) -> None:
    """Write one line per network and runtime: latency of one example, memory, GMAC/s.

    All networks of the task take turns in one measurement, on one thread, so that any two of
    them can be compared. Runtimes: torch, ONNX Runtime with the exported file, with the same in
    a form that it computes faster (`deploy.runtime_graph`), and with the int8 file. Peak resident
    memory is that of a fresh process with ONNX Runtime; 0 where it is not measured.

    Args:
        runs: of one task and seed.
        seconds: spent on each network in each runtime.
    """
    example = setting.task.example_input(setting.features)
    calls: dict[str, Call] = {}
    lines: list[dict[str, Any]] = []
    for run in runs:
        for row, network in trained_networks(setting, run.rows, run.networks):
            base = run.files / f"ratio-{row.target_ratio:g}"
            for runtime, call in _calls(network, base, example).items():
                calls[str(len(lines))] = call
                lines.append({**_identity(row), "runtime": runtime, **_memory(base, runtime)})
    for latency, line in zip(interleaved(calls, seconds=seconds).values(), lines, strict=True):
        line |= asdict(latency)
        line["gmacs_per_second"] = gmacs_per_second(line["macs"], latency.median_ms)
        line["machine"] = provenance.machine()
    write_csv(latency_path, pd.DataFrame(lines))


def _identity(row: pd.Series) -> dict[str, Any]:
    keys = {name: row[name] for name in RUN_KEYS}
    counted = ("seed", "round", "target_ratio", "ratio", "parameters", "macs")
    return {
        "task": row.task,
        "run": label_of(keys),
        **keys,
        **{name: row[name] for name in counted},
    }


def _calls(network: nn.Module, base: Path, example: Tensor) -> dict[str, Call]:
    calls = {"torch": torch_call(network, example)}
    inputs = [example.numpy()]
    for runtime, number_format in FORMAT_OF_RUNTIME.items():
        calls[runtime] = onnx_call(onnx_file(base, number_format), inputs)
    with TemporaryDirectory() as folder:  # a session holds all of its file
        rewritten = Path(folder, "rewritten.onnx")
        optimise(onnx_file(base, "fp32"), rewritten)
        calls[REWRITTEN] = onnx_call(rewritten, inputs)
    return calls


def _memory(base: Path, runtime: str) -> dict[str, int]:
    if runtime not in FORMAT_OF_RUNTIME:
        return {"baseline_bytes": 0, "peak_bytes": 0}
    return asdict(peak_resident(onnx_file(base, FORMAT_OF_RUNTIME[runtime])))
