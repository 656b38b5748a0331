"""Do two trainings of one ticket end in the same loss basin? Table and figure of error barriers.

Frankle, Dziugaite, Roy and Carbin (ICML 2020) call a network stable whose barrier is below two
points of error; they find that exactly the stable masks train as well as the dense network.
"""

import json

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.markup import View, low_to_high, plain
from mirtrim.analysis.spread import LEVEL
from mirtrim.analysis.statistics import t_test
from mirtrim.analysis.style import Look
from mirtrim.runs.labels import with_labels
from mirtrim.utils.errors import ArtefactError

STABLE = 0.02  # of error, the authors' threshold
RATIO_LOOKS = (
    Look("#D55E00", "s", "-", ""),
    Look("#0072B2", "o", "--", ""),
    Look("#009E73", "^", "-.", ""),
    Look("#882255", "D", ":", ""),
)


def connectivity_table(barriers: pd.DataFrame, stable: float = STABLE) -> pd.DataFrame:
    """One line per task, run and ratio.

    Args:
        barriers: `runs.measured_rows.Barrier` rows of any tasks.

    Returns:
        task, run, target_ratio, seeds, ratio, error (mean of both trainings), barrier, low and
        high (95 % interval of Student's t over seeds; NaN for one seed), p (two-sided, of the mean
        barrier being `stable`), verdict: "stable", "not stable", or "undecided".
    """
    rows = with_labels(barriers)
    lines = []
    for (task, run, asked), part in rows.groupby(["task", "run", "target_ratio"], sort=True):
        mean, low, high, p = t_test(part.error_barrier.to_numpy(dtype=float), stable)
        decided = p < LEVEL
        verdict = ("stable" if mean < stable else "not stable") if decided else "undecided"
        error = float((part.first_error.mean() + part.second_error.mean()) / 2)
        told = (task, run, asked, len(part), float(part.ratio.mean()), error)
        lines.append((*told, mean, low, high, p, verdict))
    columns = ["task", "run", "target_ratio", "seeds", "ratio", "error", "barrier", "low", "high"]
    return pd.DataFrame(lines, columns=[*columns, "p", "verdict"])


NOTE = (
    "Two trainings of one ticket, from the weights that it is rewound to, on batches in another "
    "order. Error: the mean of both. Barrier: the highest test error on the line between them, "
    "above the mean of its ends; batch norms are measured anew at each of its 11 points. Stable: "
    f"below {STABLE:g} (Frankle et al. 2020), by Student's t over seeds, not corrected for the "
    "number of lines."
)


VIEW = View(
    {
        **plain("task", "run", "seeds"),
        "ratio": "{ratio:.2f}",
        "error": "{error:.3f}",
        "barrier": "{barrier:+.3f}",
        "95 % interval": low_to_high,
        "p": "{p:.3f}",
        "": "{verdict}",
    },
    NOTE,
    words=2,
)
write_connectivity = VIEW.write


@style.styled()
def draw_connectivity(barriers: pd.DataFrame) -> Figure:
    """Test error on the line between two trainings: a panel per task and run, a colour per ratio.

    Thin lines are seeds, thick ones their mean.

    Raises:
        ArtefactError: no ticket has been trained twice.
    """
    if barriers.empty:
        raise ArtefactError("figure of connectivity: no ticket has been trained twice")
    rows = with_labels(barriers)
    ratios = sorted(set(rows.target_ratio))
    names = ["dense" if ratio == 1 else f"{ratio:g}x" for ratio in ratios]
    looks = style.labelled(RATIO_LOOKS, names)
    groups = list(rows.groupby(["task", "run"], sort=True))
    figure, axes, place = panels.grid(len(groups))
    for one, ((task, run), part) in zip(axes, groups, strict=True):
        for ratio, look in zip(ratios, looks, strict=True):
            lines = [json.loads(text) for text in part[part.target_ratio == ratio]["errors"]]
            if not lines:
                continue
            errors = np.array(lines)
            shares = np.linspace(0, 1, errors.shape[1])
            for line in errors:
                one.plot(shares, line, color=look.colour, ls=look.dash, lw=0.6, alpha=0.6)
            one.plot(
                shares, errors.mean(0), color=look.colour, ls=look.dash, marker=look.marker,
                ms=3.5, lw=1.6, label=look.label,
            )  # fmt: skip
        one.set_ylim(bottom=0)
        one.set_title(f"{task}, {run}")
    along = "from the first training (0) to the second (1)"
    return panels.finish(figure, axes, place, along, "test error", looks)
