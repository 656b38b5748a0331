"""Medians of CPU time on one thread, and tables of them."""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from threadpoolctl import threadpool_limits


def take_no_arguments(about: str | None) -> None:
    """Print what a script measures if it is called with `--help`, and refuse other arguments.

    Args:
        about: its docstring.
    """
    argparse.ArgumentParser(description=(about or "").splitlines()[0]).parse_args()


def cpu_seconds(action: Callable[[], object], repeats: int = 7) -> float:
    """Median CPU seconds of `action`, after one run to warm up."""
    return interleaved([action], repeats)[0]


def interleaved(actions: Sequence[Callable[[], object]], repeats: int = 7) -> list[float]:
    """Median CPU seconds of several actions, run in turn so that drift hits all alike.

    NumPy and SciPy get one thread for their linear algebra, from here on, as torch does in every
    script. A second one would wait for work in a busy loop, which CPU time charges to whatever
    runs next.
    """
    threadpool_limits(1)
    for action in actions:
        action()
    threadpool_limits(1)  # of libraries that were loaded just now
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(repeats):
        for index, action in enumerate(actions):
            started = time.process_time()
            action()
            times[index].append(time.process_time() - started)
    return [statistics.median(column) for column in times]


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table."""
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()
