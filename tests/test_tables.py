"""The tables of methods, criteria, checks and computations name every file that adds to them."""

import ast
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

from mirtrim.analysis import checks, hypotheses
from mirtrim.corpora import loaders
from mirtrim.pruning import criteria, methods


@pytest.mark.parametrize(
    ("package", "decorators"),
    [
        (methods, ("@method(",)),
        (criteria, ("@unit_criterion(", "@weight_criterion(")),
        (checks, ("@check\n",)),
        (hypotheses, ("@computation\n",)),
    ],
)
def test_files_that_register_something_are_named(
    package: ModuleType, decorators: tuple[str, ...]
) -> None:
    folder = Path(package.__path__[0])
    own = Path(package.__file__ or "")
    found = {
        path.stem
        for path in folder.glob("*.py")
        if path != own and any(mark in path.read_text() for mark in decorators)
    }
    named = {
        alias.name
        for node in ast.walk(ast.parse(own.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == package.__name__
        for alias in node.names
    }
    assert found
    assert found == named


def test_every_file_of_a_loader_is_named() -> None:
    assert {module.name for module in pkgutil.iter_modules(loaders.__path__)} == set(
        loaders.READERS
    )
