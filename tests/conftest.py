"""Settings for all tests."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch

# Registers its device. Autograd counts the devices when it first runs, which some files of tests
# do as they are read. Older versions of torch have no way to register one in Python.
with suppress(ImportError):
    import tests.pretend_gpu  # noqa: F401

# One thread, as in every job: small networks are faster so, and bits do not depend on cores.
torch.set_num_threads(1)

# What the tests of these folders share takes longer than some of them; the longest first.
TOGETHER = ("workflow", "runs/jobs")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a fixture run in one process, those of a file at least."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: _group(item) not in TOGETHER)


def _group(item: pytest.Item) -> str:
    path = item.path.relative_to(Path(__file__).parent).as_posix()
    return next((folder for folder in TOGETHER if path.startswith(f"{folder}/")), path)
