"""Pages show figures that are in the repository, each in one format."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def committed() -> set[str]:
    done = subprocess.run(
        ["git", "ls-files", "figures"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode or not done.stdout:
        pytest.skip("no checkout of git")
    return set(done.stdout.split())


def test_figures_of_pages_are_committed() -> None:
    names = committed()
    for page in PAGES:
        for link in re.findall(r"\((?:\.\./)?(figures/[^)]+)\)", page.read_text()):
            assert link in names, (page.name, link)


def test_a_figure_is_kept_in_one_format() -> None:
    stems = [name.rpartition(".")[0] for name in committed()]
    assert len(stems) == len(set(stems))
