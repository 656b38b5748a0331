"""One trunk for two tasks, told: made-up merges with literal answers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.merging import merging_table, write_merging
from mirtrim.runs.measured_rows import Merge, read_measured, write_measured
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import CHOICES, TRIM


def merge(way: str, seed: int, error: float, other_error: float, **more: object) -> Merge:
    given = {
        "task": "onset", "corpus": "mini", **CHOICES[TRIM], "seed": seed, "round": 1,
        "target_ratio": 4.0, "ratio": 4.1, "parameters": 8, "network_digest": "n",
        "code_digest": "c", "versions": "v", "machine": "m", "other_task": "drums", "way": way,
        "test_error": error, "other_test_error": other_error, "cosine": 0.5, "stored_bytes": 1000,
        "stored_parameters": 250, "validation_error": 0.1, "other_validation_error": 0.2,
    }  # fmt: skip
    return Merge(**(given | more))  # type: ignore[arg-type]


def world() -> list[Merge]:
    """Averages cost (0.1 + 0.2) / 2 and (0.3 + 0.2) / 2; separate networks differ by seed."""
    small = {"stored_bytes": 600, "stored_parameters": 150, "strength": 0.5}
    return [
        merge("emr", 0, 0.11, 0.32, stored_bytes=1100),
        merge("separate", 1, 0.2, 0.4),
        merge("average", 1, 0.5, 0.6, **small),
        merge("separate", 0, 0.1, 0.3),
        merge("average", 0, 0.2, 0.5, **small),
    ]


def table(rows: list[Merge]) -> pd.DataFrame:
    return merging_table(pd.DataFrame([vars(row) for row in rows]))


def test_costs_by_hand() -> None:
    """Of 0.15 and 0.25: mean 0.2, standard error 0.05, t(1) = 12.706."""
    found = table(world())
    assert found.way.tolist() == ["separate", "average", "emr"]
    assert found.seeds.tolist() == [2, 2, 1]
    separate, average, emr = (found.iloc[i] for i in range(3))
    assert (separate.error, separate.other_error) == pytest.approx((0.15, 0.35))
    assert (separate.cost, separate.share) == (0, 1)
    assert np.isnan(separate.low)
    assert average.cost == pytest.approx(0.2)
    assert (average.low, average.high) == pytest.approx((0.2 - 0.6353, 0.2 + 0.6353), abs=1e-4)
    assert (average.share, average.strength) == pytest.approx((0.6, 0.5))
    # Beside the network of its own seed.
    assert emr.cost == pytest.approx((0.01 + 0.02) / 2)
    assert (emr.share, emr.stored_bytes) == pytest.approx((1.1, 1100))
    assert np.isnan(emr.strength)


def test_ratios_and_pairs_are_told_apart() -> None:
    others = [
        merge(w, 0, e, 0.3, target_ratio=16.0) for w, e in (("separate", 0.4), ("average", 0.6))
    ]
    found = table([*world(), *others])
    assert found.target_ratio.tolist() == [4, 4, 4, 16, 16]
    assert found.cost.tolist()[-1] == pytest.approx(0.1)


def test_the_tables_are_written(tmp_path: Path) -> None:
    write_merging(table(world()), tmp_path / "m.csv", tmp_path / "m.md")
    lines = (tmp_path / "m.md").read_text().splitlines()
    assert lines[3] == (
        "| onset, drums | trim | 4.10 | plain average | 2 | 0.5 | 0.350 | 0.550 | +0.200 | "
        "−0.435 to +0.835 | 0.6 | 60% |"
    )
    assert lines[4].split(" | ")[5:10] == ["–", "0.110", "0.320", "+0.015", "–"]
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "m.csv"), table(world()), rtol=1e-5, check_dtype=False
    )


def test_variants_are_lines_of_their_own(tmp_path: Path) -> None:
    narrow = {"variant": '{"width": 0.25}', "other_task": "drums-width_0p25"}
    others = [merge(w, 0, e, 0.3, **narrow) for w, e in (("separate", 0.4), ("average", 0.6))]
    found = table([*world(), *others])
    assert found.cost.tolist() == pytest.approx([0, 0.1, 0, 0.2, 0.015])
    write_merging(found, tmp_path / "m.csv", tmp_path / "m.md")
    told = [line.split(" | ")[0] for line in (tmp_path / "m.md").read_text().splitlines()[2:7]]
    assert told == ["| onset-width_0p25, drums-width_0p25"] * 2 + ["| onset, drums"] * 3


def test_rows_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    rows = [merge(way, 0, 0.1, 0.2) for way in ("separate", "start", "average", "emr")]
    write_measured(tmp_path / "r.csv", rows)
    found = read_measured(Merge, [tmp_path / "r.csv"])
    assert found.way.tolist() == ["separate", "start", "average", "emr"]
    write_measured(tmp_path / "r.csv", [merge("emr", 0, float("nan"), 0.2)])
    with pytest.raises(ArtefactError, match="test_error: not a finite number"):
        read_measured(Merge, [tmp_path / "r.csv"])
