"""Size, operations, memory, latency and error of every network."""

import pandas as pd

from mirtrim.analysis.markup import View, mean_of
from mirtrim.analysis.tables import dense_first, means_and_deviations
from mirtrim.runs.labels import labels_of
from mirtrim.runs.rows import with_names

MEANS = ("ratio", "parameters", "nonzeros", "macs", "peak_activation_bytes")
BYTES = ("weights_raw", "weights_zstd", "onnx_raw")
LATENCIES = {
    "torch": "torch_ms",
    "onnxruntime": "onnxruntime_ms",
    "onnxruntime rewritten": "rewritten_ms",
    "onnxruntime int8": "onnxruntime_int8_ms",
}
# A runtime that is slow for the dense network must not inflate the speed-up.
FP32 = ["torch_ms", "onnxruntime_ms", "rewritten_ms"]


def cost_table(
    costs: pd.DataFrame, latencies: pd.DataFrame, arenas: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One line per run and ratio, the dense network first.

    Args:
        costs: cost rows of one task (`runs.cost_rows`), any number of seeds.
        latencies: as `cost_rows.read_latencies` gives it for the same task.
        arenas: as `cost_rows.read_arenas` gives it: memory that the interpreter of a
            microcontroller needs; None where it was not measured.

    Returns:
        Columns run, target_ratio, seeds, the means of `MEANS`; for fp32 and int8 the means of
        `BYTES` and the mean and sample deviation of the test error; the median milliseconds of
        every runtime; resident_bytes (ONNX Runtime, above an empty process);
        gmacs_per_second; speed_up_theoretical, speed_up_measured (ONNX Runtime, fp32) and the share
        of the first that it reaches; best_ms and speed_up_best (each network in its best fp32
        runtime); arena_int8_bytes. NaN where nothing was measured.
    """
    costs, settings = with_names(costs)
    groups = costs.groupby(["run", "target_ratio"], sort=True)
    table = groups[list(MEANS)].mean()
    table.insert(0, "seeds", groups.seed.nunique())
    for kind, of_kind in costs.groupby("format"):
        part = of_kind.groupby(["run", "target_ratio"])
        for name in BYTES:
            table[f"{name}_{kind}"] = part[name].mean()
        for name, column in means_and_deviations(part, ["test_error"]).items():
            table[name.replace("error", f"error_{kind}")] = column
    timed = latencies.set_index(["runtime", "run", "target_ratio"])
    for runtime, column in LATENCIES.items():
        table[column] = timed.median_ms[runtime]
    plain = timed.loc["onnxruntime"]
    table["resident_bytes"] = plain.peak_bytes - plain.baseline_bytes
    table["gmacs_per_second"] = plain.gmacs_per_second
    table["best_ms"] = table[FP32].min(axis=1)
    dense = table.loc[("dense", 1.0)]
    table["speed_up_theoretical"] = dense.macs / table.macs
    table["speed_up_measured"] = dense.onnxruntime_ms / table.onnxruntime_ms
    table["share_reached"] = table.speed_up_measured / table.speed_up_theoretical
    table["speed_up_best"] = dense.best_ms / table.best_ms
    if arenas is None:
        table["arena_int8_bytes"] = float("nan")
    else:
        small = arenas[arenas.variant == "int8"]
        table["arena_int8_bytes"] = small.groupby(["run", "target_ratio"]).arena_bytes.mean()
    table = table.reset_index()
    table["run"] = table.run.map(labels_of(settings))
    return dense_first(table, "run", ["run", "target_ratio"])


NOTE = (
    "Means over seeds; error: mean ± sample deviation on test. Left: parameters that are not zero. "
    "Bytes: weights under zstd, in fp32 and in int8. Arena: bytes of working memory that the "
    "microcontroller interpreter reports for the int8 network. ms: median latency of one example "
    "in ONNX Runtime, one thread, one seed, all networks of the task taking turns; best: the least "
    "of torch, ONNX Runtime and ONNX Runtime with a rewritten graph. Speed-up: dense MACs / MACs; "
    "dense ms / ms; share: the second / the first; dense best / best."
)


VIEW = View(
    {
        "run": "{run}",
        "ratio": "{ratio:.2f}",
        "left": "{nonzeros:,.0f}",
        "MACs": "{macs:,.0f}",
        "bytes fp32": "{weights_zstd_fp32:,.0f}",
        "bytes int8": "{weights_zstd_int8:,.0f}",
        "arena": "{arena_int8_bytes:,.0f}",
        "ms": "{onnxruntime_ms:.3f}",
        "ms best": "{best_ms:.3f}",
        "ms int8": "{onnxruntime_int8_ms:.3f}",
        "speed-up (MACs)": "{speed_up_theoretical:.2f}",
        "measured": "{speed_up_measured:.2f}",
        "share": "{share_reached:.2f}",
        "best": "{speed_up_best:.2f}",
        "error fp32": mean_of("test_error_fp32"),
        "error int8": mean_of("test_error_int8"),
    },
    NOTE,
)
write_cost_table = VIEW.write
