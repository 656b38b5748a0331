"""Verdicts of two profiles on the same claims and tasks, side by side."""

from collections.abc import Iterator

import pandas as pd

from mirtrim.analysis.markup import markdown_table
from mirtrim.analysis.verdict_tables import verdict_cell

DECIDED = {"supported", "refuted"}


def side_by_side(here: pd.DataFrame, there: pd.DataFrame, profile: str) -> Iterator[str]:
    """How often two profiles agree, then a table of every claim and task that both have run.

    Args:
        here, there: tables of verdicts (`verdict_tables.read_verdicts`).
        profile: name of the profile that `there` is of.

    Yields:
        Lines of Markdown; none if the profiles share no claim that was run.
    """
    mine, other = _run(here), _run(there)
    both = [key for key in mine.index if key in other.index]
    if not both:
        return
    kinds = {key: (mine.verdict[key], other.verdict[key]) for key in both}
    decided = {key: (a in DECIDED, b in DECIDED) for key, (a, b) in kinds.items()}
    agreed = [key for key in both if all(decided[key]) and kinds[key][0] == kinds[key][1]]
    opposite = [key for key in both if all(decided[key]) and key not in agreed]
    counts = pd.Series(list(decided.values())).value_counts()
    named = f" ({', '.join(f'{claim} on {task}' for claim, task in opposite)})" if opposite else ""
    yield (
        f"Claims about a task that were run here and in profile {profile}: {len(both)}. "
        f"The same verdict: {len(agreed)}; opposite verdicts: {len(opposite)}{named}; undecided "
        f"in {profile} alone: {counts.get((True, False), 0)}, here alone: "
        f"{counts.get((False, True), 0)}, in both: {counts.get((False, False), 0)}."
    )
    yield ""
    lines = [[*key, verdict_cell(mine.loc[key]), verdict_cell(other.loc[key])] for key in both]
    yield from markdown_table(["claim", "task", "here", profile], lines, 4)


def _run(table: pd.DataFrame) -> pd.DataFrame:
    """What was run of a table of verdicts by claim and task; not the lines of all tasks."""
    run = table[(table.task != "overall") & (table.verdict != "not run")]
    return run.set_index(["hypothesis", "task"])
