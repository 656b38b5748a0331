"""What networks at the published widths cost, dense and trimmed, and which board they fit.

python benchmarks/published_widths.py [task ...] [--seconds S]

A file, an arena and a latency depend on the shapes of a network alone, so networks with fresh
weights are measured, trimmed round by round as a replication trims them. Errors are those of the
committed rows of profile `published` (trims that keep their weights, mean over their seeds), where
a row has the same number of parameters within `ALIKE`; a dash says that none has. int8 files have
no error here: it depends on the weights.

ONNX Runtime, batch of one, one thread, all networks of a task in turn; 5th percentiles; the plain
export and the graph that `deploy.runtime_graph` rewrites. A share is measured speed-up /
theoretical speed-up (MACs), against the dense network in the same column.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch
from plan import ROOT, read_config
from timing import print_table
from torch import Tensor, nn

from mirtrim.analysis.board_table import board_table
from mirtrim.analysis.boards import read_boards
from mirtrim.counting.operations import macs, parameters
from mirtrim.deploy.latency import interleaved, onnx_call
from mirtrim.deploy.microcontroller import export_tflite, measure_arena
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.runtime_graph import optimise
from mirtrim.pruning.criteria import Scoring
from mirtrim.pruning.pipeline import prune_units
from mirtrim.pruning.settings import PruningSettings
from mirtrim.runs.labels import with_labels
from mirtrim.tasks.registry import get_task
from mirtrim.utils.errors import RatioError

PROFILE = ROOT / "config/published.yaml"
RATIOS = (2, 4, 8, 16, 32)
ALIKE = 0.02
CALIBRATION_EXAMPLES = 8
GRAPHS = ("plain", "rewritten")
HEAD = (
    "ratio", "parameters", "MMAC", "fp32 file, kB", "fp32 arena, kB", "int8 file, kB",
    "int8 arena, kB", "plain, ms", "share", "rewritten, ms", "share", "error",
)  # fmt: skip


def networks(dense: nn.Module, example: Tensor, ratios: tuple[int, ...]) -> Iterator[nn.Module]:
    """The dense network, then each round's, cut from the round before; until one is out of reach.

    Fresh weights, so which units go means nothing; how many go of each layer is what the
    replication's trims have.
    """
    yield dense
    size, network = parameters(dense), dense
    for ratio in ratios:
        try:
            found = prune_units(
                network,
                example,
                PruningSettings("trim"),
                ratio=ratio,
                dense_size=size,
                scoring=lambda graph, of=network: Scoring(of, graph, torch.Generator(), None, None),
            )
        except RatioError:
            return
        network = found.network
        yield network


def measure(model: nn.Module, example: Tensor, folder: Path) -> dict[str, float]:
    """Sizes of the files and arenas of one network, in bytes; writes the graphs of `GRAPHS`."""
    export_onnx(model, example, folder / "plain.onnx")
    optimise(folder / "plain.onnx", folder / "rewritten.onnx")
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(CALIBRATION_EXAMPLES, *example.shape[1:], generator=generator)
    sizes: dict[str, float] = {}
    for variant, calibration in (("fp32", None), ("int8", [batch])):
        path = folder / f"{variant}.tflite"
        export_tflite(model, example, path, calibration)
        sizes[f"{variant} file"] = path.stat().st_size
        sizes[f"{variant} arena"] = measure_arena(path).needed_bytes
    return sizes


def errors_of(task: str) -> pd.DataFrame:
    """Mean parameters and test error of every target ratio, of trims that keep their weights."""
    path = ROOT / f"results/published/rows/{task}.csv"
    if not path.exists():
        return pd.DataFrame(columns=["parameters", "test_error"])
    rows = pd.read_csv(path)
    kept = rows[with_labels(rows).run == "trim (finetune)"]
    dense = rows[(rows.method == "dense") & rows.seed.isin(set(kept.seed))]
    rows = pd.concat([dense, kept])
    return rows.groupby("target_ratio")[["parameters", "test_error"]].mean()


def error_at(errors: pd.DataFrame, ratio: float, count: int) -> float:
    """The error of the rows at a ratio, if their networks are as large; else NaN."""
    if ratio not in errors.index or abs(errors.parameters[ratio] / count - 1) > ALIKE:
        return float("nan")
    return float(errors.test_error[ratio])


def table_of(name: str, seconds: float) -> pd.DataFrame:
    """A line per network of one task: sizes, milliseconds, error."""
    block = read_config(PROFILE)["tasks"][name]
    task, errors = get_task(name), errors_of(name)
    torch.manual_seed(0)
    dense = task.network(block["features"], block["network"]).eval()
    example = task.example_input(block["features"])[:1]
    lines, calls = [], {}
    with tempfile.TemporaryDirectory() as home:
        for ratio, model in zip((1, *RATIOS), networks(dense, example, RATIOS), strict=False):
            folder = Path(home, str(ratio))
            folder.mkdir()
            count = parameters(model)
            line = {"target_ratio": ratio, "parameters": count, "macs": macs(model, example)}
            line |= measure(model, example, folder)
            lines.append(line | {"test_error": error_at(errors, ratio, count)})
            for graph in GRAPHS:
                path = folder / f"{graph}.onnx"
                calls[f"{graph} {ratio}"] = onnx_call(path, [example.numpy()])
        timed = interleaved(calls, seconds=seconds)
    for line in lines:
        for graph in GRAPHS:
            line[graph] = timed[f"{graph} {line['target_ratio']}"].p5_ms
    table = pd.DataFrame(lines)
    return table.assign(task=name, ratio=table.parameters[0] / table.parameters)


def row(line: pd.Series, dense: pd.Series) -> list[str]:
    """A line of the printed table."""
    files = [
        f"{line[f'{variant} {what}'] / 1000:,.0f}"
        for variant in ("fp32", "int8")
        for what in ("file", "arena")
    ]
    times = []
    for graph in GRAPHS:
        share = (dense[graph] / line[graph]) / (dense.macs / line.macs)
        times += [f"{line[graph]:.3f}", f"{share:.2f}"]
    error = "–" if pd.isna(line.test_error) else f"{line.test_error:.3f}"
    sizes = [f"{line.ratio:.1f}", f"{line.parameters:,.0f}", f"{line.macs / 1e6:,.1f}"]
    return [*sizes, *files, *times, error]


def on_boards(table: pd.DataFrame) -> list[list[str]]:
    """Per board and number format: ratio of the least compressed network that fits, and why."""
    parts = [
        table.assign(
            method=["dense", *["trim"] * (len(table) - 1)],
            seed=0,
            variant=variant,
            flash_bytes=table[f"{variant} file"],
            arena_bytes=table[f"{variant} arena"],
            test_error=table.test_error if variant == "fp32" else float("nan"),
        )
        for variant in ("fp32", "int8")
    ]
    boards = board_table(pd.concat(parts), read_boards(ROOT / "config/boards.yaml"))
    return [
        [
            line.board,
            line.variant,
            "none" if pd.isna(line.ratio) else f"{line.ratio:.1f}",
            line.binding.replace("-", "–"),
            "–" if pd.isna(line.test_error_mean) else f"{line.test_error_mean:.3f}",
        ]
        for _, line in boards.iterrows()
    ]


def main() -> None:
    """Print a table per task, and a sentence per board."""
    torch.set_num_threads(1)
    tasks = ("chord", "pitch", "instrument", "onset", "drums")
    parser = argparse.ArgumentParser(description="cost of networks at the published widths")
    parser.add_argument("task", nargs="*", help=f"all unless some are named: {', '.join(tasks)}")
    parser.add_argument("--seconds", type=float, default=2.0, help="of timing per network")
    arguments = parser.parse_args()
    if unknown := set(arguments.task) - set(tasks):
        parser.error(f"no task {sorted(unknown)[0]!r}; known: {', '.join(tasks)}")
    for name in arguments.task or tasks:
        table = table_of(name, arguments.seconds)
        print(f"## {name}\n")
        print_table(HEAD, [row(line, table.iloc[0]) for _, line in table.iterrows()])
        print_table(("board", "numbers", "ratio needed", "for want of", "error"), on_boards(table))


if __name__ == "__main__":
    main()
