"""What a fresh clone does: committed results are enough to read, and no reason not to train."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT, make_folder

NEED_NETWORKS = {"cost", "latency", "microcontroller"}
TRAIN = {"corpus_mini_groove_midi", "features", "dense", "compress"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything committed, with times as wrong as a checkout can make them."""
    folder = tmp_path_factory.mktemp("checkout")
    make_folder(folder)
    (folder / "CITATION.cff").symlink_to(ROOT / "CITATION.cff")
    known = subprocess.run(
        ["git", "ls-files", "-z", "results/default", "figures/default"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = [path for path in known.split("\0") if path and (ROOT / path).exists()]
    for age, path in enumerate(sorted(paths, reverse=True)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
        os.utime(folder / path, (1e9 + age, 1e9 + age))
    return folder


def planned(folder: Path, *targets: str) -> dict[str, int]:
    """Rule → number of jobs that Snakemake would run."""
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1", *targets],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    said = result.stdout + result.stderr
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}


def test_report_tables_and_figures_train_and_time_nothing(checkout: Path) -> None:
    jobs = planned(checkout, "report", "tables", "figures")
    assert not (TRAIN | NEED_NETWORKS) & jobs.keys()
    assert jobs["page"] == 1


def test_without_a_target_everything_is_trained_although_rows_are_there(checkout: Path) -> None:
    jobs = planned(checkout)
    assert jobs["dense"] == 5 * 3  # tasks × seeds
    assert jobs["compress"] == 5 * 3 * 4  # × main runs
    assert jobs.keys() >= TRAIN


def test_one_task_trains_that_task_alone(checkout: Path) -> None:
    jobs = planned(checkout, "onset")
    assert (jobs["dense"], jobs["compress"]) == (3, 12)
    assert {name for name in jobs if name.startswith("corpus_")} == {"corpus_mini_groove_midi"}
