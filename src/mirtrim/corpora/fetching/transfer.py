"""Fetching one file over HTTP, going on where an interrupted run stopped."""

import http.client
import os
import urllib.error
import urllib.request
from pathlib import Path

from mirtrim.corpora import layout
from mirtrim.corpora.progress import Progress
from mirtrim.utils.errors import CorpusError

TIMEOUT_SECONDS = 60.0
BLOCK_BYTES = 1 << 20


def size_of(url: str) -> int | None:
    """Size of `url` in bytes, without downloading it; None if the server does not report it.

    Raises:
        CorpusError: no connection, or a dead link.
    """
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            length = response.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        # Some servers refuse the question and still answer a request for the file.
        if error.code in (http.client.NOT_FOUND, http.client.GONE):
            raise _refused(url, error) from error
        return None
    except (OSError, http.client.HTTPException) as error:
        raise _broken(url, 0, error) from error
    return int(length) if length is not None else None


def fetch(url: str, target: Path, progress: Progress | None) -> None:
    """Fetch `url` to `target`, going on from what an earlier run has fetched.

    Args:
        progress: called with (bytes fetched, bytes in all).

    Raises:
        CorpusError: no connection, a dead link, a cut transfer, a full disk.
    """
    if target.exists():
        return
    partial = target.with_name(target.name + ".partial")
    with layout.disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            if response.status != http.client.PARTIAL_CONTENT:
                have = 0
            length = response.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            with layout.disk_errors(partial), open(partial, "ab" if have else "wb") as stream:
                while block := response.read(BLOCK_BYTES):
                    stream.write(block)
                    have += len(block)
                    if progress is not None:
                        progress(have, total or have)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.unlink()
            return fetch(url, target, progress)
        raise _refused(url, error) from error
    except (OSError, http.client.HTTPException) as error:
        raise _broken(url, have, error) from error
    if total is not None and have < total:
        raise CorpusError(
            f"{url}: connection ended after {have} of {total} bytes; run again to go on from there"
        )
    with layout.disk_errors(target):
        os.replace(partial, target)


def _refused(url: str, error: urllib.error.HTTPError) -> CorpusError:
    return CorpusError(
        f"{url}: server answers {error.code} {error.reason}; "
        "if it stays so, fetch the archive by other means and give its folder"
    )


def _broken(url: str, have: int, error: Exception) -> CorpusError:
    return CorpusError(
        f"{url}: connection failed after {have} bytes ({error}); "
        "run again to go on from there, or use the embedded corpus"
    )
