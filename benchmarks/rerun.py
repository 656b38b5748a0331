"""Two replications beside each other: the same seeds, run at another time or on another machine.

python benchmarks/rerun.py ONE/results/default OTHER/results/default

Compares every network that both have: how many have the same bits of error, by how much errors of
the same seed differ, and how much seeds differ among themselves; then the verdicts, computed from
what both have and nothing else.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from plan import ROOT, read_config
from timing import print_table

from mirtrim.analysis.task_evidence import read_pieces
from mirtrim.analysis.verdicts import write_verdicts
from mirtrim.runs.rows import RUN_KEYS, read_rows

NETWORK = ["task", *RUN_KEYS, "seed", "round"]
HEAD = [
    "task",
    "networks",
    "same bits",
    "mean difference of errors",
    "deviation of the difference",
    "deviation over seeds",
]


def common_files(one: Path, other: Path, kind: str) -> list[tuple[Path, Path]]:
    """Tables of `kind` that both replications have."""
    names = {path.name for path in (one / kind).glob("*.csv*")}
    pairs = [(one / kind / name, other / kind / name) for name in sorted(names)]
    return [pair for pair in pairs if pair[1].exists()]


def differences(one: pd.DataFrame, other: pd.DataFrame) -> list[list[str]]:
    """A line for each task."""
    both = one.merge(other, on=NETWORK, suffixes=("", "_other"), validate="one_to_one")
    both["difference"] = both.test_error_other - both.test_error
    lines = []
    for task, part in both.groupby("task"):
        runs = part.groupby([*RUN_KEYS, "round"])
        over_seeds = np.sqrt(runs.test_error.var(ddof=1).mean())
        lines.append(
            [
                str(task),
                str(len(part)),
                str(int((part.difference == 0).sum())),
                f"{part.difference.mean():+.4f}",
                f"{part.difference.std(ddof=1):.4f}",
                f"{over_seeds:.4f}",
            ]
        )
    return lines


def verdicts(rows: pd.DataFrame, pieces: pd.DataFrame) -> pd.DataFrame:
    """Verdict by hypothesis and task."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"verdicts.{ending}") for ending in ("csv", "md", "tex")]
        table = write_verdicts(
            rows,
            pieces,
            ROOT / "config" / "hypotheses.yaml",
            *paths,
            0,
            corpora=read_config()["corpora"],
        )
    return table.set_index(["hypothesis", "task"])


def main(one: Path, other: Path) -> None:
    """Print both tables."""
    files = common_files(one, other, "rows"), common_files(one, other, "pieces")
    rows = [read_rows(list(paths)) for paths in zip(*files[0], strict=True)]
    pieces = [read_pieces(list(paths)) for paths in zip(*files[1], strict=True)]
    print_table(HEAD, differences(*rows))
    first, second = (verdicts(*given) for given in zip(rows, pieces, strict=True))
    both = first.join(second.verdict.rename("other"))
    run = both[both.verdict != "not run"]
    changed = run[run.verdict != run.other]
    print(f"{len(run)} verdicts, {len(changed)} of them others\n")
    print_table(
        ["claim", "task", "one", "other"],
        [[*map(str, index), line.verdict, line.other] for index, line in changed.iterrows()],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="two replications beside each other")
    for name in ("one", "other"):
        parser.add_argument(name, type=Path, help="its results, such as results/default")
    given = parser.parse_args()
    main(given.one, given.other)
