"""Shared by the tests of corpora: a small generated corpus, and real data where it is present."""

import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirtrim.corpora.rendering.drums.mini import MINI_GROOVE

PIECES = {"train": 3, "validation": 2, "test": 2}
SECONDS = 4.0
SEED = 7


@pytest.fixture(scope="session")
def made_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated corpus that tests only read."""
    home = tmp_path_factory.mktemp("corpora") / "mini"
    MINI_GROOVE.generate(home, PIECES, SECONDS, SEED)
    return home


@pytest.fixture
def corpus(made_corpus: Path, tmp_path: Path) -> Path:
    """A copy of the generated corpus that a test may damage."""
    return Path(shutil.copytree(made_corpus, tmp_path / "mini"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real data beside the repository."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}")
    return folder


class Server(http.server.ThreadingHTTPServer):
    """Serves `files` by path; `cut` closes the connection after so many bytes, once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.cut: dict[str, int] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.heads: list[str] = []
        self.ranges = True
        self.tells_sizes = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.server.cut.pop(self.path, len(content))])

    def do_HEAD(self) -> None:
        self.server.heads.append(self.path)
        content = self.server.files.get(self.path)
        if content is None or not self.server.tells_sizes:
            self.send_error(404 if content is None else 405)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def loopback() -> Iterator[Server]:
    """A running server on this machine, still without files."""
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()
