"""Boards, and whether a network fits one: its file in flash, its arena in RAM."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mirtrim.utils.errors import ConfigError

TEXT = ("name", "part", "source", "flash_reserve_reason", "ram_reserve_reason")
POSITIVE = ("flash_bytes", "ram_bytes", "clock_hz")  # the other numbers may be 0


@dataclass(frozen=True)
class Board:
    """One board of `config/boards.yaml`.

    Attributes:
        name, part: what people call it, and the exact part that the numbers are of.
        flash_bytes, ram_bytes: memory that keeps its content without power, and that does not.
        clock_hz: of one core.
        weights_in_ram: whether the file is loaded into RAM rather than read in place.
        source: where the three numbers stand.
        reserved_flash_bytes, reserved_ram_bytes: what everything but the network takes.
        flash_reserve_reason, ram_reserve_reason: why so much.
    """

    name: str
    part: str
    flash_bytes: int
    ram_bytes: int
    clock_hz: int
    weights_in_ram: bool
    source: str
    reserved_flash_bytes: int
    flash_reserve_reason: str
    reserved_ram_bytes: int
    ram_reserve_reason: str

    @property
    def network_flash_bytes(self) -> int:
        """Flash that is left for a network's file."""
        return self.flash_bytes - self.reserved_flash_bytes

    @property
    def network_ram_bytes(self) -> int:
        """RAM that is left for a network."""
        return self.ram_bytes - self.reserved_ram_bytes


@dataclass(frozen=True)
class Fit:
    """Whether a network fits a board; a `Fit` is true if it does.

    Attributes:
        lacking: the memories that are too small, of "flash" and "RAM".
        reason: one line that compares need and supply, in bytes.
    """

    lacking: tuple[str, ...]
    reason: str

    def __bool__(self) -> bool:
        return not self.lacking


def fits(board: Board, flash_bytes: int, arena_bytes: int) -> Fit:
    """Whether a network fits `board` in flash and in RAM.

    Args:
        flash_bytes: size of the network's file, weights and layers.
        arena_bytes: RAM that the interpreter needs to run it.
    """
    ram_bytes = arena_bytes + (flash_bytes if board.weights_in_ram else 0)
    pairs = {
        "flash": (flash_bytes, board.network_flash_bytes),
        "RAM": (ram_bytes, board.network_ram_bytes),
    }
    lacking = tuple(name for name, (need, left) in pairs.items() if need > left)
    compared = ", ".join(
        f"{name} {need:,} of {left:,} bytes" for name, (need, left) in pairs.items()
    )
    verdict = f"lacks {' and '.join(lacking)}" if lacking else "fits"
    return Fit(lacking, f"{board.name}: {verdict} ({compared})")


def read_boards(path: str | os.PathLike[str]) -> list[Board]:
    """The boards of a YAML file, in its order.

    Raises:
        ConfigError: the file is missing or no list of boards; it names board and key.
    """
    import yaml  # only this function needs it, and the library does not depend on it

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); give a file of boards") from error
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML ({reason}); mend it") from error
    if not isinstance(content, list) or not content:
        raise ConfigError(f"{path}: expected a list of boards; see config/boards.yaml")
    boards = [_board(path, number, entry) for number, entry in enumerate(content, start=1)]
    names = [board.name for board in boards]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"{path}: two boards are called {twice[0]!r}; rename one")
    return boards


def _board(path: str | os.PathLike[str], number: int, entry: Any) -> Board:
    if not isinstance(entry, dict):
        raise ConfigError(f"{path}: board {number} is no mapping of keys; see config/boards.yaml")
    where = f"{path}: board {entry.get('name', number)!r}"
    known = [field.name for field in fields(Board)]
    for key in [*entry, *known]:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
        if key not in entry:
            raise ConfigError(f"{where}: key {key!r} is missing")
        problem = _problem(key, entry[key])
        if problem:
            raise ConfigError(f"{where}: key {key!r} is {entry[key]!r}, must be {problem}")
    board = Board(**entry)
    for memory, left in (("flash", board.network_flash_bytes), ("ram", board.network_ram_bytes)):
        if left <= 0:
            raise ConfigError(
                f"{where}: reserved_{memory}_bytes leave nothing for a network; lower them"
            )
    return board


def _problem(key: str, value: Any) -> str:
    """What `value` ought to be; empty if it is."""
    if key in TEXT:
        return "" if isinstance(value, str) and value.strip() else "a text"
    if key == "weights_in_ram":
        return "" if isinstance(value, bool) else "true or false"
    least = 1 if key in POSITIVE else 0
    whole = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return "" if whole else f"a whole number of at least {least}"
