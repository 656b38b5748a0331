"""All methods and controls at the same ratios: error and training cost."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import nearest_ratio
from mirtrim.analysis.figures.placing import columns, spread
from mirtrim.analysis.markup import View, mean_of, plain, write_table
from mirtrim.analysis.tables import dense_first, means_and_deviations
from mirtrim.runs.labels import with_labels

# Of a panel: what its title, ticks and axis label take, and the height of one rank.
FRAME_INCHES = 0.8
LINE_INCHES = 0.095
# Shares of the width of a panel: costs whose ranks share a column, and where that column stands.
SAME_COLUMN = 0.085
RANK_BESIDE = 0.025
RANK: dict[str, Any] = {
    "fontsize": 6,
    "va": "center",
    "in_layout": False,
    "bbox": {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.2},
}


def comparison(rows: pd.DataFrame, ratios: Sequence[float]) -> pd.DataFrame:
    """One line per run and ratio, the lowest error first; the dense network heads every ratio.

    Args:
        rows: result rows of one task.
        ratios: target ratios at which runs are compared; a ratio that no run has is replaced by the
            nearest that some run has (by quotient).

    Returns:
        Columns target_ratio, run, seeds, ratio, speed_up_theoretical, test_error_mean,
        test_error_deviation (sample), difference_mean and difference_deviation (to the dense
        network of the same seed), trainings, cost (training MACs of everything that led to the
        network, in dense trainings), train_seconds, machines (kinds of processor of the rows, " | "
        between them).
    """
    rows = with_labels(rows)
    dense = rows[rows.run == "dense"].set_index("seed")
    rows = rows.assign(
        difference=rows.test_error - rows.seed.map(dense.test_error),
        cost=rows.total_training_macs / rows.seed.map(dense.training_macs),
        speed_up_theoretical=rows.seed.map(dense.macs) / rows.macs,
    )
    parts = []
    for ratio in dict.fromkeys(nearest_ratio(rows, ratio) for ratio in ratios):
        groups = rows[(rows.target_ratio == ratio) | (rows.run == "dense")].groupby("run")
        part = pd.DataFrame(
            {
                "target_ratio": ratio,
                "seeds": groups.seed.nunique(),
                "ratio": groups.ratio.mean(),
                "speed_up_theoretical": groups.speed_up_theoretical.mean(),
                **means_and_deviations(groups, ["test_error", "difference"]),
                "trainings": groups.trainings.mean(),
                "cost": groups.cost.mean(),
                "train_seconds": groups.total_train_seconds.mean(),
                "machines": groups.machine.agg(lambda found: " | ".join(sorted(set(found)))),
            }
        )
        parts.append(dense_first(part.reset_index(), "run", ["test_error_mean", "run"]))
    return pd.concat(parts, ignore_index=True)


VIEW = View(
    {
        **plain("run", "seeds"),
        "ratio": "{ratio:.2f}",
        "test error": mean_of("test_error"),
        "minus dense": mean_of("difference"),
        "speed-up (MACs)": "{speed_up_theoretical:.2f}",
        "trainings": "{trainings:g}",
        "cost": "{cost:.2f}",
    },
    "Mean ± sample deviation over seeds; minus dense: paired by seed. Cost: "
    "training MACs of everything that led to the network, in trainings of the dense one.",
)


def write_comparison(table: pd.DataFrame, csv_path: Path, markdown_path: Path) -> None:
    """All of it as CSV, what a reader compares as Markdown."""
    lines = []
    for target, part in table.groupby("target_ratio", sort=True):
        lines += [f"## Ratio {target:g}", "", *VIEW.markdown(part), ""]
    lines.append(VIEW.note)
    if table.machines.nunique() > 1:
        lines += [
            "",
            "The rows come from several kinds of processor. Networks of one seed differ between "
            "kinds about as much as between seeds, so that minus dense is not paired across them.",
            "",
        ]
        for machine, part in table.groupby("machines", sort=True):
            lines.append(f"* {machine}: {', '.join(dict.fromkeys(part.run))}")
    write_table(table.drop(columns="machines"), csv_path, markdown_path, lines)


@style.styled()
def draw_comparison(table: pd.DataFrame, task: str, paths: Sequence[Path]) -> None:
    """Two panels per ratio: error of every run, sorted, and error against training cost.

    A run that has fewer seeds than others says how many; the dense mean is over all of them.
    """
    ratios = sorted(table.target_ratio.unique())
    longest = max(int((table.target_ratio == ratio).sum()) for ratio in ratios)
    height_inches = 1.0 + 0.19 * longest
    size = (10.5, len(ratios) * height_inches)
    figure, grid = panels.rectangle(len(ratios), 2, size, width_ratios=(3, 2))
    for (sorted_axes, cost_axes), ratio in zip(grid, ratios, strict=True):
        part = table[table.target_ratio == ratio]
        dense = part[part.run == "dense"].iloc[0]
        runs = part[part.run != "dense"].reset_index(drop=True)
        _sorted(sorted_axes, runs, dense, most=int(part.seeds.max()))
        title = f"{task}, ratio {ratio:g}: mean and sample deviation"
        sorted_axes.set_title(title, fontsize="large")
        _cost(cost_axes, runs, dense, LINE_INCHES / (height_inches - FRAME_INCHES))
        cost_axes.set_title("the same error against what it has cost", fontsize="large")
    style.save_figure(figure, paths)


def _by_look(runs: pd.DataFrame) -> Iterator[tuple[style.Look, pd.DataFrame]]:
    """Runs that share a style: those of one method, or those of all other methods."""
    looks = [style.look_of(str(run).split(" (")[0].replace(" ", "_")) for run in runs.run]
    for look in dict.fromkeys(looks):
        yield look, runs[[other == look for other in looks]]


def _sorted(axes: Axes, runs: pd.DataFrame, dense: pd.Series, most: int) -> None:
    axes.axvline(dense.test_error_mean, **style.DENSE)
    for look, alike in _by_look(runs):
        axes.errorbar(
            alike.test_error_mean,
            alike.index,
            xerr=alike.test_error_deviation,
            color=look.colour,
            marker=look.marker,
            ms=4,
            lw=0,
            elinewidth=1,
        )
    names = [
        f"{run.run}{'' if run.seeds == most else f' [{run.seeds} of {most} seeds]'}   {rank}"
        for rank, run in enumerate(runs.itertuples(), start=1)
    ]
    axes.set_yticks(range(len(runs)), names, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("test error (dotted: dense)")


def _cost(axes: Axes, runs: pd.DataFrame, dense: pd.Series, line_share: float) -> None:
    """Errors over cost, labelled by rank; labels are at least `line_share` of the height apart."""
    axes.axhline(dense.test_error_mean, **style.DENSE)
    for look, alike in _by_look(runs):
        axes.plot(
            alike.cost, alike.test_error_mean, color=look.colour, marker=look.marker, ms=4, ls=""
        )
    axes.margins(x=0.08, y=0.05)
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    lines: list[tuple[tuple[float, float], tuple[float, float]]] = []
    for column in columns(list(runs.cost), SAME_COLUMN * (right - left)):
        alike = runs.iloc[column]
        beside = alike.cost.max() + RANK_BESIDE * (right - left)
        places = spread(list(alike.test_error_mean), line_share * (high - low))
        points = zip(alike.cost, alike.test_error_mean, strict=True)
        lines += [(point, (beside, place)) for point, place in zip(points, places, strict=True)]
        for rank, place in zip(alike.index + 1, places, strict=True):
            axes.text(beside, place, f" {rank}", **RANK)
    axes.add_collection(LineCollection(lines, colors="#999999", lw=0.4, zorder=1))
    axes.set(xlim=(left, right), ylim=(low, high))
    axes.set_xlabel("training MACs in dense trainings (number: rank)")
    axes.set_ylabel("test error")
