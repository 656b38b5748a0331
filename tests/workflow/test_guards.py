"""What the workflow sees to around its jobs."""

import subprocess
import sys
from pathlib import Path

from tests.workflow.conftest import ROOT

SNAKEFILE = """
import os
from pathlib import Path
from mirtrim.experiments.resuming import remove_ended
RESULTS, FIGURES, RESUME = "results", "figures", "resume"
include: "{guards}"
rule all:
    default_target: True
    input: expand("quick{{n}}.txt", n=range(8)), expand("slow{{n}}.txt", n=range(2))
rule quick:
    output: "quick{{n}}.txt"
    priority: 1
    shell: "touch {{output}}"
rule slow:
    output: "slow{{n}}.txt"
    shell: "sleep 3; touch {{output}}"
"""


def run(folder: Path) -> str:
    """Eight quick jobs, then two slow ones of which one waits; returns what Snakemake says."""
    guards = ROOT / "workflow/rules/guards.smk"
    (folder / "Snakefile").write_text(SNAKEFILE.format(guards=guards))
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--verbose"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


def test_snakemake_looks_for_work_only_when_a_job_has_ended(tmp_path: Path) -> None:
    looks = run(tmp_path).count("Ready jobs: ")
    assert 10 <= looks <= 12  # some thirty with its limit of jobs per second


def test_what_ended_jobs_have_kept_goes_when_the_run_has_succeeded(tmp_path: Path) -> None:
    kept = {"ended": ["ended", "fit.safetensors"], "killed": ["fit.safetensors"]}
    for name, files in kept.items():
        (tmp_path / "resume" / name).mkdir(parents=True)
        for file in files:
            (tmp_path / "resume" / name / file).touch()
    run(tmp_path)
    assert [path.name for path in (tmp_path / "resume").iterdir()] == ["killed"]
