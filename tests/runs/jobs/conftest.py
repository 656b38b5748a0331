"""One dense training and its two chains, shared by the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runs.jobs.synthetic import Job


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, made_once: Callable[[str], None]) -> Path:
    made_once("undisturbed")
    folder = tmp_path_factory.mktemp("undisturbed")
    job = Job(folder)
    job.dense()
    for method in ("trim", "mask"):
        job.compress(method)
    return folder
