"""What the workflow sees to around its jobs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import ROOT

# Eight quick jobs, then two slow ones of which one waits for the other.
SNAKEFILE = """
import os
from pathlib import Path
from mirtrim.runs.jobs.resuming import remove_ended
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


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which such a workflow has run; said.txt holds what Snakemake has said."""
    folder = tmp_path_factory.mktemp("guards")
    for name in ("ended/ended", "ended/fit.safetensors", "killed/fit.safetensors"):
        (folder / "resume" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "resume" / name).touch()
    guards = ROOT / "workflow/rules/guards.smk"
    (folder / "Snakefile").write_text(SNAKEFILE.format(guards=guards))
    result = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--verbose"],
        cwd=folder, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    (folder / "said.txt").write_text(result.stdout + result.stderr)
    return folder


def test_snakemake_looks_for_work_only_when_a_job_has_ended(ended: Path) -> None:
    looks = (ended / "said.txt").read_text().count("Ready jobs: ")
    assert 10 <= looks <= 12  # 38 with its limit of jobs per second


def test_what_ended_jobs_have_kept_goes_when_the_run_has_succeeded(ended: Path) -> None:
    assert [path.name for path in (ended / "resume").iterdir()] == ["killed"]
