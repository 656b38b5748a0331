"""Checks of measurements on trained networks: calibration, barriers between trainings."""

import pandas as pd

from mirtrim.analysis.checks.outcomes import Material, Outcome, check
from mirtrim.runs.rows import with_names


@check
def calibrated(material: Material, *, runs: list[str]) -> Outcome:
    """On every task these runs have a calibration error, in this profile or in one beside it."""
    tasks = sorted(material.config["tasks"])
    found = _named(material.inspections)
    lacking, there = [], []
    for task in tasks:
        of_task = found[found.task == task]
        missing = [run for run in runs if run not in set(of_task.run)]
        if missing:
            lacking.append(f"{task}: without {', '.join(missing)}")
        else:
            there.append(f"{task} ({_where(of_task)})")
    right = f"{', '.join(there)}: calibration error of {', '.join(runs)}" if there else ""
    return not lacking, "; ".join([*lacking, *([right] if right else [])])


@check
def tickets_connected(material: Material, *, at_least: int) -> Outcome:
    """On so many tasks tickets were trained twice from one rewind epoch, in this profile or beside
    it, and the error on the line between both is told."""
    found = _named(material.barriers)
    found = found[(found.method != "dense") & (found.reset == "rewind")]
    there = [
        f"{task} ({_where(part)}): {part.seed.nunique()} seeds, {part.target_ratio.nunique()} "
        f"ratios, mean barrier {part.error_barrier.mean():+.3f}".replace("-", "−")
        for task, part in found.groupby("task", sort=True)
    ]
    return len(there) >= at_least, "; ".join(there) or "no ticket was trained twice"


def _named(table: pd.DataFrame | None) -> pd.DataFrame:
    if table is None or table.empty:
        return pd.DataFrame(columns=["task", "run", "profile", "method", "reset"])
    return with_names(table)[0]


def _where(part: pd.DataFrame) -> str:
    return f"profile {', '.join(sorted(set(part.profile)))}"
