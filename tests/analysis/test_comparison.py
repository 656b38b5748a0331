"""Runs beside each other at one ratio: the numbers by hand."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.comparison import comparison, draw_comparison, write_comparison
from tests.analysis.figures.rows import ROWS


def test_runs_stand_in_the_order_of_their_errors_behind_the_dense_network() -> None:
    found = comparison(ROWS, [4])
    assert found.run.tolist() == ["dense", "mask", "trim"]
    assert found.target_ratio.tolist() == [4, 4, 4]
    expected = {
        "ratio": [1, 4, 4.2],
        "speed_up_theoretical": [1, 1, 4],
        "test_error_mean": [0.15, 0.125, 0.35],
        "test_error_deviation": [0.0707107, 0.0353553, 0.0707107],
        # of the same seed: mask 0.1 − 0.2 and 0.15 − 0.1; trim 0.4 − 0.2 and 0.3 − 0.1
        "difference_mean": [0, -0.025, 0.2],
        "difference_deviation": [0, 0.106066, 0],
        "cost": [1, 2, 2],
    }
    for column, values in expected.items():
        assert found[column].tolist() == pytest.approx(values, abs=1e-6), column


def test_a_ratio_that_no_run_was_asked_for_gives_way_to_the_nearest() -> None:
    assert comparison(ROWS, [2, 16]).target_ratio.unique().tolist() == [2, 4]
    pd.testing.assert_frame_equal(comparison(ROWS, [4, 16]), comparison(ROWS, [4]))


def test_without_runs_the_dense_network_stands_alone() -> None:
    dense = comparison(ROWS[ROWS.method == "dense"], [4])
    assert dense.run.tolist() == ["dense"]


def test_files(tmp_path: Path) -> None:
    table = comparison(ROWS, [2, 16])
    csv, markdown, svg = (tmp_path / f"a.{kind}" for kind in ("csv", "md", "svg"))
    write_comparison(table, csv, markdown)
    draw_comparison(table, "onset", [svg])
    assert len(table) == 5  # dense and trim at 2; dense, mask and trim at 4
    written = table.drop(columns="machines")
    pd.testing.assert_frame_equal(pd.read_csv(csv), written, rtol=1e-5, check_dtype=False)
    text = markdown.read_text()
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["## Ratio 2", "## Ratio 4"]
    assert "| trim | 2 | 4.20 | 0.350 ± 0.071 | 0.200 ± 0.000 | 4.00 | 1 | 2.00 |" in text
    assert "of several kinds of processor" not in text
    assert svg.read_bytes().startswith(b"<?xml")


def test_a_run_with_fewer_seeds_says_so(tmp_path: Path) -> None:
    fewer = comparison(ROWS[(ROWS.method != "mask") | (ROWS.seed == 0)], [4])
    write_comparison(fewer, tmp_path / "a.csv", tmp_path / "a.md")
    cells = [line.split(" | ")[:2] for line in (tmp_path / "a.md").read_text().splitlines()]
    assert ["| mask", "1"] in cells
    assert ["| trim", "2"] in cells
    draw_comparison(fewer, "onset", [tmp_path / "a.svg"])
    drawn = (tmp_path / "a.svg").read_text()
    assert "mask [1 of 2 seeds]" in drawn
    assert "trim [" not in drawn


def test_rows_of_another_processor_are_named(tmp_path: Path) -> None:
    mixed = ROWS.assign(machine=ROWS.method.map({"trim": "this one"}).fillna("that one"))
    write_comparison(comparison(mixed, [4]), tmp_path / "a.csv", tmp_path / "a.md")
    lines = (tmp_path / "a.md").read_text().splitlines()
    assert "several kinds of processor" in lines[-4]
    assert lines[-2:] == ["* that one: dense, mask", "* this one: trim"]
    half = ROWS.machine.where(ROWS.seed == 0, "that one")
    both = comparison(ROWS.assign(machine=half), [4]).machines
    assert set(both) == {" | ".join(sorted([ROWS.machine.iloc[0], "that one"]))}
