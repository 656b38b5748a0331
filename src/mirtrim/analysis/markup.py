"""Tables for readers, in Markdown and in LaTeX. The first columns are text, the others numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Any

import pandas as pd

from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.utils.files import write_text


def write_table(table: pd.DataFrame, csv: Path, markdown: Path, lines: Iterable[str]) -> None:
    """Write all of `table` as CSV, and the lines that a reader sees of it as Markdown."""
    write_csv(csv, table)
    write_text(markdown, "\n".join(lines) + "\n")


def number(value: Any, form: str, blank: str = "–") -> str:
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
    """A LaTeX tabular, preceded by a comment that explains it."""
    first, *others = (" & ".join(map(_escaped, cells)) + r" \\" for cells in (head, *rows))
    columns = "l" * text_columns + "r" * (len(head) - text_columns)
    body = [r"\hline", first, r"\hline", *others, r"\hline"]
    begin = rf"\begin{{tabular}}{{{columns}}}"
    return "\n".join([f"% {note}", begin, *body, r"\end{tabular}"]) + "\n"


# The content of a column: a format of the line's columns, or a function of the line.
Cell = str | Callable[[pd.Series], str]


@dataclass(frozen=True)
class View:
    """What a reader sees of a table, a line for each of its lines.

    Attributes:
        columns: heading → content. Formats, such as "{ratio:.2f}", write numbers as `number` does.
        note: how to read it.
        words: how many columns are words.
    """

    columns: Mapping[str, Cell]
    note: str
    words: int = 1

    def cells(self, table: pd.DataFrame) -> list[list[str]]:
        """The cells of each line, as text."""
        return [
            [
                _FORMATTER.vformat(cell, (), row) if isinstance(cell, str) else cell(row)
                for cell in self.columns.values()
            ]
            for _, row in table.iterrows()
        ]

    def markdown(self, table: pd.DataFrame) -> list[str]:
        """The lines of a Markdown table, without the note."""
        return markdown_table(list(self.columns), self.cells(table), self.words)

    def write(
        self,
        table: pd.DataFrame,
        csv: Path,
        markdown: Path,
        latex: Path | None = None,
        more: Sequence[str] = (),
    ) -> None:
        """Write all of `table` as CSV, what a reader sees as Markdown and, if asked for, as LaTeX.

        Args:
            more: further lines of Markdown, behind the note.
        """
        write_table(table, csv, markdown, [*self.markdown(table), "", self.note, *more])
        if latex:
            cells = self.cells(table)
            write_text(latex, latex_table(list(self.columns), cells, self.note, self.words))


class _Formatter(Formatter):
    def format_field(self, value: Any, form: str) -> str:
        return number(value, form) if form else str(value)


_FORMATTER = _Formatter()


def plain(*names: str) -> dict[str, Cell]:
    """Columns of a `View` that are shown unchanged, under their own names."""
    return {name: f"{{{name}}}" for name in names}


def mean_of(name: str) -> Callable[[pd.Series], str]:
    """A cell of a `View`: mean and deviation of what `tables.means_and_deviations` calls so."""
    return lambda row: mean_and_deviation(row[f"{name}_mean"], row[f"{name}_deviation"])


def low_to_high(row: pd.Series) -> str:
    """A cell of a `View`: the interval from column `low` to column `high`."""
    return interval(row.low, row.high)


def _escaped(cell: str) -> str:
    for sign, latex in (("_", r"\_"), ("±", r"$\pm$"), ("−", "$-$"), ("'", "$'$"), ("–", "--")):
        cell = cell.replace(sign, latex)
    return cell
