"""A program that asks TensorFlow Lite Micro how much memory a network needs.

It is run by `mirtrim.deploy.microcontroller` in a process of its own, because the interpreter
writes its report to standard error, and may break off with a segmentation fault where an arena
is a little too small. Each arena is therefore tried in a child process. The first argument is
the .tflite file; the answer is JSON on standard output.
"""

import json
import os
import re
import sys
import tempfile
from bisect import bisect_left
from typing import Any

import numpy as np
from tflite_micro.python.tflite_micro import runtime

ALIGNMENT = 16  # bytes, of everything that the interpreter puts into its arena
REPORT = re.compile(rb"Arena allocation (total|head|tail) (\d+) bytes")


def generous_bytes(content: bytes) -> int:
    """An arena that is surely large enough: weights stay in the file."""
    return 10 * len(content) + 2**24


def run(content: bytes, arena_bytes: int) -> tuple[Any, np.ndarray]:
    """The interpreter after one run, and the output."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena_bytes)
    details = interpreter.get_input_details(0)
    numbers = np.random.default_rng(0).uniform(-100, 100, details["shape"])
    interpreter.set_input(numbers.astype(details["dtype"]), 0)
    interpreter.invoke()
    return interpreter, interpreter.get_output(0).copy()


def suffices(content: bytes, arena_bytes: int, expected: np.ndarray) -> bool:
    """Whether the network loads and computes `expected` within `arena_bytes`."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = int(not np.array_equal(run(content, arena_bytes)[1], expected))
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0


def least_arena(content: bytes, at_least: int, expected: np.ndarray) -> int:
    """The smallest arena that suffices, by bisection over multiples of `ALIGNMENT`."""
    if suffices(content, at_least, expected):
        return at_least
    too_small, enough = at_least, 2 * at_least
    while not suffices(content, enough, expected):
        if enough > generous_bytes(content):
            raise RuntimeError("the interpreter does not compute the same twice")
        too_small, enough = enough, 2 * enough
    sizes = range(too_small + ALIGNMENT, enough + ALIGNMENT, ALIGNMENT)
    # The last of them is known to suffice.
    return sizes[bisect_left(sizes[:-1], True, key=lambda size: suffices(content, size, expected))]


def report(content: bytes) -> dict[str, int]:
    """What the interpreter says it used: total, head (activations) and tail (records)."""
    with tempfile.TemporaryFile() as spoken:
        os.dup2(spoken.fileno(), 2)
        interpreter, expected = run(content, generous_bytes(content))
        interpreter.print_allocations()
        spoken.seek(0)
        used = {name.decode(): int(number) for name, number in REPORT.findall(spoken.read())}
        at_least = -(-used["total"] // ALIGNMENT) * ALIGNMENT
        least = least_arena(content, at_least, expected)
    return {**used, "least": least}


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as stream:
        json.dump(report(stream.read()), sys.stdout)
