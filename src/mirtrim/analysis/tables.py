"""Tables: mean and sample deviation over seeds of everything that was measured."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.analysis.markup import View, mean_of, plain
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.utils.files import write_text


def with_relative_error(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one task with `relative_error`: test error / that of the same seed's dense network.

    A dense error of 0 makes the quotient infinite, which is shown as such.
    """
    dense = rows[rows.method == "dense"].set_index("seed").test_error
    with np.errstate(divide="ignore", invalid="ignore"):
        return rows.assign(relative_error=rows.test_error / rows.seed.map(dense))


def means_and_deviations(groups: Any, names: Iterable[str]) -> dict[str, pd.Series]:
    """Columns `<name>_mean` and `<name>_deviation` (sample; NaN for one row) of grouped rows."""
    columns = {}
    for name in names:
        columns[f"{name}_mean"] = groups[name].mean()
        columns[f"{name}_deviation"] = groups[name].std(ddof=1)
    return columns


def dense_first(table: pd.DataFrame, run: str, keys: Sequence[str]) -> pd.DataFrame:
    """The table sorted by `keys`, after the lines whose column `run` is "dense"."""
    ordered = table.assign(compressed=table[run] != "dense")
    ordered = ordered.sort_values(["compressed", *keys], ignore_index=True)
    return ordered.drop(columns="compressed")


def summary_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One line per run and ratio.

    Args:
        rows: result rows of one task.

    Returns:
        Columns: the run, target_ratio, seeds; mean of ratio, parameters, nonzeros, macs,
        bytes_raw, bytes_gzip, peak_activation_bytes, train_seconds; mean and sample deviation
        (n − 1; NaN for one seed) of validation_error, test_error and relative_error;
        speed_up_theoretical (dense MACs / MACs).
    """
    rows = with_relative_error(rows)
    groups = rows.groupby([*RUN_KEYS, "target_ratio"], sort=False)
    counted = (
        "ratio", "parameters", "nonzeros", "macs", "bytes_raw", "bytes_gzip",
        "peak_activation_bytes", "train_seconds",
    )  # fmt: skip
    table = groups.agg(seeds=("seed", "nunique"), **{n: (n, "mean") for n in counted})
    errors = ("validation_error", "test_error", "relative_error")
    table = table.assign(**means_and_deviations(groups, errors))
    dense_macs = rows[rows.method == "dense"].macs.mean()
    table["speed_up_theoretical"] = dense_macs / table.macs
    return dense_first(table.reset_index(), "method", [*RUN_KEYS, "target_ratio"])


NOTE = (
    "Mean ± sample deviation over seeds. Ratio: dense parameters / parameters left (non-zero ones "
    "for mask). Relative error: test error / test error of the dense network of the same seed."
)
VIEW = View(
    {
        **plain("method", "criterion", "scope", "reset", "seeds"),
        "ratio": "{ratio:.2f}",
        "parameters": "{parameters:,.0f}",
        "non-zero": "{nonzeros:,.0f}",
        "MACs": "{macs:,.0f}",
        "bytes (gzip)": "{bytes_gzip:,.0f}",
        "test error": mean_of("test_error"),
        "relative error": mean_of("relative_error"),
    },
    NOTE,
    words=4,
)


def write_summary(table: pd.DataFrame, csv: Path, markdown: Path, html: Path) -> None:
    """Write the whole table as CSV and the columns that a reader compares as Markdown and HTML."""
    VIEW.write(table, csv, markdown)
    write_text(html, to_html(table))


def to_html(table: pd.DataFrame) -> str:
    """The reader's view of `summary_table`, for the report."""
    cells = pd.DataFrame(VIEW.cells(table), columns=list(VIEW.columns))
    body = cells.to_html(index=False, border=0, justify="left")
    style = (
        "body{font-family:sans-serif;font-size:14px}"
        "td,th{padding:2px 10px;text-align:right}"
        "td:nth-child(-n+4),th:nth-child(-n+4){text-align:left}"
        "tr:nth-child(even){background:#f2f2f2}"
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>mirtrim</title>'
        f"<style>{style}</style></head><body>{body}<p>{NOTE}</p></body></html>\n"
    )
