"""Rows are checked, tables are means and sample deviations, figures repeat byte for byte."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.curves import draw_error_curve, draw_overview
from mirtrim.analysis.markup import mean_and_deviation
from mirtrim.analysis.tables import summary_table, write_summary
from mirtrim.runs.rows import Row, read_rows, write_rows
from mirtrim.utils.errors import ArtefactError


def row(**changes: object) -> Row:
    blank = dict(
        profile="test", task="onset", corpus="mini", method="dense", criterion="-", scope="-",
        scale="-", order="-", reset="-", reference="-", budget="parameters",
        seed=0, round=0, target_ratio=1.0, ratio=1.0, parameters=100, nonzeros=100,
        macs=1000, bytes_raw=400, bytes_gzip=350, peak_activation_bytes=64,
        validation_error=0.2, test_error=0.2, scores='{"f_measure": 0.8}', epochs=3, best_epoch=2,
        train_seconds=1.0, training_macs=3000, trainings=1,
        total_train_seconds=1.0, total_training_macs=3000, equivalence_difference=-1.0,
        diagnostics="{}",
        code_digest="c", data_digest="d", config_digest="f", versions="v", machine="m",
    )  # fmt: skip
    return Row(**{**blank, **changes})  # type: ignore[arg-type]


def trimmed(seed: int, error: float, ratio: float = 2.0, asked: float = 2.0) -> Row:
    return row(
        method="trim", criterion="magnitude", scope="local", scale="max", reset="rewind",
        seed=seed, round=1, target_ratio=asked, ratio=ratio, parameters=50, nonzeros=50, macs=250,
        test_error=error,
    )  # fmt: skip


ROWS = [
    row(seed=0, test_error=0.2),
    row(seed=1, test_error=0.1),
    trimmed(0, 0.3),
    trimmed(1, 0.2, ratio=2.1),
]


def test_round_trip(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ROWS[:2])
    write_rows(tmp_path / "b.csv", ROWS[2:])
    table = read_rows([tmp_path / "b.csv", tmp_path / "a.csv"])
    assert table.to_dict("records") == [asdict(r) for r in ROWS]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_error": float("nan")}, "column test_error: nan is not a finite number"),
        ({"parameters": 10.5}, "column parameters: 10.5 is not an integer"),
        ({"task": 3}, "column task: 3 is not text"),
        ({"nonzeros": 101}, "101 non-zeros of 100 parameters"),
        ({"scores": "[]"}, "scores: not a JSON object"),
    ],
)
def test_a_bad_row_cannot_be_made(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        row(**changes)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_rows(path, ROWS)
    text = path.read_text()
    for damaged in (
        text[:40],
        text.replace("test_error", "tset_error"),
        text.replace("0.3", "x"),
        "",
    ):
        path.write_text(damaged)
        with pytest.raises(ArtefactError, match=r"rows.csv does not hold result rows"):
            read_rows([path])


def test_means_and_sample_deviations_by_hand(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ROWS)
    table = summary_table(read_rows([tmp_path / "a.csv"]))
    assert table.method.tolist() == ["dense", "trim"]
    assert table.index.tolist() == [0, 1]
    trim = table.iloc[1]
    assert trim.seeds == 2
    assert trim.ratio == pytest.approx(2.05)
    assert trim.test_error_mean == pytest.approx(0.25)
    assert trim.test_error_deviation == pytest.approx(0.1 / np.sqrt(2))  # n − 1
    # 0.3 / 0.2 and 0.2 / 0.1, paired by seed.
    assert trim.relative_error_mean == pytest.approx(1.75)
    assert trim.relative_error_deviation == pytest.approx(0.5 / np.sqrt(2))
    assert trim.speed_up_theoretical == pytest.approx(4.0)


def test_lines_stand_in_one_order_whatever_that_of_the_rows() -> None:
    rows = pd.DataFrame([asdict(r) for r in [trimmed(0, 0.5, 4.0, 4.0), *ROWS[::-1]]])
    table = summary_table(rows)
    assert table[["method", "target_ratio"]].to_numpy().tolist() == [
        ["dense", 1.0], ["trim", 2.0], ["trim", 4.0]
    ]  # fmt: skip
    assert table.index.tolist() == [0, 1, 2]


def test_runs_that_differ_in_their_order_alone_are_told_apart() -> None:
    shuffled = [replace(r, order="shuffled") for r in (trimmed(0, 0.4), trimmed(1, 0.5))]
    usual = [replace(r, order="lowest_first") for r in ROWS[2:]]
    table = summary_table(pd.DataFrame([asdict(r) for r in [*ROWS[:2], *shuffled, *usual]]))
    assert table.columns[:6].tolist() == ["method", "criterion", "scope", "scale", "order", "reset"]
    assert table[["method", "order", "target_ratio"]].to_numpy().tolist() == [
        ["dense", "-", 1.0], ["trim", "lowest_first", 2.0], ["trim", "shuffled", 2.0]
    ]  # fmt: skip
    assert table.test_error_mean.tolist() == pytest.approx([0.15, 0.25, 0.45])


def test_the_table_is_written_for_programs_and_for_readers(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", ROWS)
    table = summary_table(read_rows([tmp_path / "a.csv"]))
    paths = [tmp_path / f"table.{ending}" for ending in ("csv", "md", "html")]
    write_summary(table, *paths)
    text, markdown, html = (path.read_text(encoding="utf-8") for path in paths)
    assert text.startswith("method,")  # no numbers of lines
    assert pd.read_csv(paths[0]).test_error_mean.tolist() == pytest.approx([0.15, 0.25])
    head, rule, _, line = markdown.splitlines()[:4]
    assert head.startswith("| method | criterion | scope | reset | seeds | ratio |")
    assert rule == "|" + " --- |" * 4 + " ---: |" * 8
    assert "| 2 | 2.05 |" in line
    assert "| 0.250 ± 0.071 | 1.750 ± 0.354 |" in line
    assert "<td>0.250 ± 0.071</td>" in html
    assert "<th>0</th>" not in html
    assert 'border="1"' not in html
    assert "sample deviation over seeds" in html


def test_one_seed_has_no_deviation() -> None:
    assert mean_and_deviation(0.5, float("nan")) == "0.500"


def test_figures_are_the_same_bytes_twice(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.csv", [*ROWS, replace(trimmed(0, 0.5, 4.0, 4.0), round=2)])
    rows = read_rows([tmp_path / "a.csv"])
    for folder in ("x", "y"):
        draw_error_curve(rows, [tmp_path / folder / f"c.{e}" for e in ("svg", "png", "pdf")])
        draw_overview(rows, [tmp_path / folder / f"o.{e}" for e in ("svg", "png", "pdf")])
    for name in ("c.svg", "c.png", "c.pdf", "o.svg", "o.png", "o.pdf"):
        first, second = (tmp_path / folder / name for folder in "xy")
        assert first.read_bytes() == second.read_bytes()
        assert first.stat().st_size > 2000
