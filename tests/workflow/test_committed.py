"""What a fresh clone does: committed results are enough to read, and no reason not to train."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mirtrim.runs.tables import job_of, read_cells, write_cells
from tests.workflow import forked
from tests.workflow.conftest import ROOT, environment, make_folder

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


def dry_run(folder: Path, *targets: str, source: Path | None = None) -> str:
    """What Snakemake says that it would run, with this library or one in `source`."""
    arguments = ["-n", "--cores", "1", *targets]
    if source is None:
        result = forked.snakemake(folder, arguments, environment())
    else:
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=folder, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(source)},
        )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout + result.stderr


def jobs_of(said: str) -> dict[str, int]:
    """Rule → number of jobs."""
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}


def planned(folder: Path, *targets: str) -> dict[str, int]:
    """Rule → number of jobs that Snakemake would run."""
    return jobs_of(dry_run(folder, *targets))


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


def edited(folder: Path, *changes: tuple[str, str, str]) -> Path:
    """A copy of the library with these (file, old, new); an old text of "" makes a new file."""
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in changes:
        path = source / "mirtrim" / name
        text = path.read_text() if old else ""
        assert text.count(old) == 1 or not old, (name, old)
        path.write_text(text.replace(old, new) if old else new)
    return source


EVIDENCE = ("report", "tables", "figures")
NEW_METHOD = '''
"""A method that nobody runs."""
from mirtrim.pruning.methods.interface import Method, method


@method("nothing")
class Nothing(Method):
    """Does nothing."""
'''
NEW_TASK = '''
"""A task that nobody has configured."""
from mirtrim.tasks.onset import Onset


class Offset(Onset):
    """As onsets."""

    name = "offset"
'''
NEW_CRITERION = '''
"""A criterion that nobody uses."""
from mirtrim.pruning.criteria.registry import Scoring, UnitScores, unit_criterion


@unit_criterion("nothing")
def nothing(context: Scoring) -> UnitScores:
    return context.complete({})
'''
MERGE_CLOSE = "def merge_close("


def test_what_changes_no_result_trains_nothing(checkout: Path, tmp_path: Path) -> None:
    """A docstring, a comment, an annotation, a message, a moved function, a new optional column, a
    new method, a new task, a new criterion: all at once."""
    onset = (ROOT / "src/mirtrim/tasks/onset.py").read_text()
    moved = onset[onset.index(MERGE_CLOSE) :]
    source = edited(
        tmp_path,
        ("pruning/methods/trim.py", "Rank, remove, reset, train;", "Rank, cut, reset, train;"),
        ("pruning/methods/trim.py", "CHECKED_EXAMPLES = 4", "CHECKED_EXAMPLES: int = 4  # few"),
        ("training/fitting.py", "loss became", "loss has become"),
        ("tasks/onset.py", moved, ""),
        ("tasks/merging.py", "", f"import numpy as np\n\n\n{moved}"),
        (
            "tasks/onset.py",
            "from mirtrim.tasks.task import Parameters",
            "from mirtrim.tasks.merging import merge_close\n"
            "from mirtrim.tasks.task import Parameters",
        ),
        (
            "runs/rows.py",
            "    minimum_units: int = COLUMN_DEFAULTS",
            "    mood: str = 'good'\n    minimum_units: int = COLUMN_DEFAULTS",
        ),
        ("pruning/methods/nothing.py", "", NEW_METHOD),
        ("tasks/offset.py", "", NEW_TASK),
        ("pruning/criteria/nothing.py", "", NEW_CRITERION),
    )
    jobs = jobs_of(dry_run(checkout, *EVIDENCE, source=source))
    assert not (TRAIN | NEED_NETWORKS) & jobs.keys()


def test_a_changed_constant_of_a_method_trains_that_method_alone(
    checkout: Path, tmp_path: Path
) -> None:
    source = edited(
        tmp_path,
        ("pruning/methods/cram.py", "choice(0.05", "choice(0.06"),
    )
    said = dry_run(checkout, *EVIDENCE, source=source)
    runs = set(re.findall(r"All rounds of (\w+) on task (\w+), seed", said))
    tasks = ("instrument", "pitch", "chord", "drums", "onset")
    assert runs == {("cram_local", task) for task in tasks}
    jobs = jobs_of(said)
    # Three seeds on each of five tasks; the dense networks, where they start, are in no checkout.
    assert (jobs["compress"], jobs["dense"], jobs["features"]) == (15, 15, 5)


def test_a_run_that_is_taken_out_of_a_table_is_trained_alone(
    checkout: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkout"
    shutil.copytree(checkout, folder, symlinks=True)
    table = folder / "results/default/rows/pitch.csv"
    lines = read_cells(table)
    gone = "trim_magnitude_local_rewind_order_shuffled_seed2"
    write_cells(table, [line for line in lines if job_of(line) != gone], list(lines[0]))
    said = dry_run(folder, *EVIDENCE)
    found = re.findall(r"All rounds of (\w+) on task pitch, seed (\d)", said)
    assert found == [("trim_magnitude_local_rewind_order_shuffled", "2")]
    assert jobs_of(said)["dense"] == 1
