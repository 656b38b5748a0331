"""Tables and pictures of finished networks: made-up inspections with literal answers."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.calibration import calibration_table, worst_pieces, write_calibration
from mirtrim.analysis.figures.inspected import draw_calibration, draw_units, units_table
from mirtrim.runs.measured_rows import Inspection, read_beside, write_measured
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import CHOICES, MASK, TRIM

UNITS = {"dense": {"conv": 8, "linear": 4, "out": 2}, TRIM: {"conv": 4, "linear": 1, "out": 2}}


def inspection(run: str, seed: int, ratio: float, error: float, **columns: object) -> dict:
    own = {
        "task": "chord", "corpus": "mini", **CHOICES[run], "seed": seed, "ratio": ratio,
        "round": int(ratio > 1), "target_ratio": ratio, "parameters": int(64 / ratio),
        "network_digest": "n", "code_digest": "c", "versions": "v", "machine": "m",
        "test_error": 0.1, "judgements": 10, "share_true": 0.9, "calibration_error": error,
        "calibration_error_equal_mass": error, "overconfidence": error, "brier": 0.1,
        "units": json.dumps(UNITS.get(run, UNITS["dense"])),
    } | columns  # fmt: skip
    return vars(Inspection(**own))


def world() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Dense: 0.02 and 0.04; trim at 4: 0.06 and 0.10. Ten pieces score 0, 0.1 … 0.9."""
    rows = [
        inspection("dense", 0, 1.0, 0.02, worst_class="A:min", worst_class_share=0.5),
        inspection("dense", 1, 1.0, 0.04, worst_class="A:min", worst_class_share=0.7),
        inspection(TRIM, 0, 4.0, 0.06, worst_class="N", worst_class_share=0.1),
        inspection(TRIM, 1, 4.0, 0.10, worst_class="N", worst_class_share=0.3),
    ]
    pieces = [
        {
            **{key: line[key] for key in ("task", *RUN_KEYS, "seed", "target_ratio")},
            "track_id": f"piece{n}", "score": n / 10,
        }
        for line in rows for n in range(10)
    ]  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(pieces)


def test_the_worst_tenth_of_the_pieces_and_one_at_least() -> None:
    scores = pd.Series(np.arange(20) / 20)
    assert worst_pieces(scores) == pytest.approx(1 - 0.025)  # of 0 and 0.05
    assert worst_pieces(pd.Series([0.8, 0.3, 0.9])) == pytest.approx(0.7)


def test_the_table_by_hand(tmp_path: Path) -> None:
    table = calibration_table(*world())
    assert table.run.tolist() == ["dense", "trim"]
    dense, trim = table.to_dict("records")
    assert dense["calibration_error_mean"] == pytest.approx(0.03)
    assert dense["calibration_error_deviation"] == pytest.approx(0.02 / np.sqrt(2))
    assert trim["calibration_error_mean"] == pytest.approx(0.08)
    assert trim["worst_pieces_error_mean"] == pytest.approx(1.0)
    assert (dense["worst_class"], trim["worst_class"]) == ("A:min", "N")
    assert trim["worst_class_share_mean"] == pytest.approx(0.2)
    write_calibration(table, tmp_path / "t.csv", tmp_path / "t.md")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[2].startswith("| dense | 1.00 | 0.100 ± 0.000 | 0.030 ± 0.014 |")
    assert "| N |" in lines[3]
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "t.csv"), table, rtol=1e-5, check_dtype=False
    )


def test_a_task_without_classes_has_a_dash(tmp_path: Path) -> None:
    rows, pieces = world()
    rows = rows.assign(worst_class="-", worst_class_share=np.nan)
    write_calibration(calibration_table(rows, pieces), tmp_path / "t.csv", tmp_path / "t.md")
    assert (tmp_path / "t.md").read_text().splitlines()[2].endswith("| – | – |")


def test_shares_of_units_by_hand() -> None:
    table = units_table(world()[0])
    of_seed = table[table.seed == 0]
    assert of_seed.layer.tolist() == ["conv", "linear", "out"]
    assert of_seed.share.tolist() == [0.5, 0.25, 1.0]
    assert set(table.run) == {"trim"}
    lonely = pd.DataFrame([inspection(TRIM, 7, 4.0, 0.1)])
    with pytest.raises(ArtefactError, match="dense network of seed 7 has not been inspected"):
        units_table(lonely)


def test_the_picture_of_units_has_a_line_for_each_layer_that_is_narrowed() -> None:
    figure = draw_units(world()[0])
    panel = next(axes for axes in figure.axes if axes.get_title(loc="left") == "trim")
    lines = {line.get_label(): line.get_ydata().tolist() for line in panel.lines}
    assert lines == {"conv": [0.5], "linear": [0.25]}
    masks = pd.DataFrame([inspection("dense", 0, 1.0, 0.1), inspection(MASK, 0, 4.0, 0.1)])
    with pytest.raises(ArtefactError, match="no inspected network has lost a unit"):
        draw_units(masks)


def test_the_picture_of_calibration_has_a_panel_for_each_task() -> None:
    rows = world()[0]
    figure = draw_calibration(pd.concat([rows, rows.assign(task="pitch")]))
    named = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert named == ["chord", "pitch"]
    trim, dense = figure.axes[0].lines
    assert trim.get_ydata().tolist() == pytest.approx([0.08])
    assert list(dense.get_ydata()) == pytest.approx([0.03, 0.03])
    with pytest.raises(ArtefactError, match="no network has been inspected"):
        draw_calibration(rows[:0])


def test_tables_of_other_profiles_say_whose_they_are(tmp_path: Path) -> None:
    rows = [Inspection(**line) for line in world()[0].to_dict("records")]
    write_measured(tmp_path / "chord.csv", rows)
    found = read_beside(Inspection, {"own": [], "wide": [str(tmp_path / "chord.csv")]})
    assert found.profile.tolist() == ["wide"] * 4
    both = read_beside(Inspection, {name: [str(tmp_path / "chord.csv")] for name in "ab"})
    assert both.profile.tolist() == ["a"] * 4 + ["b"] * 4
    assert both.index.tolist() == list(range(8))
    assert read_beside(Inspection, {"own": []}).empty
