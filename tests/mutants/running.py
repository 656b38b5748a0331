"""Running tests against a copy of the tree with one fault in it."""

import gc
import importlib
import io
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.choosing import imported
from tests.mutants.reaching import Lines

LEFT_OUT = shutil.ignore_patterns(".*", "*.egg-info")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::\S[^\n]*?|\S+\.py)(?: - .*)?$", re.MULTILINE)


MEMORY = 12 * 2**30
# So many times the limit of computing may pass.
WAITING = 10
OWN = ("mirtrim", "tests")


@dataclass(frozen=True)
class Outcome:
    """What became of a planted fault.

    Attributes:
        state: "killed" (a test failed), "alive" (all passed), or "stopped" (they took too long).
        test: the one that failed.
    """

    state: str
    test: str
    seconds: float


class Chosen:
    """Runs some tests of the files that are read, in a given order; a plugin of pytest."""

    def __init__(self, names: Sequence[str]) -> None:
        self.place = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out the rest."""
        items[:] = sorted(
            (item for item in items if item.nodeid in self.place),
            key=lambda item: self.place[item.nodeid],
        )


class Copy:
    """A copy of the tree, in which tests run in processes of their own.

    Each is forked from this one, which has imported what takes long to import and nothing of the
    project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # pytest's plugin of hypothesis imports it in every process.
        names = {"hypothesis"}
        for file in (folder / "src").rglob("*.py"):
            names |= imported(file.read_text(encoding="utf-8"))
        for name in sorted(names):
            # Names of what is taken from a module are no modules.
            if name.partition(".")[0] not in OWN:
                with suppress(ImportError):
                    importlib.import_module(name)
        # Else each process would go through all of that whenever pytest collects garbage.
        gc.collect()
        gc.freeze()
        self._changes = 0

    @contextmanager
    def changed(self, path: Path, text: str) -> Iterator[None]:
        """`path` has another text within."""
        before, when = path.read_bytes(), path.stat()
        path.write_text(text, encoding="utf-8")
        # Compiled code is told by second and size, and has to be seen to be old.
        self._changes += 1
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns + self._changes * 10**10))
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))

    def run(self, tests: Sequence[str], limit_seconds: float) -> Outcome:
        """Run tests up to the first that fails, in the order in which they are named.

        Args:
            tests: names of tests, or files.
            limit_seconds: of computing, after which they are stopped.
        """
        files = list(dict.fromkeys(name.partition("::")[0] for name in tests))
        plugins = [Chosen(tests)] if any("::" in name for name in tests) else []
        log = self.folder / "mutant.log"
        log.unlink(missing_ok=True)
        begun = time.monotonic()
        code = self._forked(lambda: self._pytest(["-x", *files], plugins, log), limit_seconds)
        seconds = time.monotonic() - begun
        if code in (None, -signal.SIGXCPU):
            return Outcome("stopped", "", seconds)
        if code == 0:
            return Outcome("alive", "", seconds)
        found = FAILED.search(log.read_text(encoding="utf-8")) if log.exists() else None
        return Outcome("killed", found.group(1) if found else "", seconds)

    def reach(self, file: str, package: Path, kept: Path, limit_seconds: float) -> None:
        """Run one file of tests and keep which lines each test reaches.

        Args:
            file: path of the file in the copy.
            package: the folder of the package in the copy.
            kept: what is written, for `read_tests`.
            limit_seconds: of computing, after which no further test begins; a test that takes
                as long again is not counted either.
        """

        part = kept.with_suffix(".part")
        part.write_text("", encoding="utf-8")

        def measured() -> int:
            lines = Lines(package, part, limit_seconds)
            lines.start()
            return self._pytest([file], [lines], self.folder / "reach.log")

        self._forked(measured, 30 + 2 * limit_seconds)
        part.replace(kept)

    def _forked(self, work: Callable[[], int], limit_seconds: float) -> int | None:
        """What `work` returns in a process of its own, or None if it waited for too long.

        Other work must not make a fault of a processor's: what counts is the time of computing, at
        the end of which the process has the signal SIGXCPU.
        """
        end = time.monotonic() + 60 + WAITING * limit_seconds
        seconds = max(1, round(limit_seconds))
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setsid()
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
                code = work()
            finally:
                os._exit(code)
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() > end:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return None
            time.sleep(0.02)
        return os.waitstatus_to_exitcode(status)

    def _pytest(self, options: Sequence[str], plugins: Sequence[object], log: Path) -> int:
        os.chdir(self.folder)
        sys.path[:0] = [str(self.folder / "src"), str(self.folder)]
        os.environ["PYTHONPATH"] = str(self.folder / "src")
        for name in list(sys.modules):
            if name.partition(".")[0] in OWN:
                del sys.modules[name]
        stream = io.StringIO()
        quiet = ["-q", "-n", "0", "--tb=no", "-p", "no:cacheprovider"]
        try:
            with redirect_stdout(stream), redirect_stderr(stream):
                return int(pytest.main([*quiet, *options], list(plugins)))
        finally:
            log.write_text(stream.getvalue(), encoding="utf-8")


@contextmanager
def copy_of(root: Path) -> Iterator[Copy]:
    """A copy of the tree below `root` in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root, Path(folder) / "tree", ignore=LEFT_OUT)
        yield Copy(Path(folder) / "tree")
