"""Which rows make a line, and the mean and band that are drawn of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mirtrim.analysis import style
from mirtrim.analysis.style import Look
from mirtrim.analysis.tables import with_relative_error
from mirtrim.runs.labels import USUAL
from mirtrim.utils.errors import ArtefactError


@dataclass(frozen=True)
class Line:
    """One line of a figure.

    Attributes:
        method: the method of its rows.
        look: how it is drawn, with its label.
        choices: choices of its rows that are not the usual ones, e.g. {"reset": "reinit"}.
    """

    method: str
    look: Look
    choices: Mapping[str, str] = field(default_factory=dict)


# The legend's order.
MAIN_LINES = (
    Line("mask", style.LOOKS["mask"]),
    Line("trim", style.LOOKS["trim"]),
    Line("trim", style.VARIANTS["trim_reinit"], {"reset": "reinit"}),
    Line("trim", style.VARIANTS["trim_finetune"], {"reset": "finetune"}),
    Line("feedback", style.LOOKS["feedback"]),
    Line("feedback_units", style.LOOKS["feedback_units"]),
    Line("trim", style.VARIANTS["trim_random_local"], {"criterion": "random"}),
    Line("trim", style.VARIANTS["trim_random_global"], {"criterion": "random", "scope": "global"}),
)
# The baselines for trims, and trims themselves.
TRIMS_AND_CONTROLS = (
    Line("trim", style.LOOKS["trim"]),
    Line("trim", style.VARIANTS["trim_finetune"], {"reset": "finetune"}),
    Line("mask", style.LOOKS["mask"]),
    Line("trim", style.VARIANTS["trim_shuffled"], {"order": "shuffled"}),
    Line("same_shape", style.VARIANTS["same_shape"]),
    Line("nothing_removed", style.VARIANTS["nothing_removed"]),
)
CONTROL_LINES = tuple(
    Line(name, style.VARIANTS[name])
    for name in ("nothing_removed", "dense_longer", "narrower", "same_shape")
)


def matches(run: Mapping[str, str], line: Line) -> bool:
    """Whether a run (its method and choices) belongs to `line`; "-" fits every choice."""
    return run["method"] == line.method and all(
        run[key] in ("-", line.choices.get(key, usual)) for key, usual in USUAL.items()
    )


def rows_of(rows: pd.DataFrame, line: Line) -> pd.DataFrame:
    """The rows of `line`."""
    chosen = rows.method == line.method
    for key, usual in USUAL.items():
        chosen &= rows[key].isin(["-", line.choices.get(key, usual)])
    return rows[chosen]


def relative(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of all tasks with what is compared to the dense network of the same task and seed.

    Returns:
        The rows with the columns relative_error (test error / dense test error),
        speed_up_theoretical (dense MACs / MACs) and cost (training MACs of everything that led
        to the network, in trainings of the dense one).

    Raises:
        ArtefactError: a row has no dense network to be compared with.
    """
    parts = []
    for task, part in rows.groupby("task", sort=True):
        dense = part[part.method == "dense"].set_index("seed")
        lonely = sorted(set(part.seed) - set(dense.index))
        if lonely:
            raise ArtefactError(
                f"rows of task {task}: no dense network of seed {lonely[0]}, which its other rows "
                "are compared with; make the dense row of that seed, or leave the seed out"
            )
        part = with_relative_error(part)
        parts.append(
            part.assign(
                speed_up_theoretical=part.seed.map(dense.macs) / part.macs,
                cost=part.total_training_macs / part.seed.map(dense.training_macs),
            )
        )
    return pd.concat(parts, ignore_index=True)


def nearest_ratio(rows: pd.DataFrame, ratio: float) -> float:
    """The target ratio of `rows` whose quotient with `ratio` is nearest to 1.

    Dense networks are not counted; `ratio` itself where there is nothing else.
    """
    target = np.array(sorted(set(rows.target_ratio[rows.method != "dense"])) or [ratio])
    return float(target[np.argmin(np.abs(np.log(target / ratio)))])


def mean_and_band(rows: pd.DataFrame, x: str, y: str, along: str = "target_ratio") -> pd.DataFrame:
    """One line per target ratio (or `along`), in rising order: x (mean), mean, low, high of `y`.

    Low and high are one sample deviation (n − 1) below and above the mean, or the mean itself
    where there is but one seed. Seeds: how many there are.
    """
    groups = rows.groupby(along, sort=True)
    mean = groups[y].mean()
    deviation = groups[y].std(ddof=1).fillna(0.0)
    return pd.DataFrame(
        {
            "x": groups[x].mean(),
            "mean": mean,
            "low": mean - deviation,
            "high": mean + deviation,
            "seeds": groups.seed.nunique(),
        }
    ).reset_index()


def from_dense(dense: pd.DataFrame, run: pd.DataFrame, keys: Sequence[str] = ()) -> pd.DataFrame:
    """Rows of a run behind those of the dense networks that it began at: of the same seeds.

    Args:
        keys: further columns that must match besides the seed, such as levels.
    """
    pairs = run[["seed", *keys]].drop_duplicates()
    return pd.concat([dense.merge(pairs, on=["seed", *keys]), run], ignore_index=True)


def dense_band(dense: pd.DataFrame) -> tuple[float, float]:
    """One sample deviation of the dense networks' test errors around 1, in units of their mean."""
    spread = dense.test_error.std(ddof=1) / dense.test_error.mean()
    spread = float(spread) if np.isfinite(spread) else 0.0
    return 1 - spread, 1 + spread


def tasks_of(rows: pd.DataFrame, lines: Iterable[Line]) -> list[str]:
    """The tasks in which any of `lines` has rows, in alphabetical order."""
    present = [set(rows_of(rows, line).task) for line in lines]
    return sorted(set().union(*present))


def seeds_of(*runs: pd.DataFrame) -> str:
    """Number of seeds as text: "3 seeds", or "1 to 3 seeds" where runs differ."""
    counts = sorted({run.seed.nunique() for run in runs if len(run)})
    told = " to ".join(map(str, [counts[0], *counts[1:][-1:]]))
    return f"{told} seed" if counts == [1] else f"{told} seeds"
