"""Compare this project's measurements with those recorded by the authors of the replicated
paper."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from mirtrim.analysis.markup import markdown_table, mean_and_deviation, number
from mirtrim.analysis.operating_points import operating_points
from mirtrim.analysis.recorded import Recorded
from mirtrim.analysis.recorded_curves import RecordedCurves
from mirtrim.analysis.tables import with_relative_error

POINT_RUN = "trim"
RUN_OF_CURVE = {"trim": "trim", "mask": "mask", "trim_reinit": "trim (reinit)"}


def curves_beside(rows: pd.DataFrame, recorded: RecordedCurves) -> Iterator[str]:
    """Lines of Markdown: errors along the ratios, relative to the dense network."""
    yield (
        "Test error / dense test error of the same seed, mean ± sample deviation over seeds; "
        "recorded: the authors' figures, on other data, interpolated linearly at the same counted "
        "ratio (– beyond their last point)."
    )
    yield ""
    lines = []
    for task, part in rows.groupby("task"):
        relative = with_relative_error(part)
        for curve in recorded.of_task(str(task)):
            run = RUN_OF_CURVE[curve.name]
            for _, same in relative[relative.run == run].groupby("target_ratio"):
                ratio = float(same.ratio.mean())
                here = mean_and_deviation(
                    same.relative_error.mean(), same.relative_error.std(ddof=1)
                )
                there = np.interp(ratio, curve.ratio, curve.relative_error, np.nan, np.nan)
                lines.append([str(task), run, f"{ratio:.2f}", here, number(float(there), ".2f")])
    yield from markdown_table(["task", "run", "ratio", "here", "recorded"], lines, 2)


def points_beside(rows: pd.DataFrame, recorded: Recorded) -> Iterator[str]:
    """Lines of Markdown: the smallest networks that are good enough."""
    tag = recorded.points["source"]
    yield (
        "Share of parameters removed in the smallest trimmed network with at most 1 (Best), less "
        "than 1.1 (Optim) or less than 1.6 (Small) times the dense error. Here chosen by the "
        f"validation error of one configuration; recorded [{tag}]: by the least test error over "
        "all epochs and configurations."
    )
    yield ""
    lines = []
    for task, part in rows.groupby("task"):
        points = operating_points(part[part.run.isin(["dense", POINT_RUN])])
        for _, row in points[points.run == POINT_RUN].iterrows():
            theirs = recorded.points.get(task, {}).get(row.point, np.nan)
            lines.append(
                [
                    str(task),
                    row.point,
                    number(1 - 1 / row.ratio, ".1%", "none"),
                    number(row.relative_error, ".2f"),
                    number(theirs, ".1%"),
                ]
            )
    head = ["task", "point", "here", "relative test error", "recorded"]
    yield from markdown_table(head, lines, 2)
