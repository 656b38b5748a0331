"""Studies that make training data worse, from a command to their page."""

import csv
import json
from pathlib import Path

from tests.workflow.conftest import make_folder, snakemake

TRIM = "trim_magnitude_local_rewind"
STUDY = {"tasks": ["instrument"], "ratios": [2], "runs": []}
NOISE = [{"value": 0.4, "training": {"label_noise": 0.4}}]
RARE = [{"value": 4, "training": {"rare_classes": {"factor": 4}, "damage_weight": 2}}]
CHANGES = {
    "ratios": [2],
    "runs": [{"method": "trim"}],
    "corpora/mini_medley_solos_db": {
        "pieces": {"train": 48, "validation": 16, "test": 16},
        "piece_seconds": 2,
    },
    "tasks/onset": None,
    "tasks/instrument": {
        "network": {"channels": 4, "hidden": 16},
        "training": {"epochs": 2, "examples_per_epoch": 64},
    },
    "studies": {
        **dict.fromkeys(("controls", "criteria", "fine_tuning", "methods", "repetitions", "speed")),
        "wrong": STUDY | {"told": "calibration", "variants": {"instrument": {"noise": NOISE}}},
        "tail": STUDY | {"told": "rare_classes", "variants": {"instrument": {"rarity": RARE}}},
    },
    "models": {"runs": []},
}


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_wrong_labels_and_rare_classes_by_one_command(tmp_path: Path) -> None:
    make_folder(tmp_path)
    done = snakemake(tmp_path, "wrong", "tail", changes=CHANGES)
    assert done.returncode == 0, done.stderr[-3000:]
    results = tmp_path / "results/tiny"
    names = ["instrument-noise_0p4", "instrument-rarity_4"]
    assert sorted(path.stem for path in (results / "rows").glob("*.csv")) == names
    # Networks are looked at where calibration is told, and there alone.
    assert [path.stem for path in (results / "inspections").glob("*.csv")] == names[:1]
    noisy, rare = (lines(results / f"rows/{name}.csv") for name in names)
    assert {row["data_digest"] for row in noisy} == {row["data_digest"] for row in rare}
    assert {json.loads(row["variant"])["noise"] for row in noisy} == {0.4}
    wrong = lines(results / "studies/wrong/calibration.csv")
    assert [line["run"] for line in wrong] == ["dense", TRIM]
    for line, row in zip(wrong, noisy, strict=True):
        assert abs(float(line["test_error_mean"]) - float(row["test_error"])) < 1e-5
        assert 0 <= float(line["calibration_error_mean"]) <= 1
    tail = lines(results / "studies/tail/rare_classes.csv")
    assert [line["rarity"] for line in tail] == ["4", "4"]
    assert float(tail[0]["forgets_rare_mean"]) == 0
    for path in ("figures/tiny/wrong.svg", "figures/tiny/tail.png",
                 "results/tiny/studies/tail/rare_classes.md"):  # fmt: skip
        assert (tmp_path / path).stat().st_size > 0
    # In a clone there are tables alone: they are enough.
    again = snakemake(tmp_path, "wrong", "tail", "-n", changes=CHANGES)
    assert "jobs of training left" not in again.stderr
