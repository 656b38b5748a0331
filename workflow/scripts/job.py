"""What every script shares: a log file, progress lines, and one-line errors."""

from __future__ import annotations

import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mirtrim.utils.errors import MirtrimError
from mirtrim.utils.files import explain, lock, sha256_of_value

if TYPE_CHECKING:  # importing torch takes longer than drawing a figure
    from mirtrim.training import EpochReport

LOCKS = Path(".snakemake/mirtrim_locks")
WAIT_SECONDS = 0.5
TERMINAL_SECONDS = 5.0  # the log gets every line, the terminal one every few seconds


class Job:
    """A running job, as a person sees it."""

    def __init__(self, name: str, log: logging.Logger, epochs: int = 0) -> None:
        self.name = name
        self.log = log
        self.epochs = epochs
        self.epochs_done = 0
        self.started = time.monotonic()
        self.last_line = -TERMINAL_SECONDS

    def tell(self, text: str) -> None:
        """Say something on the terminal and in the log."""
        self.log.info(text)
        print(f"{self.name} | {text}", file=sys.stderr, flush=True)
        self.last_line = time.monotonic()

    def _sometimes(self, text: str, last: bool) -> None:
        if last or time.monotonic() - self.last_line >= TERMINAL_SECONDS:
            self.tell(text)
        else:
            self.log.info(text)

    def _left(self, done: int, total: int) -> str:
        if done > total:  # some methods train longer than one round has epochs
            return "longer than usual"
        seconds = (time.monotonic() - self.started) * (total - done) / max(done, 1)
        return f"about {seconds:.0f} s left in this job"

    def count(self, what: str) -> Callable[[int, int], None]:
        """A callback for counted progress."""

        def report(done: int, total: int) -> None:
            self._sometimes(f"{done} of {total} {what}, {self._left(done, total)}", done == total)

        return report

    def epoch(self, stage: str, epoch: EpochReport) -> None:
        """A callback for finished epochs."""
        from mirtrim.runs.learning import epoch_text

        self.epochs_done += 1
        told = epoch_text(stage, epoch.epoch, epoch.epochs, epoch.train_loss, epoch.validation_loss)
        self._sometimes(f"{told} | {self._left(self.epochs_done, self.epochs)}", False)


def resume_folder(snakemake) -> Path:
    """Where jobs keep what they need to go on after they were killed."""
    return Path(snakemake.config["data_folder"], "resume")


def block_of(snakemake):
    """The settings of the task, or of the variant of one, that a training job is for."""
    task, config = snakemake.wildcards.task, snakemake.config
    variant = config["plan"]["variants"].get(task)
    return variant["block"] if variant else config["tasks"][task]


def base_of(snakemake) -> str:
    """The task that the job is for, or the one that it is for a variant of."""
    task = snakemake.wildcards.task
    return snakemake.config["plan"]["variants"].get(task, {}).get("task", task)


def record_rows(snakemake) -> None:
    """Put what a training job has written into the tables; a variant's rows say which it is."""
    from mirtrim.runs.tables import record, tell_variant

    variant = snakemake.config["plan"]["variants"].get(snakemake.wildcards.task)
    rows, pieces = Path(snakemake.output.rows), Path(snakemake.output.pieces)
    if variant:
        tell_variant(rows, variant["values"])
    record(rows)
    record(pieces)
    record_learning(snakemake)


def record_learning(snakemake) -> None:
    """Put the losses of the job's epochs, which its log has, into the table of learning curves.

    The file is no output of the rule: a training whose rows are there is not run again for it, and
    none is lost because its log was.
    """
    from mirtrim.pruning.settings import DENSE
    from mirtrim.runs.learning import read_log, write_learning
    from mirtrim.runs.tables import job_path, read_cells, record
    from mirtrim.utils.errors import ArtefactError

    task, plan = snakemake.wildcards.task, snakemake.config["plan"]
    run = snakemake.wildcards.get("run", DENSE.method)
    columns = DENSE.columns if run == DENSE.method else plan["columns"][run]
    rows = Path(snakemake.output.rows)
    ratios = {float(line["target_ratio"]) for line in read_cells(rows)}
    # A log is added to: it may tell of ratios that were asked for earlier.
    try:
        told = read_log(Path(snakemake.log[0]))
    except (ArtefactError, FileNotFoundError) as error:
        print(f"no learning curve of this training: {error}", file=sys.stderr, flush=True)
        return
    epochs = [one for one in told if one.target_ratio in ratios]
    path = job_path(rows.parents[3], "learning", task, rows.stem)
    write_learning(path, base_of(snakemake), columns, int(snakemake.wildcards.seed), epochs)
    record(path)


def setting_of(snakemake):
    """The setting of a training job: its task with its data, on the device that it was given."""
    from mirtrim.runs.jobs.altered import augmented, flawed
    from mirtrim.runs.jobs.setting import open_setting, single_thread
    from mirtrim.training import choose_device

    single_thread()
    task, config = snakemake.wildcards.task, snakemake.config
    variant = config["plan"]["variants"].get(task, {})
    setting = open_setting(
        config["profile"],
        variant.get("task", task),
        block_of(snakemake),
        Path(snakemake.input.store).parent,
        choose_device(snakemake.resources.get("gpu", 0)),
        config["plan"]["settings"][f"task {task}"],
    )
    return augmented(flawed(setting))


def finished_run(snakemake):
    """The run of a job that measures finished networks, as its training had it."""
    from mirtrim.pruning.settings import DENSE, PruningSettings
    from mirtrim.runs.jobs.compress import Run
    from mirtrim.runs.jobs.dense import load_dense
    from mirtrim.runs.jobs.rounds import Cost

    task, name, plan = snakemake.wildcards.task, snakemake.wildcards.run, snakemake.config["plan"]
    columns = plan["columns"].get(name)
    return Run(
        setting_of(snakemake),
        load_dense(Path(snakemake.input.network)),
        Cost(),
        DENSE if name == DENSE.method else PruningSettings.of_columns(columns),
        {int(number): ratio for number, ratio in plan["rounds"].get(f"{task} {name}", [])},
        int(snakemake.wildcards.seed),
    )


def paths(files) -> list[Path]:
    """The files of an input, none or one or many."""
    files = [files] if isinstance(files, str) else files or []
    return [Path(str(path)) for path in files]


def rows_of(snakemake, jobs):
    """The rows of those jobs, {task: names}, from the inputs `tables` and `rows`."""
    from mirtrim.runs.rows import read_rows

    given = snakemake.input
    return read_rows(paths(given.get("rows")), paths(given.get("tables")), jobs)


def rows_of_study(snakemake):
    """The rows of all variants of a study, of the runs that it compares, from the same inputs."""
    from mirtrim.analysis.free_ratios import read_variants

    given, wanted = snakemake.input, snakemake.params
    return read_variants(
        wanted.variants,
        paths(given.get("tables")),
        paths(given.get("rows")),
        {wanted.study: wanted.runs},
    )


@contextmanager
def job(snakemake, name: str, epochs: int = 0) -> Iterator[Job]:
    """Open the log; turn an expected error into one line and a non-zero exit status."""
    path = Path(snakemake.log[0])
    logging.raiseExceptions = False  # a log on a full disk must not hide what went wrong
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    except OSError as error:
        print(f"error: {name}: {explain(error)}", file=sys.stderr, flush=True)
        sys.exit(1)
    log = logging.getLogger(f"mirtrim.job.{name}")
    log.setLevel(logging.INFO)
    log.propagate = False
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").addHandler(handler)
    warnings.simplefilter("default")
    running = Job(name, log, epochs)
    try:
        with _alone(str(snakemake.output[0]), running):
            yield running
        log.info("finished in %.1f s", time.monotonic() - running.started)
    except (MirtrimError, OSError) as error:
        # One line for the person, the whole story in the log.
        log.exception("failed")
        text = explain(error) if isinstance(error, OSError) else str(error)
        print(f"error: {name}: {text} (log: {path})", file=sys.stderr, flush=True)
        sys.exit(1)
    except BaseException:
        log.exception("failed")
        raise
    finally:
        with suppress(OSError):
            handler.close()


@contextmanager
def _alone(output: str, running: Job) -> Iterator[None]:
    """Wait until no other process makes `output`: one may have survived a killed Snakemake."""
    LOCKS.mkdir(parents=True, exist_ok=True)
    with open(LOCKS / sha256_of_value(output)[:16], "ab") as stream:
        if not lock(stream.fileno()):
            running.tell("another process is still running this job; waiting for it to end")
            while not lock(stream.fileno()):
                time.sleep(WAIT_SECONDS)
        yield
