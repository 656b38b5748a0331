"""What Snakemake adds to the work, how long evidence takes, and how busy the cores are.

python benchmarks/workflow.py            # overhead of a job; from rows to tables, figures, report
python benchmarks/workflow.py busy       # the whole smoke profile on two cores, alone, minutes

Everything runs in scratch folders. CPU time is that of a process and all processes it waited for.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from timing import print_table

ROOT = Path(__file__).resolve().parents[1]
REPEATS = 5
FEW, MANY = 4, 24  # empty jobs
CORES = 2
# What jobs with networks have left; everything else of the evidence is made from it.
COMMITTED = [
    f"results/default/{name}" for name in ("rows", "pieces", "exports", "latency", "arenas")
]
PARTS = ("Snakefile", "workflow", "config", "profiles", "CITATION.cff")
SNAKEMAKE = (sys.executable, "-m", "snakemake", "--quiet", "all")

EMPTY = """
rule all:
    input: expand("{n}.txt", n=range(int(config["jobs"])))
rule empty:
    output: "{n}.txt"
    script: "empty.py"
"""
EMPTY_SCRIPT = "open(snakemake.output[0], 'w').close()\n"

STARTS = {
    "Python": "pass",
    "with what a job of the evidence imports": "import mirtrim.analysis.figures.catalogue",
    "with what a training job imports": "import mirtrim.runs.jobs.compress",
}


@dataclass(frozen=True)
class Spent:
    """Of one command: seconds on the clock and of all its processes, MB of the largest one."""

    wall: float
    cpu: float
    peak_mb: float


def spent(command: Sequence[str], folder: Path) -> Spent:
    """Run a command to its end; one that fails ends this program with what it said."""
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(said.read().decode(errors="replace")[-3000:])
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(command: Sequence[str], folder: Path, repeats: int = REPEATS) -> Spent:
    """Medians over several runs, after one to warm up."""
    runs = [spent(command, folder) for _ in range(repeats + 1)][1:]
    return Spent(
        *(statistics.median(getattr(r, name) for r in runs) for name in ("wall", "cpu", "peak_mb"))
    )


def line(what: str, one: Spent) -> list[str]:
    """A line of the table."""
    return [what, f"{one.wall:.2f}", f"{one.cpu:.2f}", f"{one.peak_mb:.0f}"]


def empty_jobs(jobs: int, folder: Path) -> Spent:
    """A workflow of so many jobs that do nothing, from the start, on one core."""
    for old in folder.glob("*.txt"):
        old.unlink()
    shutil.rmtree(folder / ".snakemake", ignore_errors=True)
    return spent([*SNAKEMAKE, "--cores", "1", "--config", f"jobs={jobs}"], folder)


def overhead(folder: Path) -> list[list[str]]:
    """Python, imports, Snakemake."""
    rows = [line(name, median([sys.executable, "-c", code], folder))
            for name, code in STARTS.items()]  # fmt: skip
    scratch = folder / "empty"
    scratch.mkdir()
    (scratch / "Snakefile").write_text(EMPTY)
    (scratch / "empty.py").write_text(EMPTY_SCRIPT)
    pairs = [(empty_jobs(FEW, scratch), empty_jobs(MANY, scratch)) for _ in range(REPEATS)]
    per_job = Spent(
        statistics.median((many.wall - few.wall) / (MANY - FEW) for few, many in pairs),
        statistics.median((many.cpu - few.cpu) / (MANY - FEW) for few, many in pairs),
        max(many.peak_mb for _, many in pairs),
    )
    rows.append(line("Snakemake, for each empty job, its Python included", per_job))
    whole = folder / "plan"
    linked(whole)
    plan = [*SNAKEMAKE, "-n", "--cores", "1", "tables", "figures"]
    rows.append(line("plan of the default profile (`snakemake -n`)", median(plan, whole, 3)))
    return rows


def linked(folder: Path) -> None:
    """A working folder with the workflow and nothing made."""
    folder.mkdir()
    for name in PARTS:
        (folder / name).symlink_to(ROOT / name)


def evidence(folder: Path) -> list[list[str]]:
    """From the committed rows to everything that a reader sees."""
    rows = []
    for targets in (["tables", "figures"], ["report"]):
        scratch = folder / "-".join(targets)
        linked(scratch)
        tracked = subprocess.run(
            ["git", "ls-files", "-z", *COMMITTED],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for name in filter(None, tracked.split("\0")):
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, scratch / name)
        command = [*SNAKEMAKE, "--cores", str(CORES), *targets]
        rows.append(
            line(f"`snakemake --cores {CORES} {' '.join(targets)}`", spent(command, scratch))
        )
    return rows


def busy(folder: Path) -> None:
    """The smoke profile from nothing."""
    scratch = folder / "smoke"
    linked(scratch)
    one = spent([*SNAKEMAKE, "--cores", str(CORES), "--configfile", "config/smoke.yaml"], scratch)
    print_table(["what", "wall, s", "CPU, s", "largest process, MB"], [line("smoke profile", one)])
    print(f"wall / (CPU / {CORES}) = {one.wall / (one.cpu / CORES):.2f}")


def main() -> None:
    """Print the tables."""
    os.environ |= {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    parser = argparse.ArgumentParser(description="what Snakemake costs beside the trainings")
    parser.add_argument("what", nargs="?", choices=["busy"], help="the smoke profile instead")
    is_busy = parser.parse_args().what == "busy"
    with tempfile.TemporaryDirectory() as place:
        if is_busy:
            busy(Path(place))
            return
        head = ["what", "wall, s", "CPU, s", "largest process, MB"]
        print_table(head, [*overhead(Path(place)), *evidence(Path(place))])


if __name__ == "__main__":
    main()
