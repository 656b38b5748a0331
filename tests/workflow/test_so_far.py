"""Pages of a profile that is not trained out: from what there is, and saying what there is not."""

import shutil
from pathlib import Path

import pytest

from mirtrim.runs.tables import jobs_in, read_cells, write_cells
from tests.workflow import forked
from tests.workflow.conftest import ROOT, environment, make_folder
from tests.workflow.test_committed import TRAIN, jobs_of

RESULTS = "results/published"
PAGE = f"{RESULTS}/REPLICATION.md"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What is committed of the profile `published`, without its pages and figures."""
    make_folder(tmp_path)
    (tmp_path / "CITATION.cff").symlink_to(ROOT / "CITATION.cff")
    for kind in ("rows", "pieces"):
        shutil.copytree(ROOT / RESULTS / kind, tmp_path / RESULTS / kind)
    shutil.copy(ROOT / RESULTS / "equivalences.json", tmp_path / RESULTS)
    return tmp_path


def so_far(folder: Path, *targets: str, code: int = 0) -> str:
    """What Snakemake says about these targets, made of what there is so far."""
    so_far = ("--configfile", "config/published.yaml", "--config", "so_far=true")
    result = forked.snakemake(folder, [*targets, "--cores", "1", *so_far], environment())
    said = result.stdout + result.stderr
    assert result.returncode == code, said[-3000:]
    return said


def told_as_left(page: str, task: str, run: str) -> str:
    """The seeds of a run of which the page says that they have not been trained."""
    (line,) = (line for line in page.splitlines() if line.startswith(f"| {task} | `"))
    _, _, after = line.partition(f"`{run}` (")
    return after.partition(")")[0]


def test_nothing_is_trained(checkout: Path) -> None:
    jobs = jobs_of(so_far(checkout, "-n", "report", "tables", "figures"))
    assert jobs["page"] == 1
    assert not TRAIN & jobs.keys()


def test_the_page_says_what_has_not_been_trained(checkout: Path) -> None:
    table = checkout / RESULTS / "rows/chord.csv"
    lines = read_cells(table)
    kept = [line for line in lines if (line["method"], line["seed"]) != ("nothing_removed", "1")]
    assert len(kept) < len(lines)
    write_cells(table, kept, list(lines[0]))
    for path in table.parent.glob("pitch*.csv"):
        path.unlink()
    so_far(checkout, PAGE)
    page = (checkout / PAGE).read_text(encoding="utf-8")
    assert "written before all trainings are done" in page
    trained = jobs_in(table)
    for run in ("nothing_removed", "dense"):
        left = [str(seed) for seed in range(5) if f"{run}_seed{seed}" not in trained]
        assert told_as_left(page, "chord", run) == ", ".join(left)
    assert "1" in told_as_left(page, "chord", "nothing_removed")
    assert told_as_left(page, "pitch", "dense").startswith("0, 1, 2")
    assert "| pitch | mini_mdb_stem_synth |" not in page


def test_without_rows_there_is_one_clear_line(checkout: Path) -> None:
    shutil.rmtree(checkout / RESULTS / "rows")
    said = so_far(checkout, "-n", "report", code=1)
    assert f"so_far: {RESULTS}/rows has no dense network of any task yet" in said
