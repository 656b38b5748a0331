"""Calibration against the ratio, and the units that every layer keeps."""

import json

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.figures.lines import mean_and_band
from mirtrim.analysis.style import Look
from mirtrim.runs.labels import with_labels
from mirtrim.utils.errors import ArtefactError

# Runs in the order of the alphabet take these in turn.
LOOKS = (
    Look("#0072B2", "o", "--", ""),
    Look("#D55E00", "s", "-", ""),
    Look("#882255", "p", "-.", ""),
    Look("#009E73", "^", ":", ""),
    Look("#E69F00", "D", "-", ""),
    Look("#56B4E9", "v", "--", ""),
)


@style.styled()
def draw_calibration(inspections: pd.DataFrame) -> Figure:
    """Expected calibration error against the ratio, a panel per task, a line per run.

    Lines are means and bands one sample deviation over seeds; the dense network is a dotted line
    in its band.

    Raises:
        ArtefactError: no network has been inspected.
    """
    if inspections.empty:
        raise ArtefactError("figure of calibration: no network has been inspected")
    rows = with_labels(inspections)
    tasks = sorted(set(rows.task))
    figure, axes, place = panels.grid(len(tasks))
    looks = style.labelled(LOOKS, sorted(set(rows.run) - {"dense"}))
    for one, task in zip(axes, tasks, strict=True):
        part = rows[rows.task == task]
        dense = part[part.run == "dense"].calibration_error
        for look in looks:
            points = mean_and_band(part[part.run == look.label], "ratio", "calibration_error")
            if len(points):
                panels.band_line(one, points, look)
        if len(dense):
            mean, deviation = dense.mean(), dense.std(ddof=1)
            panels.dense_line(one, (mean - deviation, mean + deviation), mean)
        panels.ratio_axis(one, float(part.ratio.max()))
        one.set_ylim(bottom=0)
        one.set_title(task)
    words = "expected calibration error"
    return panels.finish(figure, axes, place, "compression ratio", words, looks)


def units_table(inspections: pd.DataFrame) -> pd.DataFrame:
    """Share of units left per layer, a line per network and layer.

    Args:
        inspections: of one task, dense networks among them.

    Returns:
        run, seed, target_ratio, ratio, layer, place (of the layer in the network), units, share
        (of those of the dense network of the same seed).

    Raises:
        ArtefactError: a network has no dense one of its seed beside it.
    """
    rows = with_labels(inspections)
    dense = {
        int(row.seed): json.loads(str(row.units)) for row in rows[rows.run == "dense"].itertuples()
    }
    lines = []
    for row in rows[rows.run != "dense"].itertuples():
        if int(row.seed) not in dense:
            raise ArtefactError(
                f"units of task {row.task}: the dense network of seed {row.seed} has not been "
                "inspected; run `snakemake inspections`"
            )
        full = dense[int(row.seed)]
        for place, (layer, units) in enumerate(json.loads(str(row.units)).items()):
            share = units / full[layer]
            lines.append(
                (row.run, row.seed, row.target_ratio, row.ratio, layer, place, units, share)
            )
    columns = ["run", "seed", "target_ratio", "ratio", "layer", "place", "units", "share"]
    return pd.DataFrame(lines, columns=columns)


@style.styled()
def draw_units(inspections: pd.DataFrame) -> Figure:
    """Units left per layer against the ratio: a panel per run that removes units, a line per layer.

    Layers are coloured from the first (dark) to the last (light); means over seeds, the band is
    their whole range. Layers that no run narrows, such as the output, are left out.

    Raises:
        ArtefactError: no network of the task has lost a unit.
    """
    table = units_table(inspections)
    lost = table.groupby("run").share.min() < 1
    runs = [run for run in sorted(lost.index) if lost[run]]
    if not runs:
        raise ArtefactError("figure of units: no inspected network has lost a unit")
    table = table[table.run.isin(runs)]
    narrowed = table.groupby("layer").share.min() < 1
    layers = sorted(narrowed[narrowed].index, key=table.groupby("layer").place.first().__getitem__)
    colours = mpl.colormaps["viridis"].resampled(max(len(layers), 2) + 1)
    figure, axes, place = panels.grid(len(runs), spare=True)
    for one, run in zip(axes, runs, strict=True):
        for number, layer in enumerate(layers):
            part = table[(table.run == run) & (table.layer == layer)]
            groups = part.groupby("target_ratio")
            x, share = groups.ratio.mean(), groups.share
            colour = colours(number)
            one.fill_between(x, share.min(), share.max(), color=colour, alpha=0.15, lw=0)
            marker = "osD^vPX"[number % 7]
            one.plot(x, share.mean(), color=colour, marker=marker, ms=3.5, lw=1.2, label=layer)
        panels.ratio_axis(one, float(table.ratio.max()))
        one.set_yscale("log", base=2)
        one.yaxis.set_major_formatter(
            mpl.ticker.FuncFormatter(lambda v, _: f"{v:g}" if v >= 1 else f"1/{1 / v:.3g}")
        )
        one.set_title(run)
    looks = [Look("", "", "", layer) for layer in layers]
    return panels.finish(figure, axes, place, "compression ratio", "share of units left", looks)
