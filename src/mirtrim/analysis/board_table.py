"""Which networks fit which board, and the error that this costs.

For each task, board, variant (fp32, int8) and method: the least compressed networks that fit in
flash and in RAM. Every method starts at the dense network. A ratio fits only if the networks of all
its seeds fit, and only if it has all the seeds of the dense network.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mirtrim.analysis.boards import Board, lacking
from mirtrim.analysis.markup import View, mean_and_deviation, mean_of, number, plain
from mirtrim.utils.errors import ArtefactError

NEEDED = (
    "task", "method", "target_ratio", "ratio", "seed", "variant", "flash_bytes", "arena_bytes",
    "test_error",
)  # fmt: skip
REFERENCE = "fp32"  # what the error is compared with: the dense network as it was trained


def board_table(networks: pd.DataFrame, boards: Sequence[Board]) -> pd.DataFrame:
    """One line per task, method, variant and board.

    Args:
        networks: one row per measured network with the columns `NEEDED`; the dense ones have
            method "dense". Rows without an arena (masks, which are not exported) are left out.

    Returns:
        Columns task, method, variant, board, seeds, target_ratio (1 if the dense network fits,
        NaN if no ratio fits), ratio (the largest over seeds), flash_bytes and arena_bytes (the
        largest over seeds), binding (the memories that are too small for the next less compressed
        networks, or for the most compressed ones if none fits; "-" if the dense network fits),
        test_error_mean, test_error_deviation (sample), and the same of the dense fp32 network as
        dense_error_mean, dense_error_deviation.

    Raises:
        ArtefactError: a column is missing, or a task has no dense network in fp32.
    """
    missing = [name for name in NEEDED if name not in networks.columns]
    if missing:
        raise ArtefactError(f"measured networks lack the column {missing[0]!r}; measure again")
    lines = []
    for task, of_task in networks.groupby("task", sort=False):
        is_dense = of_task.method == "dense"
        reference = of_task[is_dense & (of_task.variant == REFERENCE)]
        if reference.empty:
            raise ArtefactError(f"task {task!r} has no dense {REFERENCE} network; measure it too")
        measured = of_task[of_task.arena_bytes.notna()]
        methods = of_task.method[~is_dense].drop_duplicates().tolist() or ["dense"]
        for method in methods:
            run = measured[measured.method.isin(["dense", method])]
            if method not in set(run.method):
                continue
            for variant, of_variant in run.groupby("variant", sort=False):
                for board in boards:
                    lines.append(
                        {
                            "task": task,
                            "method": method,
                            "variant": variant,
                            "board": board.name,
                            **_least_compressed(of_variant, board, set(reference.seed)),
                            "dense_error_mean": reference.test_error.mean(),
                            "dense_error_deviation": reference.test_error.std(ddof=1),
                        }
                    )
    return pd.DataFrame(lines)


def _least_compressed(run: pd.DataFrame, board: Board, seeds: set[int]) -> dict[str, object]:
    """Columns from seeds to test_error_deviation, for one method and variant."""
    binding: list[str] = []
    chosen = run.iloc[:0]
    for _, candidates in run.groupby("target_ratio", sort=True):
        if not seeds <= set(candidates.seed):
            continue
        short = {
            memory
            for row in candidates.itertuples()
            for memory in lacking(board, int(row.flash_bytes), int(row.arena_bytes))
        }
        if not short:
            chosen = candidates
            break
        binding = sorted(short, reverse=True)  # flash first
    return {
        "seeds": chosen.seed.nunique(),
        "target_ratio": chosen.target_ratio.max(),
        "ratio": chosen.ratio.max(),
        "flash_bytes": chosen.flash_bytes.max(),
        "arena_bytes": chosen.arena_bytes.max(),
        "binding": " and ".join(binding) or "-",
        "test_error_mean": chosen.test_error.mean(),
        "test_error_deviation": chosen.test_error.std(ddof=1),
    }


def sentence(row: pd.Series) -> str:
    """A line of `board_table` as a sentence."""
    dense = mean_and_deviation(row.dense_error_mean, row.dense_error_deviation)
    subject = f"{row.task} on {row.board} in {row.variant}"
    if pd.isna(row.ratio):
        return (
            f"{subject}: none of the {row.method} networks fits, for want of {row.binding} "
            f"(dense error {dense})."
        )
    error = mean_and_deviation(row.test_error_mean, row.test_error_deviation)
    if row.binding == "-":
        return f"{subject}: the dense network fits and has error {error} (in fp32 {dense})."
    return (
        f"{subject}: the least compressed {row.method} network that fits has ratio "
        f"{row.ratio:.2f} and error {error} (dense {dense}); for want of {row.binding}."
    )


NOTE = (
    "Ratio needed: that of the least compressed networks that fit the board in flash and RAM, the "
    "largest over seeds; 1.00 is the dense network. File and arena: the largest over seeds. "
    "Binding: the memory for want of which no less compressed network fits. Test error: mean ± "
    "sample deviation; dense error: of the uncompressed network in fp32."
)


VIEW = View(
    {
        **plain("task", "method", "variant", "board"),
        "ratio needed": lambda row: number(row.ratio, ".2f", "none fits"),
        "file (bytes)": "{flash_bytes:,.0f}",
        "arena (bytes)": "{arena_bytes:,.0f}",
        "binding": lambda row: row.binding.replace("-", "–"),
        "test error": mean_of("test_error"),
        "dense error": mean_of("dense_error"),
    },
    NOTE,
    words=4,
)


def write_board_table(table: pd.DataFrame, csv: Path, markdown: Path, latex: Path) -> None:
    """Write the whole table as CSV, the reader's view as Markdown and as a LaTeX tabular; the
    Markdown has the sentences as well.
    """
    bullets = [f"* {sentence(row)}" for _, row in table.iterrows()]
    VIEW.write(table, csv, markdown, latex, ["", *bullets])
