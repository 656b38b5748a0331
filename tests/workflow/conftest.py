"""A tiny replication in a temporary folder, run once and shared by the tests of the workflow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.workflow import forked

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "profile": "tiny",
    "seeds": [0],
    "ratios": [2, 4],
    "corpora": {
        "mini_groove_midi": {
            "pieces": {"train": 4, "validation": 2, "test": 2},
            "piece_seconds": 6,
        }
    },
    "tasks": {
        "onset": {
            "network": {"channels": 4, "hidden": 32},
            "training": {"epochs": 2, "examples_per_epoch": 128},
        },
        # Left out: one task is enough to show what the workflow does.
        "instrument": None,
        "pitch": None,
        "chord": None,
        "drums": None,
    },
    "runs": [{"method": "mask"}, {"method": "trim"}],
    "costs": {"runs": [], "board_runs": []},
    "models": {"runs": ["trim_magnitude_local_rewind"]},
    "studies": {
        **dict.fromkeys(("controls", "criteria", "fine_tuning", "repetitions", "speed")),
        "methods": {
            "tasks": ["onset"],
            "ratios": [2, 4],
            "runs": [
                {"method": "feedback_units", "ratios": [4]},
                {"method": "same_shape", "reference": "trim_magnitude_local_rewind", "ratios": [4]},
                {"method": "mask", "order": "shuffled", "ratios": [2]},
            ],
        },
    },
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def make_folder(folder: Path) -> None:
    """A working folder with the workflow, but with data and results of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("Snakefile", "workflow", "config", "profiles"):
        (folder / name).symlink_to(ROOT / name)


def command(
    folder: Path, *arguments: str, cores: str = "2", changes: dict | None = None
) -> list[str]:
    """How to run Snakemake in `folder` on the tiny profile; `changes` are merged over it."""
    config = yaml.safe_load(yaml.safe_dump(TINY))
    for path, value in (changes or {}).items():
        *parents, last = path.split("/")
        block = config
        for key in parents:
            block = block.setdefault(key, {})
        block[last] = value
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(config))
    return [
        *(sys.executable, "-m", "snakemake", *arguments),
        *("--cores", cores, "--configfile", str(path)),
    ]


def environment() -> dict[str, str]:
    """Variables with which the workflow finds the library."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src")}


def snakemake(
    folder: Path, *arguments: str, cores: str = "2", changes: dict | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in `folder` on the tiny profile; `changes` are merged over it."""
    _, _, _, *arguments = command(folder, *arguments, cores=cores, changes=changes)
    return forked.snakemake(folder, arguments, environment())


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, made_once: Callable[[str], None]) -> Path:
    """A folder in which the tiny replication has been run."""
    made_once("replication")
    folder = tmp_path_factory.mktemp("replication")
    make_folder(folder)
    result = snakemake(folder)
    assert result.returncode == 0, result.stderr[-4000:]
    (folder / "terminal.txt").write_text(result.stderr)
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished replication that a test may damage."""
    folder = tmp_path / "replication"
    shutil.copytree(finished, folder, symlinks=True)
    return folder
