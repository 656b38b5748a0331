"""The cost job: export every network of a run, quantise it, weigh both, score both."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnxruntime
import pandas as pd
from torch import Tensor, nn

from mirtrim.counting.bytes import Packed, packed, serialise, weights_int8
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.onnx_network import OnnxNetwork
from mirtrim.deploy.quantising import quantise_onnx
from mirtrim.runs.cost_rows import COUNTED, FORMATS, SHARED, CostRow, write_cost_rows
from mirtrim.runs.jobs.networks import Count, trained_networks
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.utils import provenance

# Fewer cost precision, many more let one outlier stretch the ranges of activations.
CALIBRATION_EXAMPLES = 512


def cost(
    setting: Setting,
    rows: pd.DataFrame,
    networks: Path,
    *,
    files_folder: Path,
    costs_path: Path,
    code_digest: str,
    count: Count = lambda done, total: None,
) -> None:
    """Write two ONNX files per network, `ratio-R.fp32.onnx` and `ratio-R.int8.onnx`, and cost rows.

    Args:
        rows: result rows of one run and seed; `networks`: what its job wrote.
        count: called with (networks done, networks in all).
    """
    costs: list[CostRow] = []
    for row, network in trained_networks(setting, rows, networks, count):
        base = files_folder / f"ratio-{row.target_ratio:g}"
        plain, quantised = (onnx_file(base, kind) for kind in FORMATS)
        example = setting.task.example_input(setting.features)
        difference = export_onnx(network, example, plain)
        quantise_onnx(plain, quantised, calibration(setting, int(row.seed)))
        state = network.state_dict()
        for kind, path, weights, off in (
            ("fp32", plain, serialise(state), difference),
            ("int8", quantised, weights_int8(state), 0.0),
        ):
            sizes = {
                **_named("weights", packed(weights)),
                **_named("onnx", packed(path.read_bytes())),
            }
            costs.append(_cost_row(setting, row, kind, path, sizes, off, code_digest))
    write_cost_rows(costs_path, costs)


def onnx_file(base: Path, number_format: str) -> Path:
    """The ONNX file of a network in a number format, next to `base`."""
    return base.with_name(f"{base.name}.{number_format}.onnx")


def calibration(setting: Setting, seed: int) -> Iterator[Tensor]:
    """Inputs from training data, to choose the ranges of quantised activations."""
    examples = 0
    for inputs, _ in TaskData(setting, seed, "calibration").batches(0):
        if examples >= CALIBRATION_EXAMPLES:
            return
        examples += len(inputs)
        yield inputs


def _named(what: str, sizes: Packed) -> dict[str, int]:
    return {f"{what}_{key}": size for key, size in asdict(sizes).items()}


def _cost_row(
    setting: Setting,
    row: pd.Series,
    kind: str,
    path: Path,
    sizes: Mapping[str, Any],
    difference: float,
    code_digest: str,
) -> CostRow:
    network: nn.Module = OnnxNetwork(path)
    scores = setting.evaluate(network)
    known: dict[str, Any] = {name: row[name] for name in (*SHARED, *COUNTED)}
    return CostRow(
        **known,
        format=kind,
        **sizes,
        difference=difference,
        validation_error=scores.validation_error,
        test_error=scores.test_error,
        scores=json.dumps(
            {name: round(value, 6) for name, value in scores.test_scores.items()}, sort_keys=True
        ),
        network_digest=row.code_digest,
        code_digest=code_digest[:16],
        versions=f"{provenance.versions()}; onnxruntime {onnxruntime.__version__}",
    )
