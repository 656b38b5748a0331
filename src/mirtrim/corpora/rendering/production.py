"""Making the tracks of a rendered corpus in parallel, safely against kills and full disks."""

import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from mirtrim.corpora import layout
from mirtrim.corpora.progress import Progress
from mirtrim.utils import files
from mirtrim.utils.errors import ArtefactError, CorpusError


class Job(Protocol):
    """One track to make. Must be picklable."""

    @property
    def track_id(self) -> str:
        """Name of the track in the index."""

    @property
    def files(self) -> Mapping[str, str]:
        """What `make` writes: key of the index → path below the corpus' folder."""

    def make(self, data_home: Path) -> None:
        """Write the files of the track."""


@dataclass(frozen=True)
class Form:
    """What rendered corpora of one loader have in common.

    Attributes:
        folder: the one below this that decides, with this one, how a track sounds; a change
            there makes older tracks stale.
        owned: patterns of the files that only a corpus has, tables of tracks included.
        tables: key of the index → (file name, content) of each table of tracks.
        absent: keys that the loader expects in the index and these corpora have no file for.
    """

    folder: str
    owned: Sequence[str]
    tables: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    absent: Sequence[str] = ()


def produce(
    data_home: Path,
    plan: Mapping[str, Any],
    jobs: Sequence[Job],
    workers: int,
    progress: Progress | None,
    form: Form,
) -> None:
    """Bring a folder to the state that `plan` and `jobs` describe.

    Finished tracks of the same plan are kept, damaged ones are made again. The index is
    written last, so a folder with an index is complete.

    Args:
        plan: JSON-able parameters; together with the code that makes tracks they identify
            the content. A folder made by another plan is made again.
        progress: called with (tracks ready, tracks in all).

    Raises:
        CorpusError: the folder holds something else, the disk is full, or a track fails.
    """
    plan = {**plan, "recipe": _recipe(form.folder)}
    with layout.disk_errors(data_home):
        data_home.mkdir(parents=True, exist_ok=True)
        _adopt(data_home, plan, form.owned)
        pending = [job for job in jobs if not _finished(data_home, job)]
        pending += _damaged(data_home, jobs)
        if not pending and (data_home / layout.INDEX_NAME).exists():
            return
        (data_home / layout.INDEX_NAME).unlink(missing_ok=True)
    done = len(jobs) - len(pending)
    for _ in _run(data_home, pending, workers):
        done += 1
        if progress is not None:
            progress(done, len(jobs))
    tables = {}
    for key, (name, content) in form.tables.items():
        layout.write_bytes(data_home / name, content)
        tables[key] = [name, layout.md5_of_file(data_home / name)]
    tracks: dict[str, dict[str, list[str | None]]] = {
        job.track_id: {
            **{key: [None, None] for key in form.absent},
            **{
                key: [name, layout.md5_of_file(data_home / name)] for key, name in job.files.items()
            },
        }
        for job in jobs
    }
    layout.write_index(data_home, files.sha256_of_value(plan)[:12], tables, tracks)


def _recipe(folder: str) -> str:
    """Digest of the code that decides how the tracks of a corpus sound."""
    home = Path(__file__).parent
    sources = sorted([*home.glob("*.py"), *(home / folder).glob("*.py")])
    return files.sha256_of_value(
        {source.relative_to(home).as_posix(): files.sha256_of_file(source) for source in sources}
    )


def _adopt(data_home: Path, plan: Mapping[str, Any], owned: Sequence[str]) -> None:
    """Make the folder ours: clear tracks of another plan, refuse folders of other origin."""
    path = data_home / layout.PLAN_NAME
    try:
        known = files.read_json(path) if path.exists() else None
    except ArtefactError:
        known = {}
    if known == plan:
        return
    stale = [found for pattern in owned for found in sorted(data_home.glob(pattern))]
    if known is None and stale:
        raise CorpusError(
            f"{data_home}: holds a corpus that was not rendered here; choose another folder"
        )
    (data_home / layout.INDEX_NAME).unlink(missing_ok=True)
    for found in stale:
        found.unlink()
    files.write_json(path, dict(plan))


def _finished(data_home: Path, job: Job) -> bool:
    return all((data_home / name).exists() for name in job.files.values())


def _damaged(data_home: Path, jobs: Sequence[Job]) -> list[Job]:
    """Jobs whose files exist but differ from the index."""
    if not (data_home / layout.INDEX_NAME).exists():
        return []
    try:
        index = layout.read_index(data_home / layout.INDEX_NAME)
    except CorpusError:
        return list(filter(lambda job: _finished(data_home, job), jobs))
    return [
        job
        for job in jobs
        if _finished(data_home, job)
        and any(
            layout.md5_of_file(data_home / name) != checksum
            for name, checksum in index.get(job.track_id, {"": ["", ""]}).values()
            if name is not None
        )
    ]


def _run(data_home: Path, jobs: Sequence[Job], workers: int) -> Iterator[None]:
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            job.make(data_home)
            yield
        return
    context = _context(type(jobs[0]).__module__)
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context)
    try:
        with _anonymous_main():
            futures = [pool.submit(job.make, data_home) for job in jobs]
        for future in as_completed(futures):
            future.result()
            yield
    except BrokenProcessPool as error:
        raise CorpusError(
            f"{data_home}: a rendering process was killed, often for lack of memory; "
            "run again with fewer workers"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _context(module: str) -> BaseContext:
    """How processes are started: from one that has imported `module`, where the system can.

    Importing takes longer than rendering several tracks.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([module])
    return context


@contextmanager
def _anonymous_main() -> Iterator[None]:
    """Keep started processes from running the caller's script a second time.

    Spawned processes import the main module again, which would repeat a script that has no
    main guard. Jobs live in importable modules and do not need it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
