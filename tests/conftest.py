"""Settings for all tests."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from xdist.scheduler import LoadScopeScheduling

# Registers its device. Autograd counts the devices when it first runs, which some files of tests
# do as they are read. Older versions of torch have no way to register one in Python.
with suppress(ImportError):
    import tests.pretend_gpu  # noqa: F401

# One thread, as in every job: small networks are faster so, and bits do not depend on cores.
torch.set_num_threads(1)

# What the tests of these folders share takes longer than some of them; the longest first.
TOGETHER = ("workflow", "runs/jobs")
TESTS = Path(__file__).parent


class Groups(LoadScopeScheduling):
    """Tests that share a fixture run in one process: those of a file at least.

    A scheduler of our own, because marks of `xdist_group` do nothing under pytest 9.2 (pytest-xdist
    3.8 writes them to an attribute that items no longer have).
    """

    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return group_of(path.removeprefix(f"{TESTS.name}/"))


def group_of(path: str) -> str:
    """The group of a file of tests: its folder if what that shares is slow, else the file."""
    return next((folder for folder in TOGETHER if path.startswith(f"{folder}/")), path)


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Groups:
    """What gives tests to processes, for any `--dist`."""
    return Groups(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups first, so that no process is left with one of them at the end."""
    items.sort(
        key=lambda item: group_of(item.path.relative_to(TESTS).as_posix()) not in TOGETHER,
    )


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """Call it with the name of what a slow fixture makes: fails where another process made it."""

    def check(name: str) -> None:
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
        if run is not None:
            (tmp_path_factory.getbasetemp().parent / f"{name}-{run}").touch(exist_ok=False)

    return check
