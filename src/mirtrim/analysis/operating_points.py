"""The replicated paper's summary: the smallest network that is still good enough, per run.

Best: error at most that of the dense network; Optim: less than 1.1 times it; Small: less than 1.6
times it. Validation selects the ratio; the table shows the test error. The paper selected and
reported with the same error, on test.
"""

from collections.abc import Mapping

import pandas as pd

from mirtrim.analysis.markup import View, mean_of, number, plain
from mirtrim.runs.labels import labels_of
from mirtrim.runs.rows import with_names

# Name of the point, and how many times the dense error is allowed.
POINTS = {"Best": 1.0, "Optim": 1.1, "Small": 1.6}
COUNTED = ("nonzeros", "bytes_gzip", "macs", "peak_activation_bytes")
MEANS = ("ratio", "parameters", *COUNTED, "total_training_macs")
RECORDED_RUN = "trim"  # whose points the authors have recorded


def operating_points(
    rows: pd.DataFrame,
    latencies: pd.DataFrame | None = None,
    recorded: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """One line per run and point, the dense network first.

    Args:
        rows: result rows of one task. A run is compared with the dense networks of its own seeds.
        latencies: as `cost_rows.read_latencies` gives it for the task, if it did.
        recorded: point → share of parameters removed from the authors' trimmed network of the task.

    Returns:
        Columns run, point, seeds, target_ratio (NaN where no ratio is good enough), the means of
        `MEANS`, test_error_mean, test_error_deviation (sample), relative_error (mean test error /
        mean test error of the dense network), recorded_ratio (of the authors' network; NaN where
        they have none) and, with `latencies`, latency_ms (median of ONNX Runtime; NaN where a run
        was not timed).
    """
    rows, settings = with_names(rows)
    labels = labels_of(settings)
    all_dense = rows[rows.method == "dense"]
    lines = [_line("dense", "-", all_dense, all_dense)]
    for run in sorted(set(rows.run) - {"dense"}, key=labels.__getitem__):
        of_run = rows[rows.run == run]
        dense = all_dense[all_dense.seed.isin(of_run.seed)]
        validation = of_run.groupby("target_ratio").validation_error.mean()
        for point, times in POINTS.items():
            limit = times * dense.validation_error.mean()
            # "At most" for Best, "less than" for the others, as in the paper.
            enough = validation <= limit if point == "Best" else validation < limit
            target = validation.index[enough].max()  # NaN if there is none
            chosen = of_run[of_run.target_ratio == target]
            lines.append(_line(run, point, chosen, dense))
    table = pd.DataFrame(lines)
    theirs = (
        table.point.map(recorded or {}).astype(float).where(table.run.map(labels) == RECORDED_RUN)
    )
    table["recorded_ratio"] = 1 / (1 - theirs)
    if latencies is not None:
        timed = latencies[latencies.runtime == "onnxruntime"].set_index(["run", "target_ratio"])
        places = pd.MultiIndex.from_frame(table[["run", "target_ratio"]])
        table["latency_ms"] = timed.median_ms.reindex(places).to_numpy()
    return table.assign(run=table.run.map(labels))


def _line(run: str, point: str, chosen: pd.DataFrame, dense: pd.DataFrame) -> dict[str, object]:
    return {
        "run": run,
        "point": point,
        "seeds": chosen.seed.nunique(),
        "target_ratio": chosen.target_ratio.max(),
        **{name: chosen[name].mean() for name in MEANS},
        "test_error_mean": chosen.test_error.mean(),
        "test_error_deviation": chosen.test_error.std(ddof=1),
        "relative_error": chosen.test_error.mean() / dense.test_error.mean(),
    }


NOTE = (
    "Best: validation error at most that of the dense network; Optim: less than 1.1 times it; "
    "Small: less than 1.6 times it; the highest ratio of which that holds in the mean over seeds. "
    "Test error: mean ± sample deviation. Recorded: what the authors found on other data, chosen "
    "on the test error. Left: parameters that are not zero. Activations: most bytes that are alive "
    "at once for one example, fp32. ms: median latency of one example in ONNX Runtime, one thread, "
    "where it was measured."
)


VIEW = View(
    {
        **plain("run", "point"),
        "ratio": lambda row: number(row.ratio, ".2f", "none"),
        "recorded ratio": "{recorded_ratio:.2f}",
        "left": "{nonzeros:,.0f}",
        "bytes (gzip)": "{bytes_gzip:,.0f}",
        "MACs": "{macs:,.0f}",
        "activations": "{peak_activation_bytes:,.0f}",
        "ms": lambda row: number(row.get("latency_ms"), ".3f"),
        "test error": mean_of("test_error"),
        "relative": "{relative_error:.2f}",
    },
    NOTE,
    words=2,
)
write_operating_points = VIEW.write
