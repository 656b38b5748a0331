"""A bundle of an untrained network on disk."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirtrim.listening.bundle import Bundle, read_bundle, write_bundle

from .samples import about_of, network_of


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """make_bundle("onset", ratio=8.0, name="…") writes and reads a bundle in tmp_path/models."""

    def make(task: str, name: str | None = None, **changes: Any) -> Bundle:
        network = network_of(task)
        about = about_of(task, network, **changes)
        return read_bundle(write_bundle(tmp_path / "models", name or task, network, about))

    return make
