"""Parse the cells of text files, and report any problem in one line."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirtrim.utils.errors import CorpusError

SIGNS = ("\t", ";", ",")
BLANKS = None  # for `str.split`
BEGINS_A_NUMBER = re.compile(r'\s*"?[+-]?[.,]?\d')
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")

Text = tuple[int, str]  # a line, and its number from 1


@dataclass(frozen=True)
class Line:
    """The cells of a line, and its number, counted from 1."""

    path: Path
    number: int
    cells: Sequence[str]

    def wrong(self, what: str) -> CorpusError:
        """An error that names the line."""
        return CorpusError(f"{self.path}: line {self.number}: {what}")

    def number_at(self, column: int) -> float:
        """A finite number, or a `CorpusError`."""
        text = self.cells[column]
        if DECIMAL_COMMA.fullmatch(text):
            raise self.wrong(f"decimal comma in {text}; write {text.replace(',', '.')}")
        if not _is_number(text) or not np.isfinite(float(text)):
            raise self.wrong(f"{text!r} is not a number; correct it")
        return float(text)

    def seconds_at(self, column: int) -> float:
        """A time that is not negative, or a `CorpusError`."""
        value = self.number_at(column)
        if value < 0:
            raise self.wrong(f"{self.cells[column]} s is before the recording; correct it")
        return value


def read_table(path: Path) -> list[Line]:
    """Every line that is neither empty nor a comment.

    Cells are parted by the first of tabs, semicolons and commas that is in the first line, else by
    blanks.

    Raises:
        CorpusError: the file is no text, or quotes in it do not close; names it, and the line.
    """
    lines = _text_lines(path)
    return _parted(lines, _sign_in(lines), path)


def read_rows(path: Path, *, times: int, needed: int, lacking: str = "") -> Iterator[Line]:
    """The same of lines that begin with times, without a first line that names the columns.

    What parts their cells is what makes numbers of the times: a label may have commas in it.

    Args:
        times: how many columns of times there are.
        needed: how many columns a line must have.
        lacking: message for a line that has fewer.

    Raises:
        CorpusError: the same, or it has only a header, or may have decimal commas.
    """
    lines = _text_lines(path)
    begun = next((line for _, line in lines if BEGINS_A_NUMBER.match(line)), None)
    sign = _sign_in(lines)
    if begun is not None:
        sign = next((s for s in (*SIGNS[:2], BLANKS, ",") if _makes_times(begun, s)), sign)
    parted = _parted(lines, sign, path)
    if parted and _names_columns(parted[0].cells[:times]):
        if len(parted) == 1:
            raise parted[0].wrong(f"{parted[0].cells[0]!r} is not a number")
        parted = parted[1:]
    if sign == ",":
        _refuse_decimal_commas(parted, times, needed)
    for line in parted:
        if len(line.cells) < needed:
            raise line.wrong(lacking)
        yield line


def first_cell(path: Path) -> str:
    """The first cell of a file in lower case; empty if it has none. The file need not be text."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
    # A table in UTF-16 is found too, so that its encoding can be named.
    lines = _kept(text.lstrip("\ufffd").replace("\0", ""))
    if not lines:
        return ""
    return lines[0][1].strip().split(_sign_in(lines))[0].strip(' "').lower()


def _text_lines(path: Path) -> list[Text]:
    try:
        return _kept(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is not UTF-8 text; save it as UTF-8") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error


def _kept(text: str) -> list[Text]:
    return [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _sign_in(lines: Sequence[Text]) -> str | None:
    """What parts the cells of the first line."""
    return next((sign for sign in SIGNS if lines and sign in lines[0][1]), BLANKS)


def _makes_times(line: str, sign: str | None) -> bool:
    if (sign or " ") not in line.strip():
        return False
    cells = [cell.strip().strip('"') for cell in line.split(sign)]
    # "0.5 , 60" is parted by the comma.
    bare = sign != BLANKS or not any(cell.startswith(",") for cell in cells)
    return bare and (_is_number(cells[0]) or DECIMAL_COMMA.fullmatch(cells[0]) is not None)


def _parted(lines: Sequence[Text], sign: str | None, path: Path) -> list[Line]:
    found = []
    for number, text in lines:
        cells = text.split()
        if sign is not None:
            try:
                (cells,) = csv.reader([text], delimiter=sign, skipinitialspace=True, strict=True)
            except csv.Error as error:
                raise Line(path, number, []).wrong(
                    "a quoted cell does not end with its quotes; correct it"
                ) from error
        found.append(Line(path, number, [cell.strip() for cell in cells]))
    return found


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether cells are names instead of times; O.512 is a time with a typing error."""
    return all(
        any(map(str.isalpha, cell)) and not any(map(str.isdigit, cell)) and not _is_number(cell)
        for cell in cells
    )


def _refuse_decimal_commas(lines: Sequence[Line], times: int, needed: int) -> None:
    """Detects ambiguous cells: 0,512 may be half a second, or a pitch at 0 s."""
    if any("." in cell and _is_number(cell) for line in lines for cell in line.cells):
        return
    for line in lines:
        if len(line.cells) > needed and all(cell.isdecimal() for cell in line.cells[: times + 1]):
            whole, part = line.cells[:2]
            raise line.wrong(
                f"{whole},{part} looks like a decimal comma; write {whole}.{part}, or "
                f"{whole}.0,{part} if {whole} s is meant"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
