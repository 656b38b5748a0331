"""Tables: mean and sample deviation over seeds of everything that was measured."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mirtrim.analysis.markup import markdown_table
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.utils.files import atomic_path, write_text


def with_relative_error(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of one task with `relative_error`: test error / that of the same seed's dense network.

    A dense error of 0 makes the quotient infinite, which is shown as such.
    """
    dense = rows[rows.method == "dense"].set_index("seed").test_error
    with np.errstate(divide="ignore", invalid="ignore"):
        return rows.assign(relative_error=rows.test_error / rows.seed.map(dense))


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
    counted = [
        "ratio",
        "parameters",
        "nonzeros",
        "macs",
        "bytes_raw",
        "bytes_gzip",
        "peak_activation_bytes",
        "train_seconds",
    ]
    table = groups.agg(seeds=("seed", "nunique"), **{n: (n, "mean") for n in counted})
    for name in ("validation_error", "test_error", "relative_error"):
        table[f"{name}_mean"] = groups[name].mean()
        table[f"{name}_deviation"] = groups[name].std(ddof=1)
    dense_macs = rows[rows.method == "dense"].macs.mean()
    table["speed_up_theoretical"] = dense_macs / table.macs
    table = table.reset_index()
    order = table.method.ne("dense")
    return (
        table.assign(order=order)
        .sort_values(["order", *RUN_KEYS, "target_ratio"], ignore_index=True)
        .drop(columns="order")
    )


HEAD = (
    "method",
    "criterion",
    "scope",
    "reset",
    "ratio",
    "parameters",
    "non-zero",
    "MACs",
    "bytes (gzip)",
    "test error",
    "relative error",
)
TEXT_COLUMNS = 4  # the others are numbers and aligned to the right


def write_table(table: pd.DataFrame, csv_path: Path, markdown_path: Path, html_path: Path) -> None:
    """Write the whole table as CSV and the columns that a reader compares as Markdown and HTML."""
    with atomic_path(csv_path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    write_text(markdown_path, to_markdown(table))
    write_text(html_path, to_html(table))


def to_markdown(table: pd.DataFrame) -> str:
    """The reader's view of `summary_table`, for a text file."""
    lines = markdown_table(HEAD, reader_cells(table), TEXT_COLUMNS)
    return "\n".join([*lines, "", note(table)]) + "\n"


def to_html(table: pd.DataFrame) -> str:
    """The reader's view of `summary_table`, for the report."""
    cells = pd.DataFrame(list(reader_cells(table)), columns=list(HEAD))
    body = cells.to_html(index=False, border=0, justify="left")
    style = (
        "body{font-family:sans-serif;font-size:14px}"
        "td,th{padding:2px 10px;text-align:right}"
        "td:nth-child(-n+4),th:nth-child(-n+4){text-align:left}"
        "tr:nth-child(even){background:#f2f2f2}"
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>mirtrim</title>'
        f"<style>{style}</style></head><body>{body}<p>{note(table)}</p></body></html>\n"
    )


def reader_cells(table: pd.DataFrame) -> Iterator[list[str]]:
    """The cells of each line, as text."""
    for _, row in table.iterrows():
        yield [
            row.method,
            row.criterion,
            row["scope"],
            row.reset,
            f"{row.ratio:.2f}",
            *(f"{row[name]:,.0f}" for name in ("parameters", "nonzeros", "macs", "bytes_gzip")),
            mean_and_deviation(row.test_error_mean, row.test_error_deviation),
            mean_and_deviation(row.relative_error_mean, row.relative_error_deviation),
        ]


def note(table: pd.DataFrame) -> str:
    """What the columns mean."""
    seeds = " or ".join(map(str, sorted(set(table.seeds))))
    return (
        f"Mean ± sample deviation over {seeds} seed(s). Ratio: dense parameters / parameters left "
        "(non-zero ones for mask). Relative error: test error / test error of the dense network "
        "of the same seed."
    )


def mean_and_deviation(mean: float, deviation: float) -> str:
    """ "0.123 ± 0.004", or the mean alone where one seed gives no deviation."""
    return f"{mean:.3f}" if np.isnan(deviation) else f"{mean:.3f} ± {deviation:.3f}"
