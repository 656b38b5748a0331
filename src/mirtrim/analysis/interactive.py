"""The curves as one page that needs no network: hover a point to see which network it is."""

import html
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from mirtrim.analysis import style
from mirtrim.analysis.figures.lines import MAIN_LINES, matches, relative
from mirtrim.analysis.figures.panels import RATIO_LABEL, RELATIVE_LABEL, quotient_ticks
from mirtrim.analysis.figures.speed_up import with_measured
from mirtrim.analysis.style import Look
from mirtrim.runs.labels import with_labels
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import write_text

COLUMNS = 2
PANEL_PIXELS = 420
GAP_PIXELS = 90
SYMBOLS = {
    "o": "circle", "s": "square", "^": "triangle-up", "v": "triangle-down", "D": "diamond",
    "X": "x", "P": "cross", "<": "triangle-left", ">": "triangle-right", "d": "diamond-tall",
    "h": "hexagon", "p": "pentagon",
}  # fmt: skip
X_TICKS = [1, 1.5, 2, 3, 4, 6, 8, 11, 16, 24, 32, 48, 64, 128, 256]
DASHES = {"-": "solid", "--": "dash", "-.": "dashdot", ":": "dot"}
# Runs outside the main figure, in alphabetical order, take these in turn.
MORE = ("#666666", "#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#0072B2", "#D55E00")
# The browser blocks everything that would be fetched from other hosts.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
CONFIG = {
    "displaylogo": False,
    "responsive": True,
    # plotly offers to upload the figure to its makers' server otherwise.
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "modeBarButtons": [["toImage"], ["zoom2d", "pan2d", "resetScale2d"]],
}
PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>body{{font-family:sans-serif;margin:1em;max-width:1400px}}p{{font-size:14px}}</style>
</head><body><h1>{title}</h1>
<p>Each point is one trained network; lines are means over seeds. Hover a point to see which
network it is and what it has been measured to need. Click a name to hide or show it in all panels,
click it twice to see it alone; drag to zoom, click twice into a panel to see all of it again.</p>
{body}</body></html>
"""


def draw(rows: pd.DataFrame, latency: pd.DataFrame | None = None) -> go.Figure:
    """One panel per task: relative test error against true compression, both logarithmic.

    Args:
        rows: result rows of any tasks. Runs outside the main figure are hidden until their name
            is clicked.
        latency: see `figures.speed_up.with_measured`; its medians are shown where a network has
            been timed.

    Raises:
        ArtefactError: there is nothing but dense networks, or the latency table is damaged.
    """
    rows = relative(rows)
    rows = with_labels(rows).assign(timed=_timed(rows, latency))
    tasks = sorted(set(rows.task[rows.method != "dense"]))
    if not tasks:
        raise ArtefactError("interactive curves: no rows but those of dense networks")
    looks = _looks(rows)
    lines = -(-len(tasks) // COLUMNS)
    figure = make_subplots(
        lines,
        min(COLUMNS, len(tasks)),
        subplot_titles=tasks,
        horizontal_spacing=0.08,
        vertical_spacing=GAP_PIXELS / (PANEL_PIXELS * lines),
    )
    named: set[str] = set()
    for place, task in enumerate(tasks):
        where = {"row": place // COLUMNS + 1, "col": place % COLUMNS + 1}
        of_task = rows[rows.task == task]
        dense = of_task[of_task.method == "dense"]
        for rank, run in enumerate(("dense", *looks)):
            of_run = of_task[of_task.run == run]
            if of_run.empty:
                continue
            look, shown = looks.get(run, (DENSE, True))
            start = dense[dense.seed.isin(of_run.seed)] if run != "dense" else of_run.iloc[:0]
            words = {
                "legendgroup": run,
                "legendrank": rank,
                "visible": True if shown else "legendonly",
            }
            figure.add_trace(_means(pd.concat([start, of_run]), look, words), **where)
            first = run not in named
            figure.add_trace(_points(of_run, run, look, {**words, "showlegend": first}), **where)
            named.add(run)
        figure.update_xaxes(title_text=RATIO_LABEL, **where)
        errors = of_task.relative_error[np.isfinite(of_task.relative_error)]
        ticks = quotient_ticks(0.95 * errors.min(), 1.05 * errors.max())
        figure.update_yaxes(title_text=RELATIVE_LABEL, tickvals=ticks, **where)
    figure.update_xaxes(type="log", tickvals=X_TICKS, gridcolor="#dddddd")
    figure.update_yaxes(type="log", gridcolor="#dddddd")
    figure.update_layout(
        template="none",
        height=PANEL_PIXELS * lines + 80,
        margin={"l": 60, "r": 20, "t": 40, "b": 60},
        hoverlabel={"bgcolor": "white", "align": "left"},
    )
    return figure


def write(figure: go.Figure, path: Path, title: str) -> None:
    """Write one HTML file with all that it needs inside, the same bytes each time."""
    body = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id="mirtrim-curves",  # random without it
        config=CONFIG,
    )
    write_text(path, PAGE.format(policy=POLICY, title=html.escape(title), body=body))


DENSE = Look(style.DENSE_COLOUR, "o", ":", "dense")


def _looks(rows: pd.DataFrame) -> dict[str, tuple[Look, bool]]:
    """The look of every run but the dense one, and whether it is shown at once; main runs first."""
    runs = {run["run"]: run for run in rows[[*RUN_KEYS, "run"]].to_dict("records")}
    looks: dict[str, tuple[Look, bool]] = {}
    for line in MAIN_LINES:
        for name in sorted(runs):
            if matches(runs[name], line):
                looks[name] = (line.look, True)
    others = [name for name in sorted(runs) if name not in looks and name != "dense"]
    for name, colour, marker in zip(others, cycle(MORE), cycle(SYMBOLS), strict=False):
        looks[name] = (Look(colour, marker, ":", name), False)
    return looks


def _timed(rows: pd.DataFrame, latency: pd.DataFrame | None) -> list[str]:
    """A line of text per row and runtime that it has been timed with."""
    texts = [""] * len(rows)
    if latency is None:
        return texts
    numbered = rows.assign(number=range(len(rows)))
    for row in with_measured(numbered, latency).sort_values(["number", "runtime"]).itertuples():
        texts[row.number] += (
            f"<br>latency {row.median_ms:.3g} ms, {row.speed_up_measured:.2f} times as fast "
            f"as dense ({html.escape(str(row.runtime))})"
        )
    return texts


def _means(rows: pd.DataFrame, look: Look, words: dict[str, object]) -> go.Scatter:
    groups = rows.groupby("target_ratio", sort=True)
    return go.Scatter(
        x=_rounded(groups.ratio.mean()),
        y=_rounded(groups.relative_error.mean()),
        mode="lines",
        line={"color": look.colour, "dash": DASHES[look.dash], "width": 1.5},
        hoverinfo="skip",
        showlegend=False,
        **words,
    )


def _points(rows: pd.DataFrame, run: str, look: Look, words: dict[str, object]) -> go.Scatter:
    return go.Scatter(
        x=_rounded(rows.ratio),
        y=_rounded(rows.relative_error),
        mode="markers",
        marker={"color": look.colour, "symbol": SYMBOLS[look.marker], "size": 7, "opacity": 0.75},
        text=[_text(row) for row in rows.to_dict("records")],
        hovertemplate="%{text}<extra></extra>",
        name=run,
        **words,
    )


def _text(row: dict[str, object]) -> str:
    return (
        f"<b>{html.escape(str(row['run']))}</b>, {html.escape(str(row['task']))}, "
        f"seed {row['seed']}, round {row['round']}"
        f"<br>ratio {row['ratio']:.2f} (target {row['target_ratio']:g})"
        f"<br>test error {row['test_error']:.4f}, {row['relative_error']:.2f} times the dense one"
        f"<br>{row['nonzeros']:,} of {row['parameters']:,} parameters not zero, "
        f"{row['bytes_gzip']:,} bytes (gzip)"
        f"<br>{row['macs']:,} MACs, {row['speed_up_theoretical']:.2f} times fewer than dense"
        f"{row['timed']}"
    )


def _rounded(values: Iterable[float]) -> list[float]:
    """Six digits are more than a screen shows, and keep the page short."""
    return [float(f"{value:.6g}") for value in values]
