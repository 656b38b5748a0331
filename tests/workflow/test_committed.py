"""The committed results are enough for everything that a reader sees."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.workflow.conftest import ROOT, make_folder

NEEDS_NETWORKS = ("compress", "corpus", "cost:", "dense", "features", "latency", "microcontroller")


def test_report_tables_and_figures_train_and_time_nothing(tmp_path: Path) -> None:
    make_folder(tmp_path)
    (tmp_path / "CITATION.cff").symlink_to(ROOT / "CITATION.cff")
    known = subprocess.run(
        ["git", "ls-files", "-z", "results/default", "figures/default"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    paths = [path for path in known.split("\0") if path and (ROOT / path).exists()]
    for age, path in enumerate(sorted(paths, reverse=True)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
        os.utime(tmp_path / path, (1e9 + age, 1e9 + age))  # as wrong as a checkout can make them
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "1",
         "report", "tables", "figures"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    planned = result.stdout + result.stderr
    for rule in NEEDS_NETWORKS:
        assert f"\n{rule.rstrip(':')} " not in planned, planned[-3000:]
    assert "page" in planned
