"""Boards, and whether a network fits one: its file in flash, its arena in RAM."""

import os
from dataclasses import dataclass
from typing import get_type_hints

from mirtrim.analysis.config_files import TEXT, list_of, mapping_of, read_checked
from mirtrim.utils.errors import ConfigError


@dataclass(frozen=True)
class Board:
    """One board of `config/boards.yaml`.

    Attributes:
        name, part: common name, and the exact part that the numbers refer to.
        flash_bytes, ram_bytes: non-volatile and volatile memory.
        clock_hz: of one core.
        weights_in_ram: whether the file is loaded into RAM rather than read in place.
        source: documentation of the three numbers.
        reserved_flash_bytes, reserved_ram_bytes: memory used by everything except the network.
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


def lacking(board: Board, flash_bytes: int, arena_bytes: int) -> tuple[str, ...]:
    """The memories of `board`, of "flash" and "RAM", that are too small for a network.

    Args:
        flash_bytes: size of the network's file, weights and layers.
        arena_bytes: RAM that the interpreter needs to run it.
    """
    ram_bytes = arena_bytes + (flash_bytes if board.weights_in_ram else 0)
    short = {
        "flash": flash_bytes > board.network_flash_bytes,
        "RAM": ram_bytes > board.network_ram_bytes,
    }
    return tuple(memory for memory, is_short in short.items() if is_short)


KINDS = {str: TEXT, bool: {"type": "boolean"}, int: {"type": "integer", "minimum": 1}}
RESERVED = {"type": "integer", "minimum": 0}
SCHEMA = list_of(
    mapping_of(
        {
            name: RESERVED if name.startswith("reserved_") else KINDS[kind]
            for name, kind in get_type_hints(Board).items()
        }
    )
)


def read_boards(path: str | os.PathLike[str]) -> list[Board]:
    """The boards of a YAML file, in its order.

    Raises:
        ConfigError: the file is missing or is not a list of boards; names board and key.
    """
    boards = [Board(**entry) for entry in read_checked(path, SCHEMA)]
    names = [board.name for board in boards]
    for board in boards:
        if names.count(board.name) > 1:
            raise ConfigError(f"{path}: two boards are called {board.name!r}; rename one")
        left = {"flash": board.network_flash_bytes, "ram": board.network_ram_bytes}
        for memory, count in left.items():
            if count <= 0:
                raise ConfigError(
                    f"{path}: key {board.name}.reserved_{memory}_bytes: leaves nothing for a "
                    "network; lower it"
                )
    return boards
