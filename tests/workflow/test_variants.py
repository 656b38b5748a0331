"""A study that varies the dense training, by one command: rows of its own, and nothing twice."""

import csv
import json
from pathlib import Path

from tests.workflow.conftest import make_folder, snakemake

SIZES = {
    "tasks": ["onset"],
    "ratios": [2],
    "runs": [{"method": "same_shape", "reference": "trim_magnitude_local_rewind"}],
    "variants": {
        "onset": {
            "width": [
                {"value": 0.5, "network": {"channels": 3, "hidden": 16, "dropout": 0.1}},
                {"value": 1},
            ],
            "epochs": [{"value": 1, "training": {"epochs": 1}, "rewind_epoch": 0}, {"value": 2}],
        }
    },
}
CHANGES = {"studies/sizes": SIZES, "studies/methods": None, "runs": [{"method": "trim"}],
           "tasks/onset/ratios": [2]}  # fmt: skip


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"results/tiny/rows/{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_one_command_trains_and_draws_every_variant(tmp_path: Path) -> None:
    make_folder(tmp_path)
    done = snakemake(tmp_path, "sizes", changes=CHANGES)
    assert done.returncode == 0, done.stderr[-3000:]
    tables = sorted(path.stem for path in (tmp_path / "results/tiny/rows").glob("*.csv"))
    # The variant that is the task has the task's rows.
    assert tables == ["onset", "onset-width_0p5-epochs_1", "onset-width_0p5-epochs_2",
                      "onset-width_1-epochs_1"]  # fmt: skip
    dense = {}
    for name in tables:
        found = rows(tmp_path, name)
        assert len(found) == 3  # dense, a trim, its shape from scratch
        dense[name] = next(row for row in found if row["method"] == "dense")
        assert {row["task"] for row in found} == {"onset"}
    assert "variant" not in dense["onset"]
    assert json.loads(dense[tables[1]]["variant"]) == {"width": 0.5, "epochs": 1}
    assert [dense[name]["epochs"] for name in tables] == ["2", "1", "2", "1"]
    sizes = [int(dense[name]["parameters"]) for name in tables]
    assert sizes[1] == sizes[2] < sizes[0] == sizes[3]
    for path in ("figures/tiny/onset_sizes.svg", "figures/tiny/sizes.png",
                 "results/tiny/studies/sizes/free_ratios.md"):  # fmt: skip
        assert (tmp_path / path).stat().st_size > 0
    # In a clone there are the tables alone: nothing is trained, by this command or another.
    for target in ("sizes", "rows"):
        again = snakemake(tmp_path, target, "-n", changes=CHANGES)
        assert again.returncode == 0
        assert "jobs of training left" not in again.stderr
    (tmp_path / "results/tiny/rows/onset-width_1-epochs_1.csv").unlink()
    for path in (tmp_path / "results/tiny/jobs/rows/onset-width_1-epochs_1").glob("*.csv"):
        path.unlink()
    # Figures that are there do not ask for rows again; who asks for rows does.
    left = snakemake(tmp_path, "rows", "-n", changes=CHANGES).stderr
    assert "3 jobs of training left, about 1 min on 2 cores" in left
