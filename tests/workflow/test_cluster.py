"""Jobs on a cluster: what they ask for, what happens when it is too little, what is grouped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mirtrim.runs.rows import read_rows
from tests.workflow.conftest import ROOT, snakemake

SCRIPT = Path(__file__).with_name("fake_cluster.py")
DENSE = "results/tiny/jobs/rows/onset/dense_seed1.csv"
SMALL = ("results/tiny/rows.csv", "figures/tiny/overview.svg")
START_SECONDS = 60


def on_cluster(folder: Path, needed_mb: int) -> list[str]:
    """Options that send what profiles/slurm asks for to the fake cluster in `folder`."""
    folder.mkdir()
    command = f"{sys.executable} {SCRIPT} {folder}"
    cancel = folder / "cancel"
    cancel.write_text(f'#!/bin/sh\nexec {command} cancel "$@"\n')
    cancel.chmod(0o755)
    asked = "{resources.mem_mb} {resources.runtime} {threads}"
    return [
        *("--profile", "profiles/slurm"),
        *("--executor", "cluster-generic", "--jobs", "4", "--latency-wait", "5"),
        *("--cluster-generic-submit-cmd", f"{command} submit {needed_mb} {asked}"),
        *("--cluster-generic-status-cmd", f"{command} status"),
        *("--cluster-generic-cancel-cmd", str(cancel)),
        *("--seconds-between-status-checks", "1"),
    ]


def submissions(folder: Path) -> list[dict]:
    paths = sorted(folder.glob("*.json"), key=lambda path: int(path.stem))
    return [json.loads(path.read_text()) for path in paths]


def alive(group: int) -> list[str]:
    """Processes of a group that still run."""
    shown = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    processes = [line.split(maxsplit=2) for line in shown.splitlines()]
    return [args for pgid, state, args in processes if pgid == str(group) and "Z" not in state]


def test_jobs_ask_for_more_when_it_was_too_little_and_small_ones_go_together(
    copied: Path, tmp_path: Path
) -> None:
    cluster = tmp_path / "cluster"
    again = ("--forcerun", "collect")
    result = snakemake(copied, DENSE, *SMALL, *on_cluster(cluster, 8000), *again)
    assert result.returncode == 0, result.stderr[-4000:]

    jobs = submissions(cluster)
    assert sorted(job["name"] for job in jobs) == ["dense", "dense", "of_all"]
    first, second = (job for job in jobs if job["name"] == "dense")
    assert (first["mem_mb"], second["mem_mb"]) == (6000, 12000)
    assert first["runtime"] == second["runtime"] == 1440
    assert first["threads"] == 1
    assert "process" not in first
    assert read_rows([copied / DENSE]).seed.tolist() == [1]

    (group,) = (job for job in jobs if job["name"] == "of_all")
    # What one job of a group makes for another is not among its outputs.
    assert SMALL[1] in group["output"]
    # One after the other: the memory of one, the time of both.
    assert (group["mem_mb"], group["runtime"]) == (2000, 60)


def test_a_run_that_is_stopped_takes_its_jobs_from_the_cluster(
    copied: Path, tmp_path: Path
) -> None:
    cluster = tmp_path / "cluster"
    options = [*on_cluster(cluster, 0), "--cores", "2", "--configfile", "tiny.yaml"]
    terminal = tmp_path / "terminal.txt"
    with terminal.open("w") as stream:
        run = subprocess.Popen(
            [sys.executable, "-m", "snakemake", DENSE, *options],
            cwd=copied, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, stderr=stream,
            # What a shell starts in the background would inherit that this signal is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    # Earlier, Snakemake would not know yet what to cancel.
    while "external jobid" not in terminal.read_text() and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    assert run.wait(START_SECONDS) != 0
    (job,) = submissions(cluster)
    assert (cluster / "1.end").read_text() == "137"
    assert alive(job["process"]) == []
