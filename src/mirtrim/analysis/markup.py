"""Tables as Markdown and as LaTeX. Cells are text already; the first columns are words, the others
numbers."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.utils.files import write_text


def write_table(table: pd.DataFrame, csv: Path, markdown: Path, lines: Iterable[str]) -> None:
    """Write all of `table` as CSV, and the lines that a reader sees of it as Markdown."""
    write_csv(csv, table)
    write_text(markdown, "\n".join(lines) + "\n")


def number(value: float, form: str, blank: str = "–") -> str:
    """A number in a format such as "+.3f", with a minus sign that is no hyphen; or `blank`."""
    return blank if pd.isna(value) else format(value, form).replace("-", "−")


def interval(low: float, high: float, form: str = "+.3f") -> str:
    """ "+0.012 to +0.034", or a dash where there is no interval."""
    return "–" if pd.isna(low) else f"{number(low, form)} to {number(high, form)}"


def mean_and_deviation(mean: float, deviation: float) -> str:
    """ "0.123 ± 0.004"; the mean alone where one seed gives no deviation; a dash without a mean."""
    if pd.isna(mean):
        return "–"
    return f"{mean:.3f}" if pd.isna(deviation) else f"{mean:.3f} ± {deviation:.3f}"


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1
) -> list[str]:
    """The lines of a Markdown table; words are set flush left, numbers flush right."""
    rule = " --- |" * text_columns + " ---: |" * (len(head) - text_columns)
    return [_line(head), f"|{rule}", *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def latex_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], note: str, text_columns: int = 1
) -> str:
    """A LaTeX tabular behind a comment that says how to read it."""
    first, *others = (" & ".join(map(_escaped, cells)) + r" \\" for cells in (head, *rows))
    columns = "l" * text_columns + "r" * (len(head) - text_columns)
    body = [r"\hline", first, r"\hline", *others, r"\hline"]
    begin = rf"\begin{{tabular}}{{{columns}}}"
    return "\n".join([f"% {note}", begin, *body, r"\end{tabular}"]) + "\n"


def _escaped(cell: str) -> str:
    for sign, latex in (("_", r"\_"), ("±", r"$\pm$"), ("−", "$-$"), ("'", "$'$"), ("–", "--")):
        cell = cell.replace(sign, latex)
    return cell
