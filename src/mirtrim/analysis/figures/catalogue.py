"""All figures by name, for scripts that make them from a list."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from mirtrim.analysis.figures import contrasts, relative_error, speed_up, training_cost
from mirtrim.analysis.figures.choices import CONTRASTS
from mirtrim.analysis.figures.lines import TRIMS_AND_CONTROLS
from mirtrim.analysis.recorded_curves import RecordedCurves
from mirtrim.runs.rows import RUN_KEYS

# What figures are drawn from; every choice of rows copies all their columns.
COLUMNS = [
    "task", *RUN_KEYS, "seed", "target_ratio", "ratio", "macs", "test_error", "training_macs",
    "total_training_macs",
]  # fmt: skip


def draw(
    name: str,
    rows: pd.DataFrame,
    recorded: RecordedCurves | None = None,
    latency: pd.DataFrame | None = None,
    ratios: Sequence[float] = (4, 16),
) -> Figure:
    """The figure `name` (one of `choices.drawable`); arguments that it does not need are ignored.

    Args:
        rows: result rows of any tasks.
        recorded: the authors' curves, for relative_error and criteria.
        latency: see `speed_up.with_measured`, for speed_up.
        ratios: asked ratios, for training_cost.

    Raises:
        ArtefactError: the rows have nothing for this figure.
    """
    rows = rows[COLUMNS]
    if name == "relative_error":
        return relative_error.draw(rows, recorded)
    if name == "controls":
        return relative_error.draw(rows, None, TRIMS_AND_CONTROLS)
    if name == "speed_up":
        return speed_up.draw(rows, latency)
    if name == "training_cost":
        return training_cost.draw(rows, ratios)
    if name not in CONTRASTS:
        raise ValueError(f"no figure {name!r}")
    criteria = recorded.criteria if recorded and name == "criteria" else ()
    return contrasts.draw(rows, name, criteria)
