"""Cells of text files: how they are parted, and one line of error for whatever is wrong in them."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mirtrim.utils.errors import CorpusError

SIGNS = ("\t", ";", ",")
BLANKS = " "
BEGINS_A_NUMBER = re.compile(r'\s*"?[+-]?[.,]?\d')
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")

Line = tuple[int, list[str]]


def read_table(path: Path) -> list[Line]:
    """Cells of every line that is neither empty nor a comment, with its number, counted from 1.

    They are parted by the first of tabs, semicolons and commas that is in the first line, else by
    blanks.

    Raises:
        CorpusError: the file is no text, or quotes in it do not close; names it, and the line.
    """
    lines = _text_lines(path)
    return _parted(lines, _sign_in(lines[0][1]) if lines else BLANKS, path)


def read_rows(path: Path, *, times: int, needed: int) -> list[Line]:
    """The same of lines that begin with times, without a first line that names the columns.

    What parts their cells is what makes numbers of the times: a label may have commas in it.

    Args:
        times: how many columns of times there are.
        needed: how many columns a line must have.

    Raises:
        CorpusError: the same, or it holds nothing but names, or may have decimal commas.
    """
    lines = _text_lines(path)
    begun = next((line for _, line in lines if BEGINS_A_NUMBER.match(line)), None)
    sign = _sign_in(lines[0][1]) if lines else BLANKS
    if begun is not None:
        sign = next((s for s in (*SIGNS[:2], BLANKS, ",") if _makes_times(begun, s)), sign)
    parted = _parted(lines, sign, path)
    if parted and _names_columns(parted[0][1][:times]):
        if len(parted) == 1:
            raise CorpusError(f"{path}: line {parted[0][0]}: {parted[0][1][0]!r} is no number")
        parted = parted[1:]
    if sign == ",":
        _refuse_decimal_commas(parted, path, times, needed)
    return parted


def first_cell(path: Path) -> str:
    """The first cell of a file that may be no text at all, in lower case; empty if it has none."""
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="replace")
    except OSError:
        return ""
    # A table in UTF-16 is found too, so that its encoding can be named.
    lines = _kept(text.lstrip("\ufffd").replace("\0", ""))
    if not lines:
        return ""
    sign = _sign_in(lines[0][1])
    return lines[0][1].strip().split(None if sign == BLANKS else sign)[0].strip(' "').lower()


def number_of(text: str, path: Path, line: int) -> float:
    """A finite number, or a `CorpusError` that names the line."""
    if DECIMAL_COMMA.fullmatch(text):
        point = text.replace(",", ".")
        raise CorpusError(f"{path}: line {line}: decimal comma in {text}; write {point}")
    if not _is_number(text) or not np.isfinite(float(text)):
        raise CorpusError(f"{path}: line {line}: {text!r} is no number; correct it")
    return float(text)


def seconds_of(text: str, path: Path, line: int) -> float:
    """A time that is not negative, or a `CorpusError` that names the line."""
    value = number_of(text, path, line)
    if value < 0:
        raise CorpusError(f"{path}: line {line}: {text} s is before the recording; correct it")
    return value


def _text_lines(path: Path) -> list[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: is no text in UTF-8; save it as that") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
    return _kept(text)


def _kept(text: str) -> list[tuple[int, str]]:
    return [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]


def _sign_in(line: str) -> str:
    return next((sign for sign in SIGNS if sign in line), BLANKS)


def _makes_times(line: str, sign: str) -> bool:
    if sign not in line.strip():
        return False
    cells = [
        cell.strip().strip('"') for cell in (line.split() if sign == BLANKS else line.split(sign))
    ]
    # "0.5 , 60" is parted by the comma.
    bare = sign != BLANKS or not any(cell.startswith(",") for cell in cells)
    return bare and (_is_number(cells[0]) or DECIMAL_COMMA.fullmatch(cells[0]) is not None)


def _parted(lines: Sequence[tuple[int, str]], sign: str, path: Path) -> list[Line]:
    if sign == BLANKS:
        return [(number, line.split()) for number, line in lines]
    return [(number, _cells(line, sign, path, number)) for number, line in lines]


def _cells(text: str, sign: str, path: Path, line: int) -> list[str]:
    try:
        (cells,) = csv.reader([text], delimiter=sign, skipinitialspace=True, strict=True)
    except csv.Error as error:
        raise CorpusError(
            f"{path}: line {line}: a quoted cell does not end with its quotes; correct it"
        ) from error
    return [cell.strip() for cell in cells]


def _names_columns(cells: Sequence[str]) -> bool:
    """Whether cells where times should stand are names; O.512 is a time with a typing error."""
    return all(
        any(map(str.isalpha, cell)) and not any(map(str.isdigit, cell)) and not _is_number(cell)
        for cell in cells
    )


def _refuse_decimal_commas(lines: Sequence[Line], path: Path, times: int, needed: int) -> None:
    """Of 0,512 nobody can tell whether it is half a second, or a pitch at 0 s."""
    if any("." in cell and _is_number(cell) for _, cells in lines for cell in cells):
        return
    for line, cells in lines:
        if len(cells) > needed and all(cell.isdecimal() for cell in cells[: times + 1]):
            whole, part = cells[:2]
            raise CorpusError(
                f"{path}: line {line}: {whole},{part} looks like a decimal comma; write "
                f"{whole}.{part}, or {whole}.0,{part} if {whole} s is meant"
            )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
