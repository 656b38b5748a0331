"""The table of singular directions: made-up views with literal means."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.singular import singular_table, write_singular
from mirtrim.runs.measured_rows import SingularView, read_measured, write_measured
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import CHOICES, TRIM


def view(seed: int, ratio: float, share: float, rank: float, energy: float = 0.5) -> SingularView:
    return SingularView(
        task="onset", corpus="mini", **CHOICES[TRIM], seed=seed, round=int(ratio),
        target_ratio=ratio, ratio=ratio, parameters=8, network_digest="n", code_digest="c",
        versions="v", machine="m", threshold=0.5, intruder_share=share,
        leading_intruder_share=share / 2, effective_rank=rank, leading_energy=energy,
    )  # fmt: skip


def test_a_line_per_run_and_ratio_with_means_over_seeds(tmp_path: Path) -> None:
    views = [view(0, 4, 0.1, 10), view(1, 4, 0.3, 11), view(0, 16, 0.5, 3, 0.9)]
    path = tmp_path / "views.csv"
    write_measured(path, views)
    table = singular_table(read_measured(SingularView, [path]))
    assert table.target_ratio.tolist() == [4.0, 16.0]
    assert table.seeds.tolist() == [2, 1]
    assert table.intruder_share.tolist() == pytest.approx([0.2, 0.5])
    assert table.leading_intruder_share.tolist() == pytest.approx([0.1, 0.25])
    assert table.effective_rank.tolist() == pytest.approx([10.5, 3])
    write_singular(table, tmp_path / "t.csv", tmp_path / "t.md")
    lines = (tmp_path / "t.md").read_text().splitlines()
    assert lines[2] == "| onset | trim | 4 | 2 | 0.200 | 0.100 | 10.5 | 0.500 |"
    assert lines[3] == "| onset | trim | 16 | 1 | 0.500 | 0.250 | 3.0 | 0.900 |"
    assert "below 0.5 (Shuttleworth" in lines[5]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), table, check_dtype=False)


def test_a_view_without_a_number_is_no_view(tmp_path: Path) -> None:
    path = tmp_path / "views.csv"
    write_measured(path, [view(0, 4, float("nan"), 10)])
    with pytest.raises(ArtefactError, match="intruder_share: not a finite number"):
        read_measured(SingularView, [path])
