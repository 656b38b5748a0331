"""Learning curves: the losses of every epoch of a job, read back from its log.

The log is the only complete record of a job that was killed and resumed. This module both defines
and reads its format.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mirtrim.pruning.settings import RUN_COLUMNS
from mirtrim.runs.rows import TEXT_KEYS, read_jobs
from mirtrim.runs.tables_on_disk import check_same_columns, write_csv
from mirtrim.utils.errors import ArtefactError

COLUMNS = (
    "task", *RUN_COLUMNS, "seed", "target_ratio", "part", "epoch", "train_loss", "validation_loss",
)  # fmt: skip
_LINE = re.compile(
    r"INFO (?P<stage>.+?) \| epoch (?P<epoch>\d+) of at most \d+ \| "
    r"loss (?P<train>\S+), validation (?P<validation>\S+)(?: \||$)"
)
_RATIO = re.compile(r"ratio (\S+?)(?:,|$)")
_PART = re.compile(r"training (\d+)/\d+")


@dataclass(frozen=True)
class Epoch:
    """One epoch of one training.

    Attributes:
        target_ratio: of the round; 1 is the dense training.
        part: which training of the round, from 1.
        epoch: from 1.
        train_loss, validation_loss: mean losses, with the digits of the log.
    """

    target_ratio: float
    part: int
    epoch: int
    train_loss: float
    validation_loss: float


def epoch_text(
    stage: str, epoch: int, epochs: int, train_loss: float, validation_loss: float
) -> str:
    """The log line of an epoch; `read_log` reads it."""
    return (
        f"{stage} | epoch {epoch} of at most {epochs} | "
        f"loss {train_loss:.6f}, validation {validation_loss:.6f}"
    )


def read_log(path: Path) -> list[Epoch]:
    """The epochs of a job's log, in order.

    Every start of a job appends to its log. If a training was restarted, or resumed from an earlier
    epoch, previous entries for that and later epochs are ignored.

    Raises:
        ArtefactError: there is no epoch in it.
    """
    found: dict[tuple[float, int], list[Epoch]] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _LINE.search(line):
            ratio, part = _RATIO.search(match["stage"]), _PART.search(match["stage"])
            epoch = Epoch(
                float(ratio[1]) if ratio else 1.0,
                int(part[1]) if part else 1,
                int(match["epoch"]),
                float(match["train"]),
                float(match["validation"]),
            )
            before = found.get((epoch.target_ratio, epoch.part), [])
            kept = [one for one in before if one.epoch < epoch.epoch]
            found[epoch.target_ratio, epoch.part] = [*kept, epoch]
    if not found:
        raise ArtefactError(f"{path} tells of no epoch")
    return [epoch for key in sorted(found) for epoch in found[key]]


def write_learning(
    path: Path, task: str, columns: Mapping[str, Any], seed: int, epochs: Sequence[Epoch]
) -> None:
    """Write the epochs of one job as CSV, atomically.

    Args:
        columns: the run's (`PruningSettings.columns`).
    """
    lines = [{"task": task, **columns, "seed": seed, **vars(epoch)} for epoch in epochs]
    write_csv(path, pd.DataFrame(lines, columns=list(COLUMNS)), digits=None)


def read_learning(tables: Sequence[Path]) -> pd.DataFrame:
    """The learning curves of tables, unchanged.

    Raises:
        ArtefactError: a table is damaged.
    """
    check = partial(check_same_columns, columns=COLUMNS)
    return read_jobs([], tables, None, text=TEXT_KEYS, check=check, what="learning curves")
