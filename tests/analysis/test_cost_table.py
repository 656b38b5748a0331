"""The cost table on numbers that are worked out by hand."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.cost_table import cost_table, write_cost_table
from tests.analysis import worlds

DENSE, TRIM = worlds.CHOICES["dense"], worlds.CHOICES[worlds.TRIM]


def costs() -> pd.DataFrame:
    lines = []
    for keys, ratio, macs, errors in (
        (DENSE, 1.0, 1000, {"fp32": (0.1, 0.3), "int8": (0.2, 0.2)}),
        (TRIM, 4.0, 125, {"fp32": (0.3, 0.5), "int8": (0.4, 0.8)}),
    ):
        for kind, of_seeds in errors.items():
            for seed, error in enumerate(of_seeds):
                lines.append(
                    keys | {
                        "seed": seed, "target_ratio": ratio, "ratio": ratio, "format": kind,
                        "parameters": 400 / ratio, "nonzeros": 400 / ratio, "macs": macs,
                        "peak_activation_bytes": 64, "weights_raw": 1600 / ratio,
                        "weights_zstd": 1500 / ratio, "onnx_raw": 1700 / ratio,
                        "test_error": error,
                    }
                )  # fmt: skip
    return pd.DataFrame(lines)


def latencies() -> pd.DataFrame:
    milliseconds = {
        ("dense", 1.0): {
            "torch": 6.0,
            "onnxruntime": 2.0,
            "onnxruntime rewritten": 1.5,
            "onnxruntime int8": 1.0,
        },
        ("trim_magnitude_local_rewind", 4.0): {
            "torch": 0.3,
            "onnxruntime": 0.5,
            "onnxruntime rewritten": 0.5,
            "onnxruntime int8": 0.4,
        },
    }
    return pd.DataFrame(
        {
            "run": run, "target_ratio": ratio, "runtime": runtime, "median_ms": median,
            "baseline_bytes": 50, "peak_bytes": 80, "gmacs_per_second": 1.0,
        }
        for (run, ratio), of_runtime in milliseconds.items()
        for runtime, median in of_runtime.items()
    )  # fmt: skip


def test_speed_ups_and_errors_by_hand() -> None:
    arenas = pd.DataFrame(
        {
            "run": ["trim_magnitude_local_rewind"],
            "target_ratio": [4.0],
            "variant": ["int8"],
            "arena_bytes": [4096],
        }
    )
    table = cost_table(costs(), latencies(), arenas).set_index("run")
    trim = table.loc["trim"]
    assert list(table.index) == ["dense", "trim"]
    assert trim.seeds == 2
    assert trim.speed_up_theoretical == 8.0  # 1000 / 125
    assert trim.speed_up_measured == 4.0  # 2.0 / 0.5
    assert trim.share_reached == 0.5
    assert trim.best_ms == 0.3  # torch
    assert trim.speed_up_best == pytest.approx(5.0)  # 1.5 / 0.3
    assert trim.test_error_fp32_mean == pytest.approx(0.4)
    assert trim.test_error_fp32_deviation == pytest.approx(0.02**0.5)  # (0.1² + 0.1²) / (2 − 1)
    assert trim.test_error_int8_mean == pytest.approx(0.6)
    assert trim.resident_bytes == 30
    assert trim.arena_int8_bytes == 4096
    assert pd.isna(table.loc["dense"].arena_int8_bytes)
    assert table.loc["dense"].share_reached == 1.0


def test_what_was_not_measured_is_a_dash(tmp_path: Path) -> None:
    table = cost_table(costs(), latencies())
    write_cost_table(table, tmp_path / "t.csv", tmp_path / "t.md")
    read = pd.read_csv(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[3] == (
        "| trim | 4.00 | 100 | 125 | 375 | 375 | – | 0.500 | 0.300 | 0.400 | 8.00 | 4.00 "
        "| 0.50 | 5.00 | 0.400 ± 0.141 | 0.600 ± 0.283 |"
    )
