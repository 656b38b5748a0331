"""Which tests reach which lines: measured once for each file of tests, and kept.

Lines are counted by Python itself (`sys.settrace`) and for each test apart. What a fixture or the
import of a file of tests runs counts for every test that uses it. Lines run by other processes
are not seen.
"""

import ast
import hashlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.choosing import nearness
from tests.mutants.planting import definitions

# More than any file has lines.
APART = 100_000


@dataclass(frozen=True)
class MeasuredTest:
    """A test, how long it took and the lines that it reached, in each file a number with one bit
    for each line.
    """

    name: str
    seconds: float
    lines: dict[str, int]


class Lines:
    """Counts the lines of a package that run, by test; a plugin of pytest.

    Attributes:
        package: the folder of the package.
        kept: the file to which each test is added, for `read_tests`.
        limit_seconds: of computing, after which no further test begins.
    """

    def __init__(self, package: Path, kept: Path, limit_seconds: float) -> None:
        self.kept, self.limit_seconds = kept, limit_seconds
        self.prefix = f"{package}/"
        self.files: list[str] = []
        self.counters: dict[str, Callable[..., Any]] = {}
        self.seen: set[int] = set()
        self.of_fixtures: dict[int, set[int]] = {}
        self.of_import: set[int] = set()

    def start(self) -> None:
        """Count from now on."""
        threading.settrace(self.called)
        sys.settrace(self.called)

    def called(self, frame: Any, event: str, argument: Any) -> Callable[..., Any] | None:
        """Python calls this for every function that begins."""
        name = frame.f_code.co_filename
        if not name.startswith(self.prefix):
            return None
        counter = self.counters.get(name)
        if counter is None:
            counter = self.counters[name] = self._counter(len(self.files) * APART)
            self.files.append(name.removeprefix(self.prefix))
        return counter

    def _counter(self, first: int) -> Callable[..., Any]:
        add = self.seen.add

        def count(frame: Any, event: str, argument: Any) -> Callable[..., Any]:
            if event == "line":
                add(first + frame.f_lineno)
            return count

        return count

    def pytest_collection_finish(self) -> None:
        """All that ran so far was run by importing."""
        self.of_import = set(self.seen)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """What setting up a fixture runs belongs to all that use it."""
        before = set(self.seen)
        self.seen.clear()
        try:
            return (yield)
        finally:
            self.of_fixtures.setdefault(id(fixturedef), set()).update(self.seen)
            self.seen |= before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Iterator[None]:
        """One test from its fixtures to its end."""
        self.seen.clear()
        begun = time.process_time()
        result = yield
        seconds = time.process_time() - begun
        reached = self.seen | self.of_import
        for all_of_name in item._fixtureinfo.name2fixturedefs.values():
            for fixture in all_of_name:
                reached |= self.of_fixtures.get(id(fixture), set())
        masks: dict[str, int] = {}
        for number in reached:
            file, line = divmod(number, APART)
            masks[self.files[file]] = masks.get(self.files[file], 0) | 1 << line
        test = {
            "name": item.nodeid,
            "seconds": round(seconds, 3),
            "lines": {name: hex(mask) for name, mask in masks.items()},
        }
        with self.kept.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(test)}\n")
        if time.process_time() > self.limit_seconds:
            item.session.shouldstop = "enough"
        return result


def digest(*paths: Path) -> str:
    """Of the contents of files."""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def read_tests(path: Path) -> list[MeasuredTest]:
    """The tests of one file as they were kept."""
    tests = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return [
        MeasuredTest(
            test["name"],
            test["seconds"],
            {name: int(mask, 16) for name, mask in test["lines"].items()},
        )
        for test in tests
    ]


def about_change(
    path: Path, definition: str, nodes: Sequence[Any], package: Path, tests: Iterable[MeasuredTest]
) -> list[MeasuredTest]:
    """The tests that reach a change, the ones to run first at the front.

    Args:
        path: the module that is changed, below `package`.
        definition: qualified name of what the change is in.
        nodes: what is changed.
        package: the folder of the package.
        tests: all that were measured.

    Returns:
        Short ones first; a test of another room has to be ten times as short as one that names
        the definition.
    """
    near = nearness(path, definition, package)
    wanted = lines_of(path, definition, nodes, package)
    found = [t for t in tests if any(t.lines.get(f, 0) & mask for f, mask in wanted.items())]
    return sorted(found, key=lambda t: (t.seconds + 0.02) * near(t.name.partition("::")[0]))


def lines_of(path: Path, definition: str, nodes: Sequence[Any], package: Path) -> dict[str, int]:
    """Lines that a test has to reach to notice a change, as in `MeasuredTest.lines`.

    A change in a function is noticed where it stands. What is computed when a module is imported,
    such as a constant or a default, or compiled so that nothing is counted in it, is noticed in
    the functions that name it.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first = nodes[0].lineno
    inside = [body for body in _bodies(tree) if body[0] <= first <= body[1]]
    compiled = "njit" in path.read_text(encoding="utf-8")
    if inside and not compiled:
        return {path.relative_to(package).as_posix(): _mask(*_statement(tree, first))}
    names = {part for part in definition.split(".") if not part.startswith("__")}
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.lineno <= first <= node.end_lineno:
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names |= {t.id for t in targets if isinstance(t, ast.Name)}
    wanted: dict[str, int] = {}
    word = re.compile(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b")
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if not word.search(text):
            continue
        mask = 0
        bodies = list(_bodies(ast.parse(text)))
        for number, line in enumerate(text.splitlines(), start=1):
            if word.search(line) and any(begin <= number <= end for begin, end in bodies):
                mask |= 1 << number
        if mask:
            wanted[file.relative_to(package).as_posix()] = mask
    if inside or isinstance(nodes[0], ast.expr):
        for name, node in definitions(tree):
            if name == definition and isinstance(node, ast.FunctionDef):
                own = path.relative_to(package).as_posix()
                wanted[own] = wanted.get(own, 0) | _mask(node.body[0].lineno, node.end_lineno)
    return wanted


def _statement(tree: ast.AST, line: int) -> tuple[int, int]:
    """First and last line of the innermost statement at a line, without the statements in it."""
    spans = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            inner = [
                child.lineno
                for field in ("body", "handlers", "cases")
                for child in getattr(node, field, [])
                if hasattr(child, "lineno")
            ]
            last = max(node.lineno, min(inner) - 1) if inner else int(node.end_lineno or 0)
            if line <= last or not inner:
                spans.append((node.lineno, last))
    return max(spans)


def _bodies(tree: ast.AST) -> Iterator[tuple[int, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.body[0].lineno, int(node.end_lineno or 0)


def _mask(first: int, last: int | None) -> int:
    return sum(1 << line for line in range(first, (last or first) + 1))
