"""Snakemake and its scripts in forks of one process, which has done what every start begins with
(`warm.py`): that takes longer than a tiny replication.

Kills and clusters are tested with processes as users start them (`conftest.command`).
"""

import atexit
import logging
import multiprocessing
import os
import subprocess
from concurrent.futures.thread import _threads_queues
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.workflow.warm"])


def snakemake(
    folder: Path, arguments: list[str], variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """What `python -m snakemake` with these arguments does in `folder`."""
    said = [folder / f".said.{name}" for name in ("out", "err")]
    process = SERVER.Process(target=_snakemake, args=(folder, arguments, variables, said))
    with pytest.MonkeyPatch.context() as patch:  # for the server, which the first call starts
        patch.setenv("PYTHONPATH", f"{ROOT / 'src'}{os.pathsep}{ROOT}")
        for library in ("OMP", "MKL", "OPENBLAS"):
            patch.setenv(f"{library}_NUM_THREADS", "1")
        process.start()
    process.join(600)
    assert process.exitcode is not None, "runs for ten minutes"
    return subprocess.CompletedProcess(
        arguments, process.exitcode, *(path.read_text() for path in said)
    )


def _snakemake(
    folder: Path, arguments: list[str], variables: dict[str, str], said: list[Path]
) -> None:
    from snakemake import cli
    from snakemake.script import PythonScript

    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    for number, path in enumerate(said, start=1):
        os.dup2(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), number)
    logging.root.handlers.clear()  # some library of the scripts has one, which says all again
    PythonScript.execute_script = _execute_script
    atexit._clear()
    try:
        cli.main(arguments)
    finally:
        atexit._run_exitfuncs()  # forks leave them out


def _execute_script(script: Any, path: str, edit: bool = False) -> None:
    from snakemake.benchmark import benchmarked

    process = multiprocessing.get_context("fork").Process(target=_run, args=(path,))
    process.start()
    with benchmarked(process.pid, script.bench_record):
        process.join()
    if process.exitcode != 0:
        raise subprocess.CalledProcessError(process.exitcode or 1, path)


def _run(path: str) -> None:
    _threads_queues.clear()  # this process is one of a pool's threads, which would wait for itself
    run_path(path, run_name="__main__")
