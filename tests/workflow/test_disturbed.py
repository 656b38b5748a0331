"""What may happen to a run: kills, two at once, full disks, lost and damaged files."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mirtrim.runs.tables import read_cells, write_cells
from tests.workflow.conftest import command, environment, snakemake
from tests.workflow.kill import (
    BETWEEN,
    DENSE_EPOCH,
    STORE,
    differences,
    epochs,
    killed_run,
    log_lines,
    scripts_at_work,
)

ROWS = "results/tiny/jobs/rows/onset"


def errors_of(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("error: ")]


def rules_of(stderr: str) -> set[str]:
    """Names of the rules whose jobs have finished."""
    return {line.split("Rule: ")[1].rstrip(")") for line in stderr.splitlines() if "Rule: " in line}


def test_three_kills_change_nothing_and_lose_no_epoch(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    plans = Path(".snakemake/mirtrim_plans")
    shutil.copytree(finished / plans, folder / plans)
    plan = [STORE, replace(DENSE_EPOCH, within_seconds=0.05), BETWEEN]
    story = killed_run(folder, plan, random.Random(0))
    assert [kill.struck for kill in story.kills] == [True] * 3
    assert [kill.at_work for kill in story.kills] == [{"features"}, {"dense"}, {"compress"}]
    assert differences(finished, folder) == []
    assert not epochs(story.lines) - epochs(log_lines(finished))
    assert not list((folder / "data/resume").iterdir())


def test_lost_and_damaged_files_come_back_and_nothing_else_is_done_again(
    finished: Path, copied: Path
) -> None:
    (copied / ROWS / "mask_magnitude_local_rewind_seed0.csv").unlink()
    table = copied / "results/tiny/rows/onset.csv"
    kept = [line for line in read_cells(table) if line["method"] != "mask"]
    write_cells(table, kept, list(kept[0]))
    (frames,) = (copied / "data/features").glob("*/frames.npy")
    content = frames.read_bytes()
    frames.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    result = snakemake(copied)
    assert result.returncode != 0
    assert len(errors_of(result.stderr)) == 1
    assert f"{frames.parent.name}/frames.npy is missing or damaged; run again" in result.stderr

    first = subprocess.Popen(
        command(copied, "data"), cwd=copied, env=environment(), stderr=subprocess.DEVNULL
    )
    while "features" not in scripts_at_work(first.pid) and first.poll() is None:
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # or it would be done before the second one has started
    second = snakemake(copied, "data")
    first.send_signal(signal.SIGCONT)
    assert second.returncode != 0
    assert "make sure that no other Snakemake process" in " ".join(second.stderr.split())
    assert first.wait() == 0
    assert frames.read_bytes() == content

    result = snakemake(copied)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stderr.count("(Rule: compress)") == 1
    assert not {"features", "dense"} & rules_of(result.stderr)
    assert differences(finished, copied) == []


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(copied: Path) -> None:
    shutil.rmtree(copied / "data/features")
    result = subprocess.run(
        command(copied, "data"), cwd=copied, env=environment(), capture_output=True, text=True,
        check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, -1)),
    )  # fmt: skip
    assert result.returncode != 0
    (error,) = errors_of(result.stderr)
    assert "features onset: data/features/onset-mini_groove_midi-" in error
    assert "File too large; raise the limit on the size of files and run again" in error
    assert not list((copied / "data").glob("features/*"))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing can be written into `folder` itself, not even by root."""
    if os.geteuid() != 0:
        folder.chmod(0o555)
        try:
            yield
        finally:
            folder.chmod(0o755)
        return
    mounted = subprocess.run(["mount", "-o", "bind,ro", folder, folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("root may not mount here, and nothing else is read-only for root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_read_only_results_folder_is_named_before_anything_runs(copied: Path) -> None:
    (copied / "results/tiny/tables/onset.md").unlink()
    with read_only(copied / ROWS):
        result = snakemake(copied)
    assert result.returncode != 0
    assert f"{ROWS} cannot be written to; make it writable, or run in a copy" in result.stderr
    assert not rules_of(result.stderr)
    assert snakemake(copied, "tables").returncode == 0
