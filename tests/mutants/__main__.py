"""Plant faults one at a time, run the tests that are about them, and count which were noticed.

python -m tests.mutants                               the faults of planted.yaml
python -m tests.mutants --generated 100 --seed 24     a sample of changes made by rule
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.choosing import files_about, room_of
from tests.mutants.generating import sample
from tests.mutants.planting import plant, read_faults
from tests.mutants.running import Copy, Outcome, copy_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "mirtrim"
TESTS = ROOT / "tests"
ROOMS = ("evidence", "experiments", "pruning", "runs", "tasks", "training")
STATES = ("killed", "alive", "stopped")


@dataclass(frozen=True)
class Mutant:
    """A file with a fault, and the words for it."""

    path: Path
    text: str
    definition: str
    line: int
    about: str

    @property
    def place(self) -> str:
        """File, line and definition."""
        return f"{self.path.relative_to(PACKAGE)}:{self.line} {self.definition}"


def planted(names: list[str]) -> list[Mutant]:
    """The faults of `planted.yaml`; with names, only those whose definition has one of them."""
    mutants = []
    for fault in read_faults(Path(__file__).with_name("planted.yaml")):
        if not names or any(name in fault.definition for name in names):
            found = plant(fault, PACKAGE)
            mutants.append(
                Mutant(found.path, found.text, fault.definition, found.line, fault.reason)
            )
    return mutants


def generated(rooms: list[str], count: int, seed: int) -> list[Mutant]:
    """A sample of changes made by rule."""
    return [
        Mutant(change.path, change.text(), change.definition, change.line, change.described())
        for change in sample(PACKAGE, rooms, count, seed)
    ]


def table(counts: Counter[tuple[str, str]]) -> str:
    """Planted, killed, alive and stopped by room, in Markdown."""
    rooms = sorted({room for room, _ in counts})
    lines = [
        "| room | planted | killed | alive | stopped | killed of planted |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for room in [*rooms, "all"]:
        killed, alive, stopped = (
            sum(counts[name, state] for name in ([room] if room != "all" else rooms))
            for state in STATES
        )
        all_of = killed + alive + stopped
        share = f"{killed / all_of:.0%}" if all_of else "-"
        lines.append(f"| {room} | {all_of} | {killed} | {alive} | {stopped} | {share} |")
    return "\n".join(lines)


def measure(mutants: list[Mutant], copy: Copy, limit_seconds: float) -> list[Outcome]:
    """What becomes of each; a kill by a test that fails anyway is an error."""
    outcomes = []
    for number, mutant in enumerate(mutants, start=1):
        path = copy.folder / mutant.path.relative_to(ROOT)
        package, tests = (copy.folder / part.relative_to(ROOT) for part in (PACKAGE, TESTS))
        files = files_about(path, mutant.definition, package, tests)
        with copy.changed(path, mutant.text):
            outcome = copy.run([str(f.relative_to(copy.folder)) for f in files], limit_seconds)
        outcomes.append(outcome)
        print(
            f"{number}/{len(mutants)} {outcome.state} {outcome.seconds:.0f} s  {mutant.place}\n"
            f"    {mutant.about}\n    {outcome.test}",
            flush=True,
        )
    killers = sorted({outcome.test for outcome in outcomes if outcome.state == "killed"})
    if "" in killers:
        sys.exit("tests ended without a failure that has a name; see what pytest says")
    if killers and copy.run(killers, len(mutants) * limit_seconds).state != "alive":
        sys.exit("a test that killed a mutant fails without one as well; mend it and run again")
    return outcomes


def main() -> None:
    """Read the command line and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="only planted faults of these definitions")
    parser.add_argument("--generated", type=int, metavar="N", help="changes made by rule instead")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--rooms", nargs="+", default=list(ROOMS), help="of the sample")
    parser.add_argument("--limit", type=float, default=900, help="seconds for each")
    given = parser.parse_args()
    if given.generated:
        mutants = generated(given.rooms, given.generated, given.seed)
    else:
        mutants = planted(given.names)
    with copy_of(ROOT) as copy:
        outcomes = measure(mutants, copy, given.limit)
    counts = Counter(
        (room_of(mutant.path, PACKAGE), outcome.state)
        for mutant, outcome in zip(mutants, outcomes, strict=True)
    )
    print(table(counts))


if __name__ == "__main__":
    main()
