"""The subcommands of `mirtrim`; each has its own file here.

mirtrim trim package.module:factory --weights w.safetensors --input 1,1,64,50 --ratio 8
mirtrim measure package.module:factory --weights w.safetensors --input 1,1,64,50
mirtrim listen song.wav --task drums --ratio 8
"""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from mirtrim.utils.errors import MirtrimError
from mirtrim.utils.files import explain

# Name of a subcommand, which is also its module, and what it does. Subcommands are imported lazily,
# # because importing torch takes longer than listening to a song.
VERBS = {
    "trim": "trim a network and save it",
    "measure": "count and time a network",
    "listen": "find drums, onsets, pitch, chords or instruments in audio files",
}
STOPPED = 130  # what shells report after Ctrl-C
PIPE_CLOSED = 141  # and after a closed pipe


class _Parser(argparse.ArgumentParser):
    """Reports argument errors in one line, without the usage message."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; expected errors become one line and exit status 1."""
    _print_anything()
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser(words).parse_args(words)
    try:
        status: int = options.verb(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except (MirtrimError, OSError) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STOPPED
    return status


def _print_anything() -> None:
    """Print characters that the terminal's encoding lacks as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="mirtrim",
        description="Make networks smaller by removing whole units; measure them; use them.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, help_text in VERBS.items():
        if words[:1] == [name]:
            importlib.import_module(f"mirtrim.cli.{name}").add(verbs, help_text)
        else:
            verbs.add_parser(name, help=help_text)
    return parser
