"""Whether bfloat16, or a GPU, changes results: the same seeds trained both ways, paired.

python benchmarks/precision.py TASK [--seeds N] [--ratios R ...] [--gpu] [--features FOLDER]

Needs the features of a profile (`snakemake data`). Every seed is trained dense and trimmed to the
given ratios, once in float32 on the processor and once in each other way; the table gives the
mean test errors and the mean paired difference with its 95 % interval (Student's t over seeds).
A difference whose interval holds 0 is not told from noise by so many seeds.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from plan import ROOT, read_config
from timing import print_table

from mirtrim.analysis.statistics import t_test
from mirtrim.pruning.methods import settings_of
from mirtrim.runs.jobs.compress import Run, compress
from mirtrim.runs.jobs.dense import dense_cost, load_dense, train_dense
from mirtrim.runs.jobs.setting import open_setting, single_thread
from mirtrim.runs.rows import read_rows
from mirtrim.training import CPU, choose_device


def main() -> None:
    """Train, compare, print."""
    given = arguments()
    single_thread()
    block = read_config()["tasks"][given.task]
    found = sorted((ROOT / "data/features").glob(f"{given.task}-*"))
    if given.features is None and len(found) != 1:
        raise SystemExit(f"error: {len(found)} feature folders of {given.task}; give --features")
    features = given.features or found[0]
    ways = {"float32": ("float32", CPU), "bfloat16": ("bfloat16", CPU)}
    if given.gpu:
        gpu = choose_device(1)
        ways |= {"GPU, float32": ("float32", gpu), "GPU, bfloat16": ("bfloat16", gpu)}
    results: dict[str, pd.DataFrame] = {}
    for name, (precision, device) in ways.items():
        started = time.perf_counter()
        parts = [
            errors(
                given.task, with_precision(block, precision), features, device, seed, given.ratios
            )
            for seed in range(given.seeds)
        ]
        results[name] = pd.concat(parts)
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
    print_table(
        ["way", "ratio", "test error", "difference to float32", "95 % interval"],
        list(compared(results, "float32")),
    )


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--ratios", type=float, nargs="+", default=[4, 16])
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--features", type=Path)
    return parser.parse_args()


def with_precision(block: dict, precision: str) -> dict:
    """The block of a task, trained in `precision`."""
    return {**block, "training": {**block["training"], "precision": precision}}


def errors(
    task: str, block: dict, features: Path, device: torch.device, seed: int, ratios: list[float]
) -> pd.DataFrame:
    """Test error of the dense network and of the trimmed ones: columns seed, ratio, error."""
    setting = open_setting("precision", task, block, features, device)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train_dense(
            setting, seed, block["rewind_epoch"], network_path=folder / "dense.safetensors",
            rows_path=folder / "dense.csv", pieces_path=folder / "dense_pieces.csv",
            resume_folder=folder / "resume",
        )  # fmt: skip
        run = Run(
            setting, load_dense(folder / "dense.safetensors"), dense_cost(folder / "dense.csv"),
            settings_of({"method": "trim"}), dict(enumerate(ratios, start=1)), seed,
        )  # fmt: skip
        compress(
            run, rows_path=folder / "trim.csv", pieces_path=folder / "trim_pieces.csv",
            networks_folder=folder / "trim", resume_folder=folder / "resume",
        )  # fmt: skip
        rows = read_rows([folder / "dense.csv", folder / "trim.csv"])
    return pd.DataFrame({"seed": seed, "ratio": rows.target_ratio, "error": rows.test_error})


def compared(results: dict[str, pd.DataFrame], reference: str):
    """Rows of the table."""
    tables = {name: table.pivot(index="seed", columns="ratio", values="error")
              for name, table in results.items()}  # fmt: skip
    for name, table in tables.items():
        for ratio in table.columns:
            text = [name, f"{ratio:g}", f"{table[ratio].mean():.4f} ± {table[ratio].std():.4f}"]
            if name == reference:
                yield [*text, "", ""]
                continue
            change = (table[ratio] - tables[reference][ratio]).to_numpy()
            mean, low, high, _ = t_test(change)
            yield [*text, f"{mean:+.4f}", f"{low:+.4f} … {high:+.4f}"]


if __name__ == "__main__":
    main()
