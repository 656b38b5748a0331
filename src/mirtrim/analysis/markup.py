"""Tables as Markdown and as LaTeX. Cells are text already; the first columns are words, the others
numbers."""

from collections.abc import Iterable, Sequence


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
