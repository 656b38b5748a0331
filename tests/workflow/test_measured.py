"""What is measured on finished networks, and contrasts within variants, by one command each."""

import csv
import json
from pathlib import Path

from tests.workflow.conftest import make_folder, snakemake

LENGTHS = {
    "tasks": ["onset"],
    "ratios": [2],
    "runs": [],
    "contrasts": [["mask_magnitude_local_rewind", "trim_magnitude_local_rewind"]],
    "variants": {"onset": {"epochs": [{"value": 1, "training": {"epochs": 1}}, {"value": 2}]}},
}
CHANGES = {
    "studies/lengths": LENGTHS,
    "studies/methods": None,
    "runs": [{"method": "mask"}, {"method": "trim"}, {"method": "gradual"}],
    "tasks/onset/ratios": [2],
    "connectivity": {"onset": {"runs": ["dense", "trim_magnitude_local_rewind"], "ratios": [2]}},
    "singular": {"onset": {"runs": ["dense", "trim_magnitude_local_rewind"], "ratios": [2]}},
}


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_networks_are_looked_at_and_tickets_trained_twice(tmp_path: Path) -> None:
    make_folder(tmp_path)
    results, figures = tmp_path / "results/tiny", tmp_path / "figures/tiny"
    done = snakemake(
        tmp_path, "inspections", "connectivity", "singular", "lengths", changes=CHANGES
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Runs that nobody looks at, or contrasts, are not trained.
    trained = {path.stem for path in (results / "jobs/rows").rglob("*.csv")}
    assert not any(name.startswith("gradual") for name in trained)
    inspected = lines(results / "inspections/onset.csv")
    assert sorted(line["method"] for line in inspected) == ["dense", "mask", "trim"]
    assert all(0 <= float(line["calibration_error"]) <= 1 for line in inspected)
    assert lines(results / "calibration/onset.csv")[0]["run"] == "dense"
    barriers = lines(results / "connectivity/onset.csv")
    assert [(line["method"], line["target_ratio"]) for line in barriers] == [
        ("dense", "1"), ("trim", "2")
    ]  # fmt: skip
    assert all(len(json.loads(line["errors"])) == 11 for line in barriers)
    views = lines(results / "singular/onset.csv")
    assert [(v["method"], v["target_ratio"]) for v in views] == [("dense", "1"), ("trim", "2")]
    assert float(views[0]["intruder_share"]) == 0
    told = lines(results / "studies/singular.csv")
    assert [line["run"] for line in told] == ["dense", "trim"]
    contrasts = lines(results / "studies/lengths/contrasts.csv")
    assert [line["epochs"] for line in contrasts] == ["1", "2"]
    for name in ("calibration", "onset_units", "connectivity"):
        assert (figures / f"{name}.svg").stat().st_size > 0
    # The rows say nothing new, and the next command has nothing to do.
    again = snakemake(tmp_path, "inspections", "connectivity", "singular", "-n", changes=CHANGES)
    assert "jobs of training left" not in again.stderr
    assert "inspection " not in again.stdout
    # Every training has left its losses, variants in tables of their own.
    done = snakemake(tmp_path, "learning", changes=CHANGES)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (figures / "onset_learning.svg").stat().st_size > 0
    assert (results / "learning/onset-epochs_1.csv.gz").exists()


SMALL = {
    "network": {"channels": 4, "hidden": 32},
    "training": {"epochs": 2, "examples_per_epoch": 128},
}
PAIR = {
    "studies/methods": None,
    "runs": [{"method": "trim"}],
    "tasks/onset/ratios": [2],
    "tasks/drums": SMALL,
    "inspected": {"tasks": ["onset"]},
    "studies/lengths": {
        "tasks": ["onset", "drums"],
        "ratios": [2],
        "runs": [],
        "variants": {
            task: {"epochs": [{"value": 1, "training": {"epochs": 1}, "rewind_epoch": 0}]}
            for task in ("onset", "drums")
        },
    },
    "merging": {
        "onset-epochs_1": {
            "other": "drums-epochs_1",
            "runs": ["trim_magnitude_local_rewind"],
            "ratios": [2],
        }
    },
}


def test_a_second_task_is_trained_on_the_trunk_of_a_ticket(tmp_path: Path) -> None:
    make_folder(tmp_path)
    results = tmp_path / "results/tiny"
    done = snakemake(tmp_path, "merging", changes=PAIR)
    assert done.returncode == 0, done.stderr[-3000:]
    ways = ["separate", "start", "average", "task_vectors", "emr"]
    found = lines(results / "merging/onset-epochs_1.csv")
    assert [line["way"] for line in found] == ways
    assert {(line["other_task"], line["variant"]) for line in found} == {
        ("drums-epochs_1", '{"epochs": 1}')
    }
    assert [line["way"] for line in lines(results / "studies/merging.csv")] == ways
    assert (results / "studies/merging.md").read_text().count(
        "| onset-epochs_1, drums-epochs_1 | trim |"
    ) == 5
    # Drums has no networks of its own, and a second command nothing to do.
    assert {path.parent.name for path in (results / "networks").glob("*/*")} == {"onset-epochs_1"}
    again = snakemake(tmp_path, "merging", "-n", changes=PAIR)
    assert "merge " not in again.stdout + again.stderr
