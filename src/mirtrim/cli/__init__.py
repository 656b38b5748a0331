"""The library's verbs on the command line; each has a file of its own here.

mirtrim trim package.module:factory --weights w.safetensors --input 1,1,64,50 --ratio 8
mirtrim measure package.module:factory --weights w.safetensors --input 1,1,64,50
mirtrim listen song.wav --task drums --ratio 8
"""

import argparse
import io
import os
import sys
from collections.abc import Sequence

from mirtrim.cli import listen, measure, trim
from mirtrim.utils.errors import MirtrimError

VERBS = (trim, measure, listen)
STOPPED = 130  # what shells report after Ctrl-C
PIPE_CLOSED = 141  # and after a closed pipe


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; expected errors become one line and exit status 1."""
    _print_anything()
    options = _parser().parse_args(arguments)
    try:
        status: int = options.verb(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (MirtrimError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return status


def _print_anything() -> None:
    """Let what a terminal's encoding lacks be printed as escapes, not stop the work."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mirtrim",
        description="Make networks smaller by removing whole units; measure them; use them.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in VERBS:
        verb.add(verbs)
    return parser
