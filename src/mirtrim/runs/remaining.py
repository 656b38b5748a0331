"""An estimate of the time that pending trainings take, from finished ones.

Every row has the duration of its training and the machine. The estimate for a remaining job is that
of, in this order,

1. the same run of the same task with other seeds: its mean seconds per round, times its rounds;
2. other runs of the task: the mean seconds of one training, times the rounds;
3. of tasks that differ from it in their dense settings alone (variants), the one nearest in work:
   the mean seconds of one of its trainings, times the ratio of the work, times the rounds. Work is
   epochs · units², because multiply-accumulates of most layers grow with inputs · outputs. The
   nearest, because small networks are slower than that.

Rows of this machine take precedence over those of others. If no estimate is possible, the message
says so; corpora, features and figures are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import fmean

# Rows as `runs.tables` reads them: task → job → its lines.
Rows = Mapping[str, Mapping[str, Sequence[Mapping[str, str]]]]


@dataclass(frozen=True)
class Pending:
    """A job that is left.

    Attributes:
        rounds: how many trainings it has.
    """

    task: str
    run: str
    rounds: int = 1


@dataclass(frozen=True)
class Work:
    """The relative cost of one dense training of a task, among tasks of one `kind`.

    Attributes:
        kind: the task that it is a variant of, or itself.
        amount: epochs · units², relative to others of the kind.
    """

    kind: str
    amount: float


@dataclass(frozen=True)
class Estimate:
    """Seconds of one job, None if nothing is known; whether they were taken on this machine."""

    seconds: float | None
    here: bool = True


def about(
    jobs: Sequence[Pending], rows: Rows, work: Mapping[str, Work], machine: str, cores: int
) -> str | None:
    """One line that says about how long the jobs take on `cores` cores; None without jobs.

    Args:
        rows: of all tasks.
        work: of all tasks.
        machine: this one, as rows name it.
    """
    if not jobs:
        return None
    found = [estimate(job, rows, work, machine) for job in jobs]
    known = [e.seconds for e in found if e.seconds is not None]
    counts: dict[str, int] = {}
    for job, one in zip(jobs, found, strict=True):
        if one.seconds is None:
            kind = work[job.task].kind if job.task in work else job.task
            counts[kind] = counts.get(kind, 0) + 1
    unknown = ", ".join(f"{task} ({count})" for task, count in counts.items())
    nothing = f"no estimate for {unknown}, which has no rows"
    left = f"{len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} of training left"
    if not known:
        return f"{left}; {nothing}"
    # Jobs are not divided: the longest one is the least that it takes.
    seconds = max(sum(known) / cores, *known)
    elsewhere = any(e.seconds is not None and not e.here for e in found)
    source = "partly on other machines" if elsewhere else "on this machine"
    on = "1 core" if cores == 1 else f"{cores} cores"
    line = f"{left}, about {in_words(seconds)} on {on}, estimated from finished jobs {source}"
    return f"{line}; {nothing}" if unknown else line


def estimate(job: Pending, rows: Rows, work: Mapping[str, Work], machine: str) -> Estimate:
    """Seconds of one job, by the first of the three ways that has rows."""
    of_task = rows.get(job.task, {})
    same = [lines for name, lines in of_task.items() if _run(name) == job.run]
    if same:
        here = [lines for lines in same if all(line["machine"] == machine for line in lines)]
        each = [_seconds(lines) / len(lines) for lines in here or same]
        return Estimate(fmean(each) * job.rounds, bool(here))
    siblings = [job.task]
    if not of_task and job.task in work:
        mine = work[job.task]
        siblings = [name for name, other in work.items() if other.kind == mine.kind]
        siblings = [name for name in siblings if rows.get(name)]
        siblings = sorted(siblings, key=lambda name: abs(log(mine.amount / work[name].amount)))[:1]
    lines = [
        (name, line)
        for name in siblings
        for of_job in rows.get(name, {}).values()
        for line in of_job
    ]
    ours = [(name, line) for name, line in lines if line["machine"] == machine]
    if not lines:
        return Estimate(None)
    each = [
        float(line["train_seconds"]) * _scale(work, job.task, name) for name, line in ours or lines
    ]
    return Estimate(fmean(each) * job.rounds, bool(ours))


def in_words(seconds: float) -> str:
    """45 as "1 min", 5400 as "1.5 h": a rough number, and no digits that it does not have."""
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36000 else f"{seconds / 3600:.0f} h"


def _scale(work: Mapping[str, Work], task: str, other: str) -> float:
    return 1.0 if task == other else work[task].amount / work[other].amount


def _seconds(lines: Sequence[Mapping[str, str]]) -> float:
    """All trainings of a job. Some methods train several times per round, but a row records only
    the last training: their number is that of the first row less the dense training."""
    parts = max(1, min(int(line["trainings"]) for line in lines) - 1) if _repeats(lines) else 1
    return parts * sum(float(line["train_seconds"]) for line in lines)


def _repeats(lines: Sequence[Mapping[str, str]]) -> bool:
    """Whether rounds have several trainings, so that one row counts more than its round does."""
    return min(int(line["trainings"]) - int(line["round"]) for line in lines) > 1


def _run(job: str) -> str:
    return job.rpartition("_seed")[0]
