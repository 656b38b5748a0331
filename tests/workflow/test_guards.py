"""What the workflow sees to around its jobs."""

import csv
from pathlib import Path

import pytest

from tests.workflow import forked
from tests.workflow.conftest import ROOT, environment, make_folder, snakemake

# Eight quick jobs, then two slow ones of which one waits for the other.
SNAKEFILE = """
import os
from pathlib import Path
from mirtrim.runs.jobs.ended import remove_ended
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
    result = forked.snakemake(folder, ["--cores", "1", "--verbose"], environment())
    assert result.returncode == 0, result.stderr[-3000:]
    (folder / "said.txt").write_text(result.stdout + result.stderr)
    return folder


def test_snakemake_looks_for_work_only_when_a_job_has_ended(ended: Path) -> None:
    looks = (ended / "said.txt").read_text().count("Ready jobs: ")
    assert 10 <= looks <= 12  # 38 with its limit of jobs per second


def test_what_ended_jobs_have_kept_goes_when_the_run_has_succeeded(ended: Path) -> None:
    assert [path.name for path in (ended / "resume").iterdir()] == ["killed"]


def test_a_dry_run_says_about_how_long_it_takes_where_rows_tell(tmp_path: Path) -> None:
    """A planted row of a dense training: 3000 seconds; two rounds of each chain take as long."""
    make_folder(tmp_path)
    asked = ("rows", "-n", "--quiet")
    first = snakemake(tmp_path, *asked, changes={"studies": None}).stderr
    assert "3 jobs of training left; no estimate for onset (3)" in first
    assert "about" not in first.split("3 jobs of training")[1]
    table = (ROOT / "results/default/rows/onset.csv").read_text().splitlines()
    dense = next(line for line in table if line.startswith("default,onset,mini_groove_midi,dense"))
    row = dict(zip(next(csv.reader(table[:1])), next(csv.reader([dense])), strict=True))
    row |= {"profile": "tiny", "seed": "1", "train_seconds": "3000.0"}
    path = tmp_path / "results/tiny/rows/onset.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerow(row)
    # Dense, and two rounds each of a mask and a trim: five trainings of 50 minutes on two cores.
    said = snakemake(tmp_path, *asked, changes={"studies": None}).stderr
    assert "3 jobs of training left, about 2.1 h on 2 cores" in said
    assert said.endswith("\nwhy: missing (3)\n")
