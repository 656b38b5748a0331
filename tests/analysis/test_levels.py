"""Error, calibration and rare classes level by level: made-up rows with literal answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mirtrim.analysis.figures.levels import draw_calibration_of_levels, draw_groups_of_classes
from mirtrim.analysis.levels import (
    CALIBRATION,
    GROUPS,
    GROUPS_NOTE,
    class_errors,
    level_table,
    read_groups,
    read_inspected,
    with_groups,
    write_levels,
)
from mirtrim.runs.measured_rows import Inspection, write_measured
from mirtrim.tasks.flaws import frequent_first
from mirtrim.utils.errors import ArtefactError
from tests.analysis.test_calibration import inspection

CLASSES = ["a", "b", "c", "d"]
TRIM = "trim_magnitude_local_rewind"


def confusion(**right: float) -> str:
    """Of ten tracks of each class so many are called right, the others "a" (or "b")."""
    found = {f"confusion/{name}/{name}": value for name, value in right.items()}
    for name, value in right.items():
        found[f"confusion/{name}/{'b' if name == 'a' else 'a'}"] = 10 - value
    return json.dumps({"accuracy": 0.5, **found})


def test_errors_of_classes_by_hand() -> None:
    found = class_errors(confusion(a=10, b=7, c=0), ["a", "b", "c", "d"])
    assert found[["a", "b", "c"]].tolist() == pytest.approx([0.0, 0.3, 1.0])
    assert np.isnan(found["d"])
    with pytest.raises(ArtefactError, match="one class per track"):
        class_errors('{"majmin": 0.9}', CLASSES)


def rows() -> pd.DataFrame:
    """Six classes from frequent to rare: thirds of two."""
    told = [
        ("dense", 1.0, 0, confusion(a=9, b=9, c=8, d=8, e=6, f=4)),
        (TRIM, 4.0, 0, confusion(a=8, b=8, c=8, d=8, e=4, f=0)),
        ("dense", 1.0, 1, confusion(a=9, b=9, c=8, d=8, e=6, f=6)),
        (TRIM, 4.0, 1, confusion(a=7, b=7, c=8, d=8, e=4, f=2)),
    ]
    return pd.DataFrame(
        [
            {"task": "instrument", "study": "s", "run": run, "seed": seed, "target_ratio": ratio,
             "ratio": ratio, "test_error": 0.25, "scores": scores, "level_imbalance": 20.0,
             "variant": json.dumps({"imbalance": 20})}
            for run, ratio, seed, scores in told
        ]
    )  # fmt: skip


def test_groups_by_hand() -> None:
    found = with_groups(rows(), [*"abcdef"])
    assert found.frequent_error.tolist() == pytest.approx([0.1, 0.2, 0.1, 0.3])
    assert found.rare_error.tolist() == pytest.approx([0.5, 0.8, 0.4, 0.7])
    # Rare ones rise by 0.3 and 0.3, frequent ones by 0.1 and 0.2.
    assert found.forgets_rare.tolist() == pytest.approx([0.0, 0.2, 0.0, 0.1])


def test_the_order_of_the_classes_says_which_are_rare() -> None:
    found = with_groups(rows(), [*"fbacde"])
    # Frequent f and b, rare d and e.
    assert found.frequent_error.tolist() == pytest.approx([0.35, 0.6, 0.25, 0.55])
    assert found.rare_error.tolist() == pytest.approx([0.3, 0.4, 0.3, 0.4])


def test_without_a_dense_network_nobody_knows_what_is_forgotten() -> None:
    found = with_groups(rows().iloc[1:], [*"abcdef"])
    assert np.isnan(found.forgets_rare.iloc[0])
    assert found.forgets_rare.iloc[2] == pytest.approx(0.1)


def variant(values: dict[str, float], rare: dict[str, Any] | None) -> dict[str, Any]:
    training = {"rare_classes": rare}
    block = {"features": {"classes": [*"abcdef"]}, "training": training}
    return {"task": "instrument", "study": ["s"], "values": values, "block": block, "rows": "-"}


def test_equal_classes_are_told_in_the_order_of_the_rare_ones() -> None:
    seven = frequent_first([*"abcdef"], 7)
    assert seven != frequent_first([*"abcdef"])
    lines = pd.concat(
        [rows(), rows().assign(level_imbalance=1.0, variant=json.dumps({"imbalance": 1}))]
    )
    found = read_groups(
        lines,
        {
            "one": variant({"imbalance": 1}, None),
            "other": variant({"imbalance": 20}, {"factor": 20, "order": 7}),
        },
    )
    expected = with_groups(rows(), seven)
    for _, part in found.groupby("level_imbalance"):
        assert part.rare_error.tolist() == expected.rare_error.tolist()
    assert len(found) == 8
    with pytest.raises(ArtefactError, match="no rows"):
        read_groups(lines, {"none": variant({"imbalance": 3}, None)})


def test_without_an_order_the_classes_become_rarer_as_they_always_do() -> None:
    """Also where no variant has rare classes, and there is no order that could be told."""
    usual = with_groups(rows(), frequent_first([*"abcdef"])).rare_error.tolist()
    assert usual != with_groups(rows(), frequent_first([*"abcdef"], 1)).rare_error.tolist()
    for rare in ({"factor": 20}, None):
        found = read_groups(rows(), {"one": variant({"imbalance": 20}, rare)})
        assert found.rare_error.tolist() == usual


def test_inspections_of_variants_say_of_which_level_they_are(tmp_path: Path) -> None:
    """Of one variant there is a table, of one a job's file, of one nothing was trained so far."""
    names = {"few": 0.1, "more": 0.4, "none": 0.8}
    table, file = tmp_path / "few.csv", tmp_path / "more" / "dense_seed0.csv"
    file.parent.mkdir()
    for path, error in ((table, 0.25), (file, 0.5)):
        kept = Inspection(**inspection("dense", 0, 1.0, error))
        write_measured(path, [kept, Inspection(**inspection("dense", 1, 1.0, error))])
    variants = {
        f"chord-{name}": {"task": "chord", "values": {"noise": value}, "rows": name}
        for name, value in names.items()
    }
    jobs = {"few": ["dense_seed0"], "more": ["dense_seed0", "dense_seed1"], "none": []}
    found = read_inspected(variants, jobs, [table], [file])
    assert found.run.tolist() == ["dense"] * 3
    assert found.level_noise.tolist() == [0.1, 0.4, 0.4]
    assert found.calibration_error.tolist() == [0.25, 0.5, 0.5]
    assert found.index.tolist() == [0, 1, 2]
    with pytest.raises(ArtefactError, match="no network of the study has been inspected"):
        read_inspected(variants, {"none": []}, [table], [file])
    with pytest.raises(ArtefactError, match="chord/dense_seed7: no rows of this job"):
        read_inspected(variants, {"few": ["dense_seed7"]}, [table], [file])


def test_the_table_and_its_page_by_hand(tmp_path: Path) -> None:
    table = level_table(with_groups(rows(), [*"abcdef"]), GROUPS)
    assert table.run.tolist() == ["dense", TRIM]
    assert list(table.columns[:5]) == ["task", "imbalance", "run", "target_ratio", "seeds"]
    trim = table.iloc[1]
    assert (trim.seeds, trim.ratio, trim.imbalance) == (2, 4.0, 20.0)
    assert trim.rare_error_mean == pytest.approx(0.75)
    assert trim.rare_error_deviation == pytest.approx(0.05 * 2**0.5)
    write_levels(table, GROUPS, GROUPS_NOTE, tmp_path / "g.csv", tmp_path / "g.md")
    head, _, dense, line, *_ = (tmp_path / "g.md").read_text().splitlines()
    assert head.startswith("| task | imbalance | run | seeds | ratio | error | frequent third |")
    assert dense.startswith("| instrument | 20 | dense | 2 | 1.00 |")
    assert "| 0.250 ± 0.071 | 0.750 ± 0.071 | 0.150 ± 0.071 |" in line
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "g.csv"), table, rtol=1e-5, check_dtype=False
    )


def inspected() -> pd.DataFrame:
    lines = [
        {"task": task, "run": run, "seed": seed, "target_ratio": ratio, "ratio": ratio,
         "level_noise": noise, "test_error": 0.1 + noise + ratio / 100 + seed / 100,
         "calibration_error": noise / 2, "overconfidence": -noise}
        for task in ("chord", "instrument")
        for noise in (0.0, 0.4)
        for run, ratio in (("dense", 1.0), (TRIM, 4.0), (TRIM, 16.0))
        for seed in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def labels(figure: Figure) -> set[str]:
    return {text.get_text() for legend in figure.legends for text in legend.get_texts()}


def test_a_line_for_every_level_begins_at_its_dense_networks() -> None:
    figure = draw_calibration_of_levels(inspected())
    assert labels(figure) == {"noise 0", "noise 0.4"}
    error, _, ece, _ = figure.axes
    assert error.get_title(loc="left").startswith("chord, trim")
    drawn = {line.get_label(): line for line in error.get_lines()}
    assert drawn["noise 0.4"].get_xdata().tolist() == [1.0, 4.0, 16.0]
    assert drawn["noise 0.4"].get_ydata().tolist() == pytest.approx([0.515, 0.545, 0.665])
    assert ece.get_lines()[1].get_ydata().tolist() == pytest.approx([0.2] * 3)
    with pytest.raises(ArtefactError, match="no compressed network"):
        draw_calibration_of_levels(inspected()[lambda lines: lines.run == "dense"])
    table = level_table(inspected(), CALIBRATION)
    assert len(table) == 2 * 2 * 3
    assert table.overconfidence_mean.iloc[-1] == -0.4


def test_groups_of_classes_are_drawn_in_a_panel_per_level() -> None:
    lines = with_groups(rows(), [*"abcdef"])
    figure = draw_groups_of_classes(
        pd.concat([lines, lines.assign(level_imbalance=1.0)], ignore_index=True)
    )
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["imbalance 1", "imbalance 20"]
    rare, _, frequent = figure.axes[1].get_lines()
    assert rare.get_ydata().tolist() == pytest.approx([0.45, 0.75])
    assert frequent.get_ydata().tolist() == pytest.approx([0.1, 0.25])
