"""Tables of results: one of rows and one of scores per piece for each task of a profile.

A job writes files of its own (`results/<profile>/jobs/…`, not committed) and, as it ends, records
them in the tables of its task (`results/<profile>/rows/<task>.csv` and `pieces/<task>.csv.gz`,
committed). So what has finished is never lost, and a clone has everything in a dozen files.

Cells are copied as text: a number that went through a table is the same number, digit for digit.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mirtrim.pruning.settings import COLUMN_DEFAULTS, PruningSettings
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import atomic_path, wait_for_lock

Cells = dict[str, str]
MEASURED = ("exports", "arenas", "latency", "inspections", "connectivity", "merging", "singular")
KINDS = {kind: ".csv" for kind in ("rows", *MEASURED)} | dict.fromkeys(
    ("pieces", "learning"), ".csv.gz"
)


def table_path(results: Path, kind: str, task: str) -> Path:
    """The table of a task below the results of a profile.

    Args:
        kind: "rows"; "pieces", scores of each test piece; "exports", bytes and errors of exported
            networks; "arenas", what microcontrollers need; "latency"; "inspections", calibration
            and units left; "connectivity", error barriers; "merging", trunks of two tasks;
            "singular", directions of weights;
            "learning", losses of epochs.
    """
    return results / kind / f"{task}{KINDS[kind]}"


def job_path(results: Path, kind: str, task: str, job: str) -> Path:
    """The file of one job, "<run>_seed<seed>", of that kind."""
    return results / "jobs" / kind / task / f"{job}.csv"


def record(job_file: Path) -> None:
    """Put the content of a job's file into the table of its task, in the place of what the table
    had of that job. A table that would not change is not written.

    Args:
        job_file: a path as `job_path` makes it.

    Raises:
        ArtefactError: the file or the table is damaged.
    """
    task, kind = job_file.parent.name, job_file.parent.parent.name
    table = table_path(job_file.parents[3], kind, task)
    new = read_cells(job_file)
    if not new:
        raise ArtefactError(f"{job_file} holds no lines; delete it and run again")
    mine = {job_of(line) for line in new}
    with _alone(job_file.parent / ".recording"):
        old = read_cells(table) if table.exists() else []
        kept = [line for line in old if job_of(line) not in mine]
        # Pieces of a network stay in their order: sorting is stable.
        lines = sorted([*kept, *new], key=_place)
        columns = _columns([*lines[:1], *new[:1], *old[:1]])
        if [_full(line, columns) for line in old] != [_full(line, columns) for line in lines]:
            write_cells(table, lines, columns)


def tell_variant(job_file: Path, values: Mapping[str, float]) -> None:
    """Write into every row of a job's file which variant of its task it is of.

    Args:
        values: dimension → level, such as {"width": 0.5, "epochs": 6}.
    """
    lines = read_cells(job_file)
    told = json.dumps(dict(values))
    write_cells(job_file, [{**line, "variant": told} for line in lines], [*lines[0], "variant"])


def restore(results: Path) -> None:
    """Record every job's file that a table has no line of: lines were taken out by hand, or the
    table is an older one. What has finished is not computed again.

    Args:
        results: folder of the results of a profile.
    """
    for kind in KINDS:
        for folder in sorted((results / "jobs" / kind).glob("*/")):
            known = jobs_in(table_path(results, kind, folder.name))
            for path in sorted(folder.glob("*.csv")):
                if not {job_of(line) for line in read_cells(path)} <= known.keys():
                    record(path)


def job_of(line: Mapping[str, str]) -> str:
    """The job that a line of a table comes from, "<run>_seed<seed>"."""
    return f"{PruningSettings.of_columns(line).name}_seed{line['seed']}"


def read_cells(path: Path) -> list[Cells]:
    """The lines of a table or of a job's file, as text.

    Raises:
        ArtefactError: the file is damaged.
    """
    try:
        with _opened(path) as stream:
            lines = list(csv.DictReader(stream))
        for line in lines:
            if None in line or None in line.values() or "seed" not in line:
                raise ValueError("a line has too few or too many cells")
            PruningSettings.of_columns(line)
    except (ValueError, LookupError, TypeError, csv.Error, EOFError, gzip.BadGzipFile) as error:
        raise ArtefactError(f"{path} is damaged ({error}); delete it and run again") from error
    return lines


def write_cells(path: Path, lines: Sequence[Cells], columns: Sequence[str]) -> None:
    """Write a table, compressed if its name says so, in one step; the same lines, the same
    bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(_full(line, columns) for line in lines)
    content = text.getvalue().encode()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def jobs_in(path: Path) -> dict[str, list[Cells]]:
    """The lines of each job in a table of rows, by the name of the job; empty without a table."""
    found: dict[str, list[Cells]] = {}
    if path.exists():
        for line in read_cells(path):
            found.setdefault(job_of(line), []).append(line)
    return found


def _columns(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Columns of the first line, then those that others have besides; new ones come last."""
    return list(dict.fromkeys(name for line in lines for name in line))


def _full(line: Cells, columns: Sequence[str]) -> Cells:
    return {name: line.get(name, str(COLUMN_DEFAULTS.get(name, ""))) for name in columns}


def _place(line: Cells) -> tuple[str, int, float]:
    return PruningSettings.of_columns(line).name, int(line["seed"]), float(line["target_ratio"])


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    opener: Callable[..., IO[str]] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as stream:
        yield stream


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time change a table."""
    with open(path, "ab") as stream:
        wait_for_lock(stream.fileno())
        yield
