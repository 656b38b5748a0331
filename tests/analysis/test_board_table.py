"""The least compressed network that fits, with planted sizes and errors."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.board_table import board_table, sentence, write_board_table
from mirtrim.analysis.boards import Board
from mirtrim.utils.errors import ArtefactError


def board(name: str, flash: int, ram: int) -> Board:
    return Board(name, "x", flash + 50, ram + 10, 1, False, "s", 50, "r", 10, "r")


def network(
    ratio: float, seed: int, flash: int, arena: float, error: float, variant: str = "fp32"
) -> dict[str, object]:
    return {
        "task": "drums",
        "method": "dense" if ratio == 1 else "trim",
        "target_ratio": ratio,
        "ratio": 1.0 if ratio == 1 else ratio + seed / 100,
        "seed": seed,
        "variant": variant,
        "flash_bytes": flash,
        "arena_bytes": arena,
        "test_error": error,
    }


ROWS = pd.DataFrame(
    [
        network(1, 0, 4000, 400, 0.30),
        network(1, 1, 4000, 400, 0.32),
        network(4, 0, 1000, 200, 0.40),
        network(4, 1, 1004, 200, 0.44),
        network(16, 0, 250, 180, 0.50),
        network(16, 1, 250, 190, 0.60),
        network(1, 0, 1000, 100, 0.31, "int8"),
        network(1, 1, 1000, 100, 0.33, "int8"),
    ]
)
BOARDS = [
    board("roomy", 4000, 400),
    board("flashy", 1003, 400),
    board("both", 1004, 200),
    board("tiny", 249, 190),
]


def line(table: pd.DataFrame, **keys: str) -> pd.Series:
    for name, value in keys.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("roomy", [1, 1.0, 4000, 400, "-", 2]),
        # The second seed's file at ratio 4 is one byte too long; its arena is no matter.
        ("flashy", [16, 16.01, 250, 190, "flash", 2]),
        ("both", [4, 4.01, 1004, 200, "flash and RAM", 2]),
    ],
)
def test_least_compression_that_fits_for_all_seeds(name: str, expected: list[object]) -> None:
    chosen = line(board_table(ROWS, BOARDS), board=name, variant="fp32")
    columns = ["target_ratio", "ratio", "flash_bytes", "arena_bytes", "binding", "seeds"]
    assert chosen[columns].tolist() == expected


def test_errors_are_means_and_sample_deviations() -> None:
    table = board_table(ROWS, BOARDS)
    chosen = line(table, board="both", variant="fp32")
    assert chosen.test_error_mean == pytest.approx(0.42)
    assert chosen.test_error_deviation == pytest.approx(0.04 / 2**0.5)
    assert chosen.dense_error_mean == pytest.approx(0.31)
    assert chosen.dense_error_deviation == pytest.approx(0.02 / 2**0.5)
    # What int8 costs is seen beside the fp32 network, not beside itself.
    int8 = line(table, board="both", variant="int8")
    assert (int8.test_error_mean, int8.dense_error_mean) == pytest.approx((0.32, 0.31))


def test_none_fits_names_what_the_most_compressed_lack() -> None:
    chosen = line(board_table(ROWS, BOARDS), board="tiny", variant="fp32")
    assert pd.isna(chosen.ratio)
    assert (chosen.seeds, chosen.binding) == (0, "flash")


def test_a_ratio_without_all_seeds_does_not_count() -> None:
    less = ROWS.drop(index=3)  # ratio 4, seed 1
    assert line(board_table(less, BOARDS), board="both", variant="fp32").target_ratio == 16


def test_masks_without_an_arena_are_left_out() -> None:
    mask = ROWS[ROWS.target_ratio == 4].assign(method="mask", arena_bytes=float("nan"))
    table = board_table(pd.concat([ROWS, mask]), BOARDS)
    pd.testing.assert_frame_equal(table, board_table(ROWS, BOARDS))


def test_each_method_begins_with_the_dense_network() -> None:
    mask = ROWS[ROWS.target_ratio == 4].assign(method="mask", flash_bytes=4000, arena_bytes=400)
    table = board_table(pd.concat([ROWS, mask]), BOARDS)
    assert line(table, method="mask", board="roomy", variant="fp32").target_ratio == 1
    assert pd.isna(line(table, method="mask", board="both", variant="fp32").target_ratio)


def test_sentences() -> None:
    said = [sentence(row) for _, row in board_table(ROWS, BOARDS).iterrows()]
    assert said[0] == (
        "drums on roomy in fp32: the dense network fits and has error 0.310 ± 0.014 "
        "(in fp32 0.310 ± 0.014)."
    )
    assert said[2] == (
        "drums on both in fp32: the least compressed trim network that fits has ratio 4.01 and "
        "error 0.420 ± 0.028 (dense 0.310 ± 0.014); for want of flash and RAM."
    )
    assert said[3] == (
        "drums on tiny in fp32: none of the trim networks fits, for want of flash "
        "(dense error 0.310 ± 0.014)."
    )


def test_what_is_written(tmp_path: Path) -> None:
    paths = [tmp_path / f"boards.{ending}" for ending in ("csv", "md", "tex")]
    table = board_table(ROWS, BOARDS)
    write_board_table(table, *paths)
    assert len(table) == 2 * 4
    read = pd.read_csv(paths[0])
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)
    markdown = paths[1].read_text()
    assert (
        "| drums | trim | fp32 | both | 4.01 | 1,004 | 200 | flash and RAM | 0.420 ± 0.028 | "
        "0.310 ± 0.014 |"
    ) in markdown
    assert "| tiny | none fits | – | – | flash | – | 0.310 ± 0.014 |" in markdown
    assert "* drums on tiny in fp32: none of" in markdown
    latex = paths[2].read_text()
    assert r"both & 4.01 & 1,004 & 200 & flash and RAM & 0.420 $\pm$ 0.028 &" in latex
    assert latex.count(r"\\") == 1 + 8


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ArtefactError, match="lack the column 'arena_bytes'"):
        board_table(ROWS.drop(columns="arena_bytes"), BOARDS)
    with pytest.raises(ArtefactError, match="'drums' has no dense fp32 network"):
        board_table(ROWS[ROWS.target_ratio > 1], BOARDS)
