"""Running tests against a copy of the tree with one fault in it."""

import io
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::\S[^\n]*?|\S+\.py)(?: - .*)?$", re.MULTILINE)


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


class Copy:
    """A copy of the tree, in which tests run in processes of their own.

    Each is forked from this one, which has imported what takes long to import and nothing of the
    project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("numpy", "pandas", "torch", "scipy.signal", "mir_eval", "pytest", "yaml"):
            __import__(name)

    @contextmanager
    def changed(self, path: Path, text: str) -> Iterator[None]:
        """`path` has another text within."""
        before, when = path.read_bytes(), path.stat()
        path.write_text(text, encoding="utf-8")
        # Compiled code is told by time and size, and has to be seen to be old.
        os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns + 10**10))
        try:
            yield
        finally:
            path.write_bytes(before)
            os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))

    def run(self, tests: Sequence[str], limit_seconds: float) -> Outcome:
        """Run tests up to the first that fails."""
        begun = time.monotonic()
        log = self.folder / "mutant.log"
        child = os.fork()
        if child == 0:
            os.setsid()
            os._exit(self._child(tests, log))
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            seconds = time.monotonic() - begun
            if done:
                break
            if seconds > limit_seconds:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return Outcome("stopped", "", seconds)
            time.sleep(0.05)
        if os.waitstatus_to_exitcode(status) == 0:
            return Outcome("alive", "", seconds)
        found = FAILED.search(log.read_text(encoding="utf-8")) if log.exists() else None
        return Outcome("killed", found.group(1) if found else "", seconds)

    def _child(self, tests: Sequence[str], log: Path) -> int:
        import pytest

        os.chdir(self.folder)
        sys.path[:0] = [str(self.folder / "src"), str(self.folder)]
        os.environ["PYTHONPATH"] = str(self.folder / "src")
        sys.dont_write_bytecode = True
        for name in list(sys.modules):
            if name.partition(".")[0] in ("tests", "mirtrim"):
                del sys.modules[name]
        stream = io.StringIO()
        options = ["-x", "-q", "-n", "0", "--tb=no", "-p", "no:cacheprovider"]
        try:
            with redirect_stdout(stream), redirect_stderr(stream):
                return int(pytest.main([*options, *tests]))
        finally:
            log.write_text(stream.getvalue(), encoding="utf-8")


@contextmanager
def copy_of(root: Path) -> Iterator[Copy]:
    """A copy of the tree below `root` in a temporary folder."""
    import compileall

    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root, Path(folder) / "tree", ignore=LEFT_OUT)
        for name in ("src", "tests"):
            compileall.compile_dir(Path(folder) / "tree" / name, quiet=2)
        yield Copy(Path(folder) / "tree")
