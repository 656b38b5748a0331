"""Best, Optim and Small: chosen on validation, told on test, with literal numbers."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.operating_points import operating_points, write_operating_points
from tests.analysis.test_rows_tables import row


def rows(*networks: tuple[float, float, float]) -> pd.DataFrame:
    """Dense networks with validation errors 0.19 and 0.21, test errors 0.3 and 0.3.

    Each of `networks` is a ratio, and the validation and the test error of both seeds.
    """
    made = [
        row(seed=seed, validation_error=error, test_error=0.3)
        for seed, error in enumerate((0.19, 0.21))
    ]
    for number, (ratio, validation, test) in enumerate(networks, start=1):
        made += [
            row(
                method="trim", criterion="magnitude", scope="local", scale="max",
                order="lowest_first", reset="rewind", seed=seed, round=number, target_ratio=ratio,
                ratio=ratio, parameters=int(100 / ratio), nonzeros=int(100 / ratio),
                validation_error=validation, test_error=test + seed * 0.02,
            )
            for seed in (0, 1)
        ]  # fmt: skip
    return pd.DataFrame([vars(r) for r in made])


def test_validation_chooses_and_test_is_told() -> None:
    """Test would call ratio 8 the best; validation, which decides, does not."""
    table = operating_points(
        rows((2, 0.20, 0.31), (4, 0.219, 0.33), (8, 0.31, 0.25), (16, 0.5, 0.6))
    )
    points = table.set_index("point")
    assert points.loc["Best", "target_ratio"] == 2  # 0.20 is not above the mean of 0.19 and 0.21
    assert points.loc["Optim", "target_ratio"] == 4  # below 0.22
    assert points.loc["Small", "target_ratio"] == 8  # below 0.32
    assert points.loc["Small", "test_error_mean"] == pytest.approx(0.26)
    assert points.loc["Small", "test_error_deviation"] == pytest.approx(0.02 / 2**0.5)
    assert points.loc["Small", "relative_error"] == pytest.approx(0.26 / 0.3)
    assert points.loc["-", "test_error_mean"] == pytest.approx(0.3)


def test_a_latency_stands_where_it_was_measured() -> None:
    latencies = pd.DataFrame(
        {
            "run": ["dense", *["trim_magnitude_local_rewind"] * 3],
            "target_ratio": [1, 2, 4, 4],
            "runtime": ["onnxruntime", "onnxruntime", "onnxruntime", "torch"],
            "median_ms": [3.0, 2.0, 1.0, 9.0],
        }
    )
    table = operating_points(rows((2, 0.20, 0.31), (4, 0.219, 0.33), (8, 0.31, 0.2)), latencies)
    found = table.set_index("point").latency_ms
    assert (found["-"], found["Best"], found["Optim"]) == (3.0, 2.0, 1.0)
    assert pd.isna(found["Small"])  # ratio 8 was not timed


def test_a_run_is_compared_with_its_own_seeds() -> None:
    """The third dense network, which no trim started from, would make the limit higher."""
    more = rows((2, 0.22, 0.31))
    extra = more.iloc[[0]].assign(seed=2, validation_error=0.5)
    table = operating_points(pd.concat([more, extra], ignore_index=True))
    assert pd.isna(table.set_index("point").loc["Best", "target_ratio"])


def test_nothing_is_good_enough_beyond_the_limits() -> None:
    table = operating_points(rows((2, 0.2201, 0.3)))
    points = table.set_index("point")
    assert points.loc[["Best", "Optim"], "target_ratio"].isna().all()
    assert points.loc["Small", "target_ratio"] == 2


def test_the_authors_point_stands_beside_that_of_trims(tmp_path: Path) -> None:
    """Three quarters removed is a ratio of 4; theirs is told also where there is none here."""
    mask = rows((2, 0.20, 0.31)).assign(method=lambda t: t.method.replace("trim", "mask"))
    both = pd.concat([rows((2, 0.2201, 0.31)), mask[mask.method == "mask"]], ignore_index=True)
    table = operating_points(both, recorded={"Best": 0.75, "Small": 0.9})
    found = table.set_index(["run", "point"]).recorded_ratio
    assert found["trim", "Best"] == pytest.approx(4)
    assert found["trim", "Small"] == pytest.approx(10)
    assert found[[("trim", "Optim"), ("dense", "-")]].isna().all()
    assert found["mask"].isna().all()
    paths = [tmp_path / f"points.{ending}" for ending in ("csv", "md", "tex")]
    write_operating_points(table, *paths)
    assert "| trim | Best | none | 4.00 | – |" in paths[1].read_text()


def test_what_is_written(tmp_path: Path) -> None:
    table = operating_points(rows((2, 0.20, 0.31), (4, 0.5, 0.6)))
    paths = [tmp_path / f"points.{ending}" for ending in ("csv", "md", "tex")]
    write_operating_points(table, *paths)
    read = pd.read_csv(paths[0])
    pd.testing.assert_frame_equal(read, table, rtol=1e-5, check_dtype=False)
    markdown = paths[1].read_text()
    assert (
        "| trim | Best | 2.00 | – | 50 | 350 | 1,000 | 64 | – | 0.320 ± 0.014 | 1.07 |" in markdown
    )
    latex = paths[2].read_text()
    assert (
        r"trim & Best & 2.00 & -- & 50 & 350 & 1,000 & 64 & -- & 0.320 $\pm$ 0.014 & 1.07" in latex
    )
    assert latex.count(r"\\") == 1 + 4


def test_none_is_said_where_none_is_good_enough(tmp_path: Path) -> None:
    table = operating_points(rows((2, 0.9, 0.9)))
    paths = [tmp_path / f"points.{ending}" for ending in ("csv", "md", "tex")]
    write_operating_points(table, *paths)
    assert paths[1].read_text().count("| none |") == 3
    head, _, _, best, *_ = paths[1].read_text().splitlines()
    assert best == f"| trim | Best | none |{' – |' * 8}"
    assert head.count("|") == best.count("|")
