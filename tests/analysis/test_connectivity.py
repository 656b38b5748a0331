"""Barriers of tickets, told, drawn and decided: made-up ones with literal answers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.connectivity import (
    connectivity_table,
    draw_connectivity,
    write_connectivity,
)
from mirtrim.analysis.hypotheses import COMPUTATIONS
from mirtrim.analysis.hypotheses.loading import load_hypotheses
from mirtrim.analysis.task_evidence import NotRun
from mirtrim.runs.measured_rows import Barrier
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import CHOICES, TRIM, about, evidence

ROOT = Path(__file__).resolve().parents[2]


def barrier(run: str, seed: int, ratio: float, height: float, task: str = "onset") -> dict:
    """Ends 0.1 and 0.2; half-way `height` above their mean."""
    return vars(
        Barrier(
            task=task, corpus="mini", **CHOICES[run], seed=seed, round=1, target_ratio=ratio,
            ratio=ratio, parameters=8, network_digest="n", code_digest="c", versions="v",
            machine="m", error_barrier=height, first_error=0.1, second_error=0.2,
            errors=json.dumps([0.1, 0.15 + height, 0.2]), epochs=3,
        )
    )  # fmt: skip


def barriers(heights: dict[float, list[float]], **more: str) -> pd.DataFrame:
    return pd.DataFrame(
        [
            barrier(TRIM, seed, ratio, height, **more)
            for ratio, of_seeds in heights.items()
            for seed, height in enumerate(of_seeds)
        ]
    )


def test_the_table_by_hand(tmp_path: Path) -> None:
    """0.10, 0.11, 0.12: mean 0.11, deviation 0.01, standard error 0.00577, t(2) = 4.303."""
    table = connectivity_table(
        barriers({4.0: [0.10, 0.11, 0.12], 8.0: [0.01, 0.011, 0.009], 16.0: [0.01, 0.03, 0.05]})
    )
    assert table.verdict.tolist() == ["not stable", "stable", "undecided"]
    first = table.iloc[0]
    assert first.barrier == pytest.approx(0.11)
    assert (first.low, first.high) == pytest.approx((0.0852, 0.1348), abs=1e-4)
    assert first.error == pytest.approx(0.15)
    one = connectivity_table(barriers({4.0: [0.5]})).iloc[0]
    assert one.verdict == "undecided"
    assert np.isnan(one.low)
    write_connectivity(table, tmp_path / "c.csv", tmp_path / "c.md")
    line = (tmp_path / "c.md").read_text().splitlines()[2]
    assert line.startswith("| onset | trim | 3 | 4.00 | 0.150 | +0.110 | +0.085 to +0.135 |")
    assert line.endswith("not stable |")
    read = pd.read_csv(tmp_path / "c.csv")
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)


def test_the_picture_has_a_thick_line_for_the_mean_of_the_seeds() -> None:
    figure = draw_connectivity(barriers({4.0: [0.1, 0.2]}))
    panel = figure.axes[0]
    assert panel.get_title(loc="left") == "onset, trim"
    *seeds, mean = panel.lines
    assert len(seeds) == 2
    assert mean.get_ydata().tolist() == pytest.approx([0.1, 0.3, 0.2])
    assert mean.get_label() == "4x"
    with pytest.raises(ArtefactError, match="no ticket has been trained twice"):
        draw_connectivity(barriers({4.0: [0.1]})[:0])


def test_the_hypothesis_is_of_the_barrier_above_its_limit() -> None:
    (own,) = [h for h in load_hypotheses(ROOT / "config/hypotheses.yaml") if h.id == "H19"]
    compute, settings = COMPUTATIONS[own.computation], own.settings
    plain = evidence({("dense", 1): about(0.2), (TRIM, 4): about(0.3)})
    generator = np.random.default_rng(0)
    with pytest.raises(NotRun, match=f"connectivity of {TRIM}"):
        compute(plain, generator, **settings)
    low = barriers({4.0: [0.000, 0.002, 0.001], 16.0: [0.002, 0.000, 0.001]})
    found = compute(replace(plain, barriers=low), generator, **settings)
    assert found.effect == pytest.approx(-0.019)
    assert found.favourable
    assert found.seeds == 3
    # Seeds have a mean of 0.001 each: no spread to measure by, and three of three signs.
    assert found.p_value == pytest.approx(0.25)
    high = barriers({4.0: [0.10, 0.12, 0.11]})
    found = compute(replace(plain, barriers=high), generator, **settings)
    assert found.effect == pytest.approx(0.09)
    assert not found.favourable
    assert found.p_value < 0.05
    elsewhere = barriers({4.0: [0.1, 0.2]}, task="chord")
    with pytest.raises(NotRun):
        compute(replace(plain, barriers=elsewhere), generator, **settings)
    with pytest.raises(NotRun):
        compute(replace(plain, barriers=barriers({8.0: [0.1, 0.2]})), generator, **settings)
