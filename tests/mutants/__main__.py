"""Plant faults one at a time, run the tests that reach them, and count which were noticed.

python -m tests.mutants                               the faults of planted.yaml
python -m tests.mutants --generated 300 --seed 24     a sample of changes made by rule

What was measured is kept in `.mutants`: a run that was ended goes on, and after a change of tests
only what they could change is measured again.
"""

import argparse
import ast
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.choosing import room_of
from tests.mutants.generating import sample
from tests.mutants.planting import plant, read_faults
from tests.mutants.reaching import MeasuredTest, about_change, digest, read_tests
from tests.mutants.running import Copy, Outcome, copy_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mirtrim"
KEPT = ROOT / ".mutants"
HERE = Path(__file__).parent
ROOMS = ("analysis", "pruning", "runs", "tasks", "training")
STATES = ("killed", "stopped", "alive", "unreached", "equivalent")
# The tests that run first end at the first failure, most often within seconds.
FIRST_SECONDS = 3.0


@dataclass(frozen=True)
class Mutant:
    """A file with a fault, and the words for it."""

    path: Path
    text: str
    definition: str
    nodes: Sequence[Any]
    about: str

    @property
    def place(self) -> str:
        """File, line and definition."""
        return f"{self.path.relative_to(PACKAGE)}:{self.nodes[0].lineno} {self.definition}"

    @property
    def key(self) -> str:
        """Tells it from every other, of another version of the file too."""
        return hashlib.sha256(f"{self.path.relative_to(ROOT)}\0{self.text}".encode()).hexdigest()


def planted(names: list[str]) -> list[Mutant]:
    """The faults of `planted.yaml`; with names, only those whose definition has one of them."""
    mutants = []
    for fault in read_faults(HERE / "planted.yaml"):
        if not names or any(name in fault.definition for name in names):
            found = plant(fault, PACKAGE)
            mutants.append(
                Mutant(found.path, found.text, fault.definition, found.nodes, fault.reason)
            )
    return mutants


def generated(rooms: list[str], count: int, seed: int) -> list[Mutant]:
    """A sample of changes made by rule."""
    return [
        Mutant(change.path, change.text(), change.definition, change.nodes, change.described())
        for change in sample(PACKAGE, rooms, count, seed)
    ]


def equivalent() -> set[tuple[Path, str]]:
    """Files and trees of the changes that are known to change nothing, as `equivalent.yaml` lists
    them.
    """
    found = (plant(fault, PACKAGE) for fault in read_faults(HERE / "equivalent.yaml"))
    return {(one.path, ast.dump(ast.parse(one.text))) for one in found}


def table(counts: Counter[tuple[str, str]]) -> str:
    """What became of the mutants by room, in Markdown; equivalent ones are not in the share."""
    rooms = sorted({room for room, _ in counts})
    lines = [
        f"| room | planted | {' | '.join(STATES)} | killed of the rest |",
        f"| --- |{' ---: |' * (len(STATES) + 2)}",
    ]
    for room in [*rooms, "all"]:
        found = [
            sum(counts[name, state] for name in ([room] if room != "all" else rooms))
            for state in STATES
        ]
        counted = sum(found) - found[-1]
        share = f"{found[0] / counted:.0%}" if counted else "-"
        lines.append(f"| {' | '.join(map(str, [room, sum(found), *found, share]))} |")
    return "\n".join(lines)


def files_of(rooms: Sequence[str], tests: Path) -> list[str]:
    """Files of tests of rooms, from the folder above `tests`."""
    files = [file for room in rooms for file in sorted((tests / room).rglob("test_*.py"))]
    return [file.relative_to(tests.parent).as_posix() for file in files]


def reached(
    copy: Copy, files: Sequence[str], kept: Path, limit_seconds: float
) -> list[MeasuredTest]:
    """The tests of files with the lines that they reach, measured where that is not kept."""
    folder = kept / f"reached-{digest(*sorted(PACKAGE.rglob('*.py')))}"
    folder.mkdir(parents=True, exist_ok=True)
    tests = []
    for number, file in enumerate(files, start=1):
        path = folder / f"{file.replace('/', '.')}.{digest(copy.folder / file)}.jsonl"
        if not path.exists():
            copy.reach(file, copy.folder / PACKAGE.relative_to(ROOT), path, limit_seconds)
            print(f"lines {number}/{len(files)} {file}", flush=True)
        tests += read_tests(path)
    return tests


class Record:
    """What became of mutants, as kept in a file of one line for each.

    Attributes:
        path: the file.
        folder: where the tests are.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.lines: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self.lines[json.loads(line)["key"]] = json.loads(line)

    def find(self, mutant: Mutant, about: Sequence[MeasuredTest]) -> Outcome | None:
        """What is known, if the tests that say so are still the same: for a kill the one file."""
        line = self.lines.get(mutant.key)
        if line is None:
            return None
        if line["state"] == "killed":
            file = self.folder / line["test"].partition("::")[0]
            same = file.exists() and digest(file) == line["of"]
        else:
            same = line["of"] == self._of(about)
        return Outcome(line["state"], line["test"], line["seconds"]) if same else None

    def keep(self, mutant: Mutant, about: Sequence[MeasuredTest], outcome: Outcome) -> None:
        """Add a line."""
        killed = outcome.state == "killed"
        of = digest(self.folder / outcome.test.partition("::")[0]) if killed else self._of(about)
        line = {
            "key": mutant.key,
            "place": mutant.place,
            "about": mutant.about,
            "state": outcome.state,
            "test": outcome.test,
            "seconds": round(outcome.seconds, 1),
            "of": of,
        }
        self.lines[mutant.key] = line
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")

    def _of(self, about: Sequence[MeasuredTest]) -> str:
        files = sorted({self.folder / test.name.partition("::")[0] for test in about})
        return digest(*files)


def outcome_of(
    copy: Copy, mutant: Mutant, about: Sequence[MeasuredTest], budget_seconds: float
) -> Outcome:
    """Run the tests about a mutant, up to the first failure or the budget.

    Args:
        copy: where the tests run.
        mutant: the fault.
        about: tests that reach it, the ones to run first at the front.
        budget_seconds: the sum of what the tests take without a fault; those after it do not run.

    Returns:
        "unreached" if there are no tests; "alive" if none that ran failed; "stopped" if they took
        four times as long as without the fault, and 20 s.
    """
    if not about:
        return Outcome("unreached", "", 0.0)
    path = copy.folder / mutant.path.relative_to(ROOT)
    parts: list[list[MeasuredTest]] = [[], []]
    spent = seconds = 0.0
    for test in about:
        spent += test.seconds + 0.02
        if spent > budget_seconds and parts[0]:
            break
        parts[spent > FIRST_SECONDS and bool(parts[0])].append(test)
    for part in filter(None, parts):
        limit = 20 + 4 * sum(test.seconds + 0.1 for test in part)
        with copy.changed(path, mutant.text):
            outcome = copy.run([test.name for test in part], limit)
        seconds += outcome.seconds
        if outcome.state != "alive":
            break
    return Outcome(outcome.state, outcome.test, seconds)


def measure(
    mutants: list[Mutant], copy: Copy, tests: list[MeasuredTest], given: Any
) -> list[Outcome]:
    """What becomes of each; a kill by a test that fails anyway is an error."""
    known = equivalent()
    record = Record(KEPT / "outcomes.jsonl", copy.folder)
    outcomes = []
    for number, mutant in enumerate(mutants, start=1):
        tree = ast.dump(ast.parse(mutant.text))
        # One more than 1e30 is 1e30.
        same = tree == ast.dump(ast.parse(mutant.path.read_text(encoding="utf-8")))
        if same or (mutant.path, tree) in known:
            outcomes.append(Outcome("equivalent", "", 0.0))
            continue
        about = about_change(mutant.path, mutant.definition, mutant.nodes, PACKAGE, tests)
        outcome = record.find(mutant, about)
        if outcome is None:
            outcome = outcome_of(copy, mutant, about, given.budget)
            if outcome.state == "killed" and not outcome.test:
                sys.exit(f"{mutant.place}: no test has a failure; see {copy.folder}/mutant.log")
            record.keep(mutant, about, outcome)
        outcomes.append(outcome)
        print(
            f"{number}/{len(mutants)} {outcome.state} {outcome.seconds:.0f} s  {mutant.place}\n"
            f"    {mutant.about}\n    {outcome.test}",
            flush=True,
        )
    killers = sorted({outcome.test for outcome in outcomes if outcome.state == "killed"})
    if killers and (found := copy.run(killers, 3600)).state != "alive":
        sys.exit(f"{found.test} fails without a fault as well; mend it and run again")
    return outcomes


def main() -> None:
    """Read the command line and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only planted faults of these definitions")
    parser.add_argument("--generated", type=int, metavar="N", help="changes made by rule instead")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), help="of the sample")
    parser.add_argument(
        "--budget", type=float, default=20, help="seconds of tests for each, without a fault"
    )
    parser.add_argument("--limit", type=float, default=30, help="seconds of tests of a file")
    given = parser.parse_args()
    if given.generated:
        mutants = generated(given.rooms, given.generated, given.seed)
    else:
        mutants = planted(given.names)
    rooms = sorted({room_of(mutant.path, PACKAGE) for mutant in mutants})
    with copy_of(ROOT) as copy:
        tests = reached(copy, files_of(rooms, ROOT / "tests"), KEPT, given.limit)
        outcomes = measure(mutants, copy, tests, given)
    counts = Counter(
        (room_of(mutant.path, PACKAGE), outcome.state)
        for mutant, outcome in zip(mutants, outcomes, strict=True)
    )
    print(table(counts))


if __name__ == "__main__":
    main()
