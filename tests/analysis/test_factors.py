"""Contrasts within every variant: made-up rows with literal answers."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.factors import (
    factor_table,
    first_levels,
    level_contrasts,
    write_factors,
    write_level_contrasts,
)
from mirtrim.analysis.figures.levels import draw_errors_at_levels
from mirtrim.utils.errors import ArtefactError

PAIR = [["feedback_local", "gradual_local"]]


def rows(differences: dict[tuple[float, float], list[float]]) -> pd.DataFrame:
    """Gradual at 0.2, feedback beside it, for (epochs, sgd) and seeds."""
    lines = []
    for (epochs, sgd), of_seeds in differences.items():
        for seed, difference in enumerate(of_seeds):
            for run, error in (("feedback_local", 0.2 + difference), ("gradual_local", 0.2)):
                lines.append(
                    {"task": "onset", "study": "s", "run": run, "seed": seed, "target_ratio": 4.0,
                     "test_error": error, "level_epochs": epochs, "level_sgd": sgd}
                )  # fmt: skip
    return pd.DataFrame(lines)


def test_the_table_by_hand(tmp_path: Path) -> None:
    """−0.03, −0.02, −0.01: mean −0.02, standard error 0.00577, t = −3.46, p = 0.074.

    0.099, 0.1, 0.101: t = 173, p = 0.0000333; after Holm, of two lines, twice that.
    """
    table = factor_table(rows({(8, 0): [0.099, 0.1, 0.101], (40, 1): [-0.03, -0.02, -0.01]}), PAIR)
    assert list(table.columns[:4]) == ["task", "epochs", "sgd", "target_ratio"]
    short, long = table.to_dict("records")
    assert (short["epochs"], short["sgd"], long["epochs"], long["sgd"]) == (8, 0, 40, 1)
    assert short["difference"] == pytest.approx(0.1)
    assert short["p_corrected"] == pytest.approx(6.67e-5, rel=0.01)
    assert short["verdict"] == "higher"
    assert long["difference"] == pytest.approx(-0.02)
    assert (long["low"], long["high"]) == pytest.approx((-0.0448, 0.0048), abs=1e-4)
    assert long["p"] == pytest.approx(0.0742, abs=1e-4)
    assert long["verdict"] == "undecided"
    assert long["run_mean"] == pytest.approx(0.18)
    write_factors(table, tmp_path / "f.csv", tmp_path / "f.md")
    text = (tmp_path / "f.md").read_text().splitlines()
    assert text[0].startswith("| task | epochs | sgd | ratio | run | against | seeds |")
    assert text[2].startswith("| onset | 8 | 0 | 4 | feedback | gradual | 3 | 0.300 ± 0.001 |")
    assert "| −0.020 | −0.045 to +0.005 | 0.074 | undecided |" in text[3]
    read = pd.read_csv(tmp_path / "f.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)


def test_only_seeds_that_have_both_are_compared() -> None:
    table = rows({(8, 0): [0.1, 0.1]})
    table = table[~((table.seed == 1) & (table.run == "gradual_local"))]
    (line,) = factor_table(table, PAIR).to_dict("records")
    assert line["seeds"] == 1
    assert np.isnan(line["p"])
    assert line["verdict"] == "undecided"


def test_without_rows_of_both_there_is_nothing_to_tell() -> None:
    table = rows({(8, 0): [0.1]})
    with pytest.raises(ArtefactError, match="no variant has rows of feedback_local and trim"):
        factor_table(table, [["feedback_local", "trim"]])


def test_a_run_that_is_lower_says_so() -> None:
    (line,) = factor_table(rows({(8, 1): [-0.099, -0.1, -0.101]}), PAIR).to_dict("records")
    assert line["verdict"] == "lower"


def of_bits(errors: dict[float, list[float]]) -> pd.DataFrame:
    """Trims at 4x, for bits and seeds."""
    return pd.DataFrame(
        [
            {"task": "chord", "study": "s", "run": "trim_magnitude_local_rewind", "seed": seed,
             "target_ratio": 4.0, "test_error": error, "level_bits": bits}
            for bits, of_seeds in errors.items()
            for seed, error in enumerate(of_seeds)
        ]
    )  # fmt: skip


def test_levels_by_hand(tmp_path: Path) -> None:
    """16 minus 32 bits: 0.01, 0.02, 0.03; mean 0.02, t = 3.46, p = 0.074 (see above)."""
    table = level_contrasts(
        of_bits({16: [0.11, 0.12, 0.13], 32: [0.1, 0.1, 0.1]}), "bits", {"chord": 32}
    )
    (line,) = table.to_dict("records")
    assert (line["level"], line["against"], line["seeds"]) == (16, 32, 3)
    assert line["difference"] == pytest.approx(0.02)
    assert (line["low"], line["high"]) == pytest.approx((-0.0048, 0.0448), abs=1e-4)
    assert line["verdict"] == "undecided"
    write_level_contrasts(table, "bits", tmp_path / "l.csv", tmp_path / "l.md")
    head, _, text, *_ = (tmp_path / "l.md").read_text().splitlines()
    assert head.startswith("| task | run | ratio | bits | against | seeds |")
    assert text.startswith("| chord | trim | 4 | 16 | 32 | 3 | 0.120 ± 0.010 | 0.100 ± 0.000 |")
    read = pd.read_csv(tmp_path / "l.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)


def test_means_of_levels_are_of_the_same_seeds() -> None:
    """A second seed of one level alone, far away, changes neither mean nor difference."""
    table = level_contrasts(of_bits({16: [0.1], 32: [0.2, 0.9]}), "bits", {"chord": 32})
    (line,) = table.to_dict("records")
    assert line["seeds"] == 1
    assert line["against_mean"] == pytest.approx(0.2)
    assert line["difference"] == pytest.approx(-0.1)


def test_dense_networks_that_a_level_cannot_change_are_not_compared() -> None:
    trims = of_bits({16: [0.1, 0.2], 32: [0.3, 0.2]})
    same = of_bits({16: [0.1, 0.2], 32: [0.1, 0.2]}).assign(run="dense")
    table = level_contrasts(pd.concat([trims, same]), "bits", {"chord": 32})
    assert table.run.tolist() == ["trim_magnitude_local_rewind"]
    other = of_bits({16: [0.1, 0.2], 32: [0.1, 0.21]}).assign(run="dense")
    assert len(level_contrasts(pd.concat([trims, other]), "bits", {"chord": 32})) == 2


def test_levels_that_cannot_be_compared() -> None:
    with pytest.raises(ArtefactError, match="no run has been trained at two levels"):
        level_contrasts(of_bits({16: [0.1]}), "bits", {"chord": 32})


def test_the_dimension_of_several_levels_is_found_beside_one_that_is_fixed() -> None:
    variants = [
        {"task": task, "values": {"width": 0.5, "rewind": rewind}}
        for task in ("chord", "onset")
        for rewind in ((0, 0.4, 1) if task == "chord" else (0.1, 0.4))
    ]
    assert first_levels(variants) == ("rewind", {"chord": 0, "onset": 0.1})


def test_the_figure_of_levels_has_a_line_for_every_ratio() -> None:
    table = of_bits({16: [0.1, 0.3], 32: [0.2, 0.4]}).rename(columns={"level_bits": "level_rewind"})
    dense = table.assign(run="dense", target_ratio=1.0, test_error=0.05)
    figure = draw_errors_at_levels(pd.concat([table, dense]), "rewind")
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "chord, trim"
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn["dense"] == [[16.0, pytest.approx(0.05)], [32.0, pytest.approx(0.05)]]
    assert drawn["4x"] == [[16.0, pytest.approx(0.2)], [32.0, pytest.approx(0.3)]]
    plt.close(figure)
