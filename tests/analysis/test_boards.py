"""Boards are read strictly; a network fits where flash and RAM both suffice, to the byte."""

from pathlib import Path

import pytest
import yaml

from mirtrim.analysis.boards import Board, lacking, read_boards
from mirtrim.utils.errors import ConfigError

BOARDS = Path(__file__).parents[2] / "config" / "boards.yaml"
KEYS = {
    "name": "Toy",
    "part": "T1",
    "flash_bytes": 1000,
    "ram_bytes": 300,
    "clock_hz": 8,
    "weights_in_ram": False,
    "source": "toy datasheet",
    "reserved_flash_bytes": 400,
    "flash_reserve_reason": "program",
    "reserved_ram_bytes": 100,
    "ram_reserve_reason": "stack",
}


def board(**changes: object) -> Board:
    return Board(**{**KEYS, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("flash", "arena", "short"),
    [
        (600, 200, ()),
        (601, 200, ("flash",)),
        (600, 201, ("RAM",)),
        (601, 201, ("flash", "RAM")),
    ],
)
def test_both_memories_count_to_the_byte(flash: int, arena: int, short: tuple[str, ...]) -> None:
    assert lacking(board(), flash, arena) == short


def test_weights_that_are_loaded_take_ram_too() -> None:
    linux = board(weights_in_ram=True)
    assert lacking(linux, 150, 50) == ()
    assert lacking(linux, 151, 50) == ("RAM",)


def test_the_committed_boards() -> None:
    boards = {b.name: b for b in read_boards(BOARDS)}
    assert list(boards) == [
        "Arduino Nano 33 BLE",
        "ESP32-S3",
        "STM32H7",
        "Raspberry Pi Zero 2 W",
        "Raspberry Pi 4",
    ]
    nano = boards["Arduino Nano 33 BLE"]
    assert (nano.flash_bytes, nano.ram_bytes) == (2**20, 2**18)
    # The bootloader leaves 983 040 bytes; the reserve must hold it and a program.
    assert nano.reserved_flash_bytes > 2**20 - 983_040
    assert lacking(nano, 3_815_152, 81_248)  # the dense drums network in fp32


def test_keys_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "boards.yaml"
    for changes, message in (
        ({"ram_bytes": "300"}, r"boards.yaml: key Toy.ram_bytes: '300' is not of type 'int"),
        ({"ram_bytes": True}, "key Toy.ram_bytes: True is not of type 'integer'"),
        ({"clock_hz": 0}, "key Toy.clock_hz: 0 is less than the minimum of 1"),
        ({"reserved_ram_bytes": -1}, "key Toy.reserved_ram_bytes: -1 is less than the minimum"),
        ({"source": " "}, "key Toy.source: ' ' does not match"),
        ({"weights_in_ram": 0}, "key Toy.weights_in_ram: 0 is not of type 'boolean'"),
        ({"ram": 1}, "key Toy: .*'ram' was unexpected"),
        ({"reserved_ram_bytes": 300}, "key Toy.reserved_ram_bytes: leaves nothing"),
    ):
        path.write_text(yaml.safe_dump([{**KEYS, **changes}]))
        with pytest.raises(ConfigError, match=message):
            read_boards(path)
    path.write_text(yaml.safe_dump([{k: v for k, v in KEYS.items() if k != "source"}]))
    with pytest.raises(ConfigError, match="key Toy: 'source' is a required property"):
        read_boards(path)
    path.write_text(yaml.safe_dump([KEYS, KEYS]))
    with pytest.raises(ConfigError, match="two boards are called 'Toy'"):
        read_boards(path)


@pytest.mark.parametrize("text", ["", "[]", "a: 1", "- 3", "[", "\tx: ]"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "boards.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="boards.yaml") as caught:
        read_boards(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_boards(tmp_path / "missing.yaml")
