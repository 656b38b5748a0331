"""The command line on a terminal of some encoding, without the start of a process."""

import io
from contextlib import redirect_stderr, redirect_stdout

from mirtrim.cli import main


def on_terminal(encoding: str, *words: str) -> tuple[int, bytes, bytes]:
    """Exit status, standard output and standard error."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        status = main(words)
    for stream in (out, err):
        stream.flush()
    return status, out.buffer.getvalue(), err.buffer.getvalue()
