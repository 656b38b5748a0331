"""Confidence of compressed networks and their worst cases: one table per task."""

from collections import Counter

import numpy as np
import pandas as pd

from mirtrim.analysis.markup import View, mean_of
from mirtrim.analysis.tables import dense_first, means_and_deviations
from mirtrim.runs.labels import with_labels

WORST_SHARE = 0.1
MEASURED = (
    "test_error", "calibration_error", "calibration_error_equal_mass", "overconfidence", "brier",
    "worst_class_share", "worst_pieces_error",
)  # fmt: skip
KEYS = ["task", "run", "seed", "target_ratio"]


def worst_pieces(scores: pd.Series, share: float = WORST_SHARE) -> float:
    """Mean error, 1 − score, of that share of the pieces that score lowest; of one at least."""
    count = max(1, int(np.floor(len(scores) * share)))
    return 1.0 - float(np.sort(scores.to_numpy(dtype=float))[:count].mean())


def calibration_table(inspections: pd.DataFrame, pieces: pd.DataFrame) -> pd.DataFrame:
    """One line per run and ratio, the dense network first.

    Args:
        inspections: of one task (`runs.measured_rows.Inspection`).
        pieces: scores of the same networks on every test piece.

    Returns:
        run, target_ratio, seeds, ratio, worst_class (that of most seeds), and mean and sample
        deviation of `MEASURED`: errors, calibration, and the mean error of the worst tenth of the
        test pieces.
    """
    rows, scored = with_labels(inspections), with_labels(pieces)
    worst = scored.groupby(KEYS).score.apply(worst_pieces).rename("worst_pieces_error")
    rows = rows.join(worst, on=KEYS)
    groups = rows.groupby(["run", "target_ratio"], sort=True)
    table = groups.agg(seeds=("seed", "nunique"), ratio=("ratio", "mean"))
    table["worst_class"] = groups.worst_class.apply(
        lambda names: Counter(names).most_common(1)[0][0]
    )
    table = table.assign(**means_and_deviations(groups, MEASURED)).reset_index()
    return dense_first(table, "run", ["run", "target_ratio"])


NOTE = (
    "Mean ± sample deviation over seeds, on test. Calibration error: expected calibration error, "
    "15 bins of equal width; equal mass: 15 bins of as many statements. Overconfidence: mean "
    "probability minus the share that is true. What is stated with a probability: instrument, the "
    "class of a track; chord, the class of a frame, before smoothing; pitch, that a frame sounds "
    "within a quarter tone of the pitch named; drums and onset, that a frame has an event. Worst "
    "tenth: error, 1 − main score, of the tenth of the pieces that score lowest. Worst class: the "
    "one that most seeds recognise least often, and the share of it that the worst class of each "
    "seed has right."
)


VIEW = View(
    {
        "run": "{run}",
        "ratio": "{ratio:.2f}",
        "error": mean_of("test_error"),
        "calibration error": mean_of("calibration_error"),
        "equal mass": mean_of("calibration_error_equal_mass"),
        "overconfidence": mean_of("overconfidence"),
        "Brier": mean_of("brier"),
        "worst tenth": mean_of("worst_pieces_error"),
        "worst class": lambda row: "–" if row.worst_class == "-" else row.worst_class,
        "its share right": mean_of("worst_class_share"),
    },
    NOTE,
)
write_calibration = VIEW.write
