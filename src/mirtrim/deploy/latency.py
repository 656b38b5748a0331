"""Latency of one call, measured so that two networks can be compared.

Candidates take turns: in every round each of them is timed once, in random order. A processor that
slows down or a process that comes and goes affects all of them equally, so the ratio of two medians
of one measurement is meaningful, while that of two consecutive measurements is not.
"""

import copy
import gc
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike, fspath

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.counting.operations import as_arguments
from mirtrim.utils.errors import ArtefactError, ConfigError, MirtrimError

Call = Callable[[], object]
Clock = Callable[[], float]

# Reading a clock costs about 0.1 µs; what is timed lasts hundreds of times as long.
SHORTEST_BLOCK_SECONDS = 50e-6
LARGEST_BLOCK = 1000
FEWEST_ROUNDS = 5


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call at batch size 1.

    Attributes:
        median_ms, p5_ms, p95_ms: median and percentiles. Where calls were timed in blocks,
            percentiles are of the means of blocks.
        repetitions: calls timed.
    """

    median_ms: float
    p5_ms: float
    p95_ms: float
    repetitions: int


def interleaved(
    candidates: Mapping[str, Call],
    *,
    seconds: float = 2.0,
    warm_up: int = 10,
    block: int | None = None,
    seed: int = 0,
    clock: Clock = time.perf_counter,
) -> dict[str, Latency]:
    """Latency of every candidate, from rounds in which each is timed once.

    Args:
        candidates: what to call, by name.
        seconds: time to spend per candidate, without warm-up; there are always at least five
            rounds. Half of it goes to an untimed call at the beginning of each turn.
        warm_up: calls of each candidate before the first round, at least 1.
        block: calls between two readings of the clock; by default 1, and more for calls that
            are too short to be timed one by one.
        seed: of the order within each round.
        clock: seconds since any moment.

    Raises:
        ConfigError: there is nothing to time, or a number is out of range.
    """
    if not candidates or not seconds > 0 or warm_up < 1 or (block is not None and block < 1):
        raise ConfigError(
            "latency: give at least one candidate, seconds above 0, a warm_up and a block of at "
            f"least 1 (got {len(candidates)} candidates, {seconds}, {warm_up}, {block})"
        )
    order, shuffle = list(candidates), random.Random(seed)
    times: dict[str, list[float]] = {name: [] for name in candidates}
    with _no_garbage_collection():
        warm = {name: _block(call, warm_up, clock) for name, call in candidates.items()}
        blocks = {name: block or found for name, found in warm.items()}
        end = clock() + seconds * len(candidates)
        while len(times[order[0]]) < FEWEST_ROUNDS or clock() < end:
            shuffle.shuffle(order)
            for name in order:
                # Not timed: this call pays for the caches that another candidate has filled.
                candidates[name]()
                times[name].append(_timed(candidates[name], blocks[name], clock))
    return {name: summary(values, blocks[name]) for name, values in times.items()}


def summary(seconds: Sequence[float], block: int = 1) -> Latency:
    """The latency of blocks of calls.

    Args:
        seconds: of each block.
        block: calls in each.
    """
    p5, median, p95 = np.percentile(np.asarray(seconds) * (1e3 / block), (5, 50, 95))
    return Latency(float(median), float(p5), float(p95), len(seconds) * block)


def torch_call(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> Call:
    """A function that runs a copy of `model` in torch, eagerly, without gradients, on one thread.

    Args:
        example_inputs: arguments of the model's forward.
    """
    frozen, arguments = copy.deepcopy(model).eval(), as_arguments(example_inputs)

    def call() -> object:
        threads = torch.get_num_threads()
        if threads != 1:
            torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                return frozen(*arguments)
        finally:
            if threads != 1:
                torch.set_num_threads(threads)

    return call


def onnx_call(path: str | PathLike[str], arrays: Sequence[np.ndarray], threads: int = 1) -> Call:
    """A function that runs the network of an ONNX file in ONNX Runtime on the CPU.

    Graph optimisation is fully enabled, operators run sequentially. Inputs are bound to the session
    beforehand, which saves 4 µs of Python per call (0.120 instead of 0.124 ms for a small network).

    Args:
        path: the ONNX file.
        arrays: its inputs, in its order.
        threads: within one operator.

    Returns:
        A function without arguments; it gives the binding, whose `copy_outputs_to_cpu()` are
        the outputs.

    Raises:
        ArtefactError: the file is missing or damaged, or has other inputs.
        MirtrimError: ONNX Runtime is not installed.
    """
    try:
        import onnxruntime

        from mirtrim.deploy.onnx_session import first_line, open_session
    except ImportError as error:
        raise MirtrimError("ONNX Runtime is missing; install onnxruntime") from error
    session = open_session(path, threads)
    wanted = session.get_inputs()
    if len(wanted) != len(arrays):
        names = ", ".join(one.name for one in wanted)
        raise ArtefactError(
            f"{fspath(path)} has the inputs {names}; give {len(wanted)} arrays, not {len(arrays)}"
        )
    binding = session.io_binding()
    for one, array in zip(wanted, arrays, strict=True):
        value = onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))
        binding.bind_ortvalue_input(one.name, value)
    for one in session.get_outputs():
        binding.bind_output(one.name)

    def call() -> object:
        session.run_with_iobinding(binding)
        return binding

    try:
        call()
    except Exception as error:
        raise ArtefactError(
            f"{fspath(path)} does not run on inputs of shapes {[a.shape for a in arrays]} "
            f"({first_line(error)})"
        ) from error
    return call


def _timed(call: Call, repetitions: int, clock: Clock) -> float:
    started = clock()
    for _ in range(repetitions):
        call()
    return clock() - started


def _block(call: Call, warm_up: int, clock: Clock) -> int:
    """Calls per block, from the quickest call of the warm-up."""
    quickest = min(_timed(call, 1, clock) for _ in range(warm_up))
    if quickest >= SHORTEST_BLOCK_SECONDS:
        return 1
    # A clock that stands still gets the largest block.
    return min(LARGEST_BLOCK, math.ceil(SHORTEST_BLOCK_SECONDS / max(quickest, 1e-12)))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
