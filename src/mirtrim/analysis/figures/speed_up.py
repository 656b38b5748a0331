"""Speed-up against error: counted in MACs, and measured by the clock, never mixed."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import MAIN_LINES, dense_band, relative, tasks_of
from mirtrim.runs.rows import with_names
from mirtrim.utils.errors import ArtefactError

LINES = tuple(line for line in MAIN_LINES if line.choices.get("criterion") != "random")
LATENCY_COLUMNS = {"task", "run", "target_ratio", "seed", "runtime", "median_ms"}


def with_measured(rows: pd.DataFrame, latency: pd.DataFrame) -> pd.DataFrame:
    """Rows that have been timed, once per runtime, with `runtime` and `speed_up_measured`.

    Args:
        rows: result rows of any tasks.
        latency: columns task, run (its name), target_ratio, seed, runtime and
            median_ms, the dense networks among them (run "dense", target_ratio 1).

    Returns:
        The speed-up is median_ms of the dense network of the same task, seed and runtime /
        median_ms.

    Raises:
        ArtefactError: a column is missing, a network occurs twice, or its dense network is missing.
    """
    missing = sorted(LATENCY_COLUMNS - set(latency.columns))
    if missing:
        raise ArtefactError(f"latency table: no column {missing[0]}; measure again")
    networks = ["task", "run", "target_ratio", "seed", "runtime"]
    if latency.duplicated(networks).any():
        twice = latency[latency.duplicated(networks)].iloc[0]
        raise ArtefactError(
            f"latency table: {twice.task}, {twice.run}, ratio {twice.target_ratio:g}, seed "
            f"{twice.seed}, {twice.runtime} is there twice; keep one measurement"
        )
    same = ["task", "seed", "runtime"]
    dense = latency[latency.run == "dense"].set_index(same).median_ms.rename("dense_ms")
    timed = latency[[*networks, "median_ms"]].join(dense, on=same)
    if timed.dense_ms.isna().any():
        lonely = timed[timed.dense_ms.isna()].iloc[0]
        raise ArtefactError(
            f"latency table: no dense network of {lonely.task}, seed {lonely.seed}, "
            f"{lonely.runtime}; measure it as well"
        )
    timed["speed_up_measured"] = timed.dense_ms / timed.median_ms
    return with_names(rows)[0].merge(
        timed.drop(columns="dense_ms"), on=["task", "run", "target_ratio", "seed"], validate="1:m"
    )


@style.styled()
def draw(rows: pd.DataFrame, latency: pd.DataFrame | None = None) -> Figure:
    """A column per task; on top the theoretical speed-up, below it one measured per runtime.

    Args:
        rows: result rows of any tasks.
        latency: see `with_measured`; None draws the theoretical speed-up alone.

    Raises:
        ArtefactError: no line has rows, or the latency table is damaged.
    """
    rows = relative(rows)
    kinds = {"theoretical speed-up: dense MACs / MACs": (rows, "speed_up_theoretical")}
    if latency is not None:
        for runtime, timed in with_measured(rows, latency).groupby("runtime", sort=True):
            name = f"measured speed-up: dense latency / latency ({runtime})"
            kinds[name] = (timed, "speed_up_measured")
    tasks = tasks_of(rows, LINES)
    if not tasks:
        raise ArtefactError("figure speed_up: no rows of mask, trim or feedback to draw")
    size = (max(2.3 * len(tasks), 5), 2.4 * len(kinds) + 0.7)
    figure, grid = panels.rectangle(len(kinds), len(tasks), size, sharex="col", sharey="col")
    for panels_of_task, task in zip(grid.T, tasks, strict=True):
        panels_of_task[0].set_title(task)
        dense = rows[(rows.task == task) & (rows.method == "dense")]
        found = []
        for axes, (of_kind, column) in zip(panels_of_task, kinds.values(), strict=True):
            found += _panel(axes, of_kind[of_kind.task == task], column)
            axes.tick_params(labelbottom=True)
        panels.frame(panels_of_task[0], dense_band(dense), found)
    for axes, kind in zip(grid[:, (len(tasks) - 1) // 2], kinds, strict=True):
        axes.set_xlabel(kind)
    looks = [line.look for line in LINES]
    return panels.finish(figure, grid.flat, None, "", panels.RELATIVE_LABEL, looks)


def _panel(axes: Axes, rows: pd.DataFrame, column: str) -> list[pd.DataFrame]:
    """One task's speed-ups of one kind; returns the points of its lines."""
    if rows.empty:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes, fontsize=8)
        return []
    panels.dense_line(axes, dense_band(rows[rows.method == "dense"]))
    axes.axvline(1, color=style.DENSE_COLOUR, lw=0.6)
    return panels.error_lines(axes, rows, LINES, column)
