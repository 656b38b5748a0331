"""The microcontroller job: every network of a run as .tflite files, their arenas and errors."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from mirtrim.deploy.microcontroller import TfliteNetwork, export_tflite, measure_arena
from mirtrim.runs.cost_rows import FORMATS
from mirtrim.runs.jobs.costs import calibration
from mirtrim.runs.jobs.networks import Count, trained_networks
from mirtrim.runs.jobs.setting import Setting
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.runs.tables_on_disk import write_csv


def fit_to_boards(
    setting: Setting,
    rows: pd.DataFrame,
    networks: Path,
    *,
    files_folder: Path,
    table_path: Path,
    count: Count = lambda done, total: None,
) -> None:
    """Write `ratio-R.fp32.tflite` and `ratio-R.int8.tflite`, and one line for each.

    The error of an int8 file is that of the file itself, computed by the interpreter of
    TensorFlow Lite Micro with the decoding that was tuned for the trained network, which a board
    would be given. The interpreter takes one example at a time, so validation is left out. An
    fp32 file equals the trained network to rounding (checked when it is written) and has its
    error.

    Args:
        rows: result rows of one run and seed; `networks`: what its job wrote.
        count: called with (networks done, networks in all).
    """
    example = setting.task.example_input(setting.features)
    lines: list[dict[str, Any]] = []
    for row, network in trained_networks(setting, rows, networks, count):
        for kind in FORMATS:
            path = files_folder / f"ratio-{row.target_ratio:g}.{kind}.tflite"
            examples = calibration(setting, int(row.seed)) if kind == "int8" else None
            difference = export_tflite(network, example, path, examples)
            arena = measure_arena(path)
            error = float(row.test_error)
            if kind == "int8":
                error = _test_error(setting, TfliteNetwork.from_file(path), row)
            lines.append(
                {
                    **{name: row[name] for name in ("task", *RUN_KEYS)},
                    **{name: row[name] for name in ("seed", "round", "target_ratio", "ratio")},
                    "parameters": row.parameters,
                    "variant": kind,
                    "flash_bytes": path.stat().st_size,
                    "arena_bytes": arena.needed_bytes,
                    "arena_used_bytes": arena.used_bytes,
                    "difference": difference,
                    "test_error": error,
                }
            )
    write_csv(table_path, pd.DataFrame(lines), digits=9)


def _test_error(setting: Setting, network: nn.Module, row: pd.Series) -> float:
    task, features = setting.task, setting.features
    with torch.no_grad():
        predictions = task.predict(network, setting.store, "test", features)
    # Tuned values are among the scores.
    pieces = task.score(predictions, setting.store, features, json.loads(row.scores))
    return 1.0 - task.summarise(pieces)[task.main_score]
