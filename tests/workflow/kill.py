"""Kill a tiny replication at random moments; it must end as an undisturbed one does, bit by bit,
and train no epoch twice.

Run from the root of the repository: python -m tests.workflow.kill [--kills 20] [--seed 0]
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

from tests.workflow.conftest import command, environment, make_folder

# Everything in a row that is measured with a clock.
CLOCK = ["train_seconds", "total_train_seconds"]
# Longer than the tests' trainings, so that kills find them at work.
CHANGES = {
    "tasks/onset/training": {"epochs": 8, "examples_per_epoch": 512},
    "corpora/mini_groove_midi/pieces": {"train": 12, "validation": 4, "test": 4},
}
EPOCH_LINE = re.compile(r"(\S.*? \| epoch \d+) of at most")
POLL_SECONDS = 0.002
SCRIPTS_SECONDS = 0.1  # to look for processes takes longer than to look for files
PATIENCE_SECONDS = 600


# Scripts in the order in which a run comes to them.
WAY = ("corpus", "features", "dense", "compress", "collect", "task_results", "overview")


@dataclass(frozen=True)
class Moment:
    """When to kill.

    Attributes:
        name: for the summary.
        script: the kill comes when this script is at work, or a later one: an earlier kill may
            have come when there was little left to do.
        file: and, unless it is a later one, when a file with such a path is written.
        within_seconds: the kill comes up to so much later.
    """

    name: str
    script: str
    file: re.Pattern[str] | None
    within_seconds: float

    def come(self, scripts: set[str], written: set[Path]) -> bool:
        """Whether it has come, by the scripts at work and the files written just now."""
        places = [WAY.index(name) for name in scripts if name in WAY]
        place = WAY.index(self.script)
        if self.file is None or any(other > place for other in places):
            return any(other >= place for other in places)
        return any(self.file.search(str(path)) for path in written)


def moment(name: str, script: str, within_seconds: float, file: str | None = None) -> Moment:
    """A moment; `file` is a pattern."""
    return Moment(name, script, re.compile(file) if file else None, within_seconds)


HIDDEN = r"/\.[^/]+\.0\.(safetensors|json|csv|flac|mid)$"
RENDER = moment("in corpus", "corpus", 2.0)
PIECE = moment("after a rendered piece", "corpus", 0.05, r"corpora/.*\.flac$")
FEATURES = moment("in features", "features", 2.0)
STORE = moment("while features are written", "features", 0.05, r"features/.*\.partial/")
DENSE_EPOCH = moment("in an epoch of dense", "dense", 0.2, r"resume/.*/fit\.safetensors$")
WRITING_DENSE = moment("while dense writes", "dense", 0.0, f"(resume|results)/.*{HIDDEN}")
EPOCH = moment("in an epoch of a round", "compress", 0.2, r"resume/.*/fit-\d+-0\.safetensors$")
WRITING = moment("while a round writes", "compress", 0.0, f"(resume|results)/.*{HIDDEN}")
BETWEEN = moment("between rounds", "compress", 0.02, r"resume/.*/round-\d+/complete\.json$")
ROWS = moment("when rows are written", "compress", 0.5, r"results/.*/rows/.*/[^.][^/]*\.csv$")
COLLECT = moment("in collect", "collect", 1.0)
RESULTS = moment("in task_results", "task_results", 2.0)
OVERVIEW = moment("in overview", "overview", 1.0)


def moments(kills: int, rng: random.Random) -> list[Moment]:
    """A moment for each kill, spread over the whole way, in the order in which they come."""
    way = [
        RENDER, PIECE, FEATURES, STORE, DENSE_EPOCH, WRITING_DENSE, DENSE_EPOCH, EPOCH, WRITING,
        BETWEEN, EPOCH, WRITING, ROWS, COLLECT, RESULTS, OVERVIEW,
    ]  # fmt: skip
    chosen = sorted(rng.choices(range(len(way)), k=max(0, kills - len(way))))
    places = sorted([*rng.sample(range(len(way)), min(kills, len(way))), *chosen])
    return [way[place] for place in places]


@dataclass(frozen=True)
class Kill:
    """What a kill met.

    Attributes:
        moment: for which it was meant.
        struck: False if the run had ended by itself before.
        at_work: names of the scripts that were being executed.
    """

    moment: Moment
    struck: bool
    at_work: set[str]


@dataclass(frozen=True)
class Story:
    """What happened in a folder, from the first start to the end.

    Attributes:
        kills: in their order.
        lines: (name of the log, line) of all logs; Snakemake deletes those of killed jobs.
    """

    kills: list[Kill]
    lines: set[tuple[str, str]]


def kill_at(run: subprocess.Popen, folder: Path, moment: Moment, rng: random.Random) -> Kill:
    """Wait until `moment`, then kill a run and everything that it has started."""
    seen = dict(_files(folder))
    begun, deadline = False, time.monotonic() + PATIENCE_SECONDS
    scripts: set[str] = set()
    looked = 0.0
    while not begun and run.poll() is None:
        time.sleep(POLL_SECONDS)
        now = dict(_files(folder))
        new = {path for path, stamp in now.items() if seen.get(path) != stamp}
        seen = now
        if time.monotonic() - looked > SCRIPTS_SECONDS:
            scripts, looked = scripts_at_work(run.pid), time.monotonic()
        begun = moment.come(scripts, new)
        if time.monotonic() > deadline:
            break
    time.sleep(rng.uniform(0, moment.within_seconds))
    working = scripts_at_work(run.pid)
    struck = run.poll() is None
    _kill(run)
    return Kill(moment, struck, working)


def _kill(run: subprocess.Popen) -> None:
    """SIGKILL to the whole process group, and to whoever has left it."""
    try:
        family = psutil.Process(run.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    run.wait()
    psutil.wait_procs(family, timeout=10)


def _files(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    for root in ("data", "results"):
        for where, _, names in os.walk(folder / root):
            for name in names:
                try:
                    status = os.stat(os.path.join(where, name))
                except FileNotFoundError:
                    continue
                yield Path(where, name), (status.st_mtime_ns, status.st_ino)


def scripts_at_work(pid: int) -> set[str]:
    """Names of the workflow's scripts that a Snakemake process is executing."""
    found = set()
    try:
        for process in psutil.Process(pid).children(recursive=True):
            words = " ".join(process.cmdline())
            found |= set(re.findall(r"scripts/tmp\w+\.(\w+)\.py", words))
    except psutil.NoSuchProcess:
        pass
    return found


def differences(one: Path, other: Path) -> list[str]:
    """What differs between two finished folders, apart from what a clock measures."""
    found = []
    kinds = ("data", "results/tiny", "figures/tiny")
    paths = [
        {
            path.relative_to(folder)
            for kind in kinds
            for path in (folder / kind).rglob("*")
            if path.is_file()
            and not {"logs", "benchmarks", "learning"} & set(path.parts)
            # Learning curves are read from logs, and a log is of one process.
            and not path.stem.endswith("_learning")
        }
        for folder in (one, other)
    ]
    found += [f"{path} is in one folder only" for path in sorted(paths[0] ^ paths[1])]
    for path in sorted(paths[0] & paths[1]):
        contents = [(folder / path).read_bytes() for folder in (one, other)]
        if path.suffix == ".csv" and path.parts[0] == "results" and contents[0] != contents[1]:
            contents = [_timeless(folder / path) for folder in (one, other)]
        if contents[0] != contents[1]:
            found.append(f"{path} differs")
    return found


def _timeless(path: Path) -> bytes:
    table = pd.read_csv(path, dtype=str)
    return table.drop(columns=[name for name in CLOCK if name in table]).to_csv().encode()


def log_lines(folder: Path) -> set[tuple[str, str]]:
    """(Name of the log, line) of all trainings that Snakemake has not started again since."""
    return {
        (log.stem, line)
        for kind in ("dense", "compress")
        for log in (folder / "results/tiny/logs" / kind).glob("*.log")
        for line in log.read_text().splitlines()
    }


def epochs(lines: set[tuple[str, str]]) -> Counter[str]:
    """How often every epoch of every training was finished."""
    return Counter(
        f"{name}: {found[1].split(' INFO ')[-1]}"
        for name, line in lines
        if (found := EPOCH_LINE.search(line))
    )


def killed_run(
    folder: Path,
    plan: list[Moment],
    rng: random.Random,
    changes: dict | None = None,
    tell: Callable[[int, Kill], None] = lambda number, kill: None,
) -> Story:
    """Run with a kill at every moment of `plan`, then to the end.

    Raises:
        RuntimeError: the last run failed.
    """
    make_folder(folder)
    story = Story([], set())
    terminal = folder / "terminal.txt"

    def start() -> subprocess.Popen:
        with open(terminal, "ab") as stream:
            return subprocess.Popen(
                command(folder, changes=changes), cwd=folder, env=environment(),
                stdout=stream, stderr=stream, start_new_session=True,
            )  # fmt: skip

    for number, moment in enumerate(plan, start=1):
        story.kills.append(kill_at(start(), folder, moment, rng))
        story.lines.update(log_lines(folder))
        tell(number, story.kills[-1])
    if start().wait() != 0:
        raise RuntimeError(f"the last run failed:\n{terminal.read_text()[-3000:]}")
    story.lines.update(log_lines(folder))
    return story


def _tell(number: int, kill: Kill) -> None:
    what = "killed" if kill.struck else "the run had ended before"
    at_work = ", ".join(sorted(kill.at_work)) or "Snakemake alone"
    print(f"{number:2}. {kill.moment.name}: {what}; at work: {at_work}", flush=True)


def main() -> None:
    """Compare an undisturbed run with one that is killed again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="how many kills (default 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default 0)")
    parser.add_argument("--folder", type=Path, help="keep the two runs here")
    choices = parser.parse_args()
    rng = random.Random(choices.seed)
    with tempfile.TemporaryDirectory() as temporary:
        home = choices.folder or Path(temporary)
        undisturbed, killed = home / "undisturbed", home / "killed"
        once = epochs(killed_run(undisturbed, [], rng, CHANGES).lines)
        story = killed_run(killed, moments(choices.kills, rng), rng, CHANGES, tell=_tell)
        often, struck = epochs(story.lines), sum(kill.struck for kill in story.kills)
        again = often - once
        found = differences(undisturbed, killed)
        print(
            f"{struck} kills; {sum(once.values())} epochs, {sum(again.values())} of them trained "
            f"again after they had ended; {len(found)} differences"
        )
        for line in [*again, *found]:
            print(line)
    sys.exit(1 if found or again or struck < choices.kills else 0)


if __name__ == "__main__":
    main()
