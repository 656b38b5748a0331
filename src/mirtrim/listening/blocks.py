"""From blocks of samples to blocks of rows, and from rows to the windows that a network takes.

Everything here gives the same result as the computation on the whole file, but keeps only a part of
it in memory.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from mirtrim.listening.about import Network
from mirtrim.listening.features import windows_at

BATCH = 256


def in_multiples(blocks: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """The same values in blocks whose lengths are multiples of `size`, the last one's excepted."""
    held: list[np.ndarray] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= size:
            joined = np.concatenate(held)
            whole = count - count % size
            yield joined[:whole]
            held, count = [joined[whole:]], count - whole
    if count:
        yield np.concatenate(held)


def framed(
    blocks: Iterable[np.ndarray],
    hop: int,
    margin_frames: int,
    block_frames: int,
    compute: Callable[[np.ndarray], np.ndarray],
) -> Iterator[np.ndarray]:
    """Frames of a long recording, computed stretch by stretch.

    Each stretch is computed with `margin_frames` more on both sides, which are discarded. It begins
    at a multiple of `hop`, so that frames are aligned with those of the whole.

    Args:
        margin_frames: reach of a frame to each side, in hops.
        block_frames: frames kept of a stretch.
        compute: samples (n,) → frames (1 + n // hop, …), frame t centred on sample t · hop,
            with silence around the samples.

    Yields:
        (frames, …); joined, what `compute` gives of all samples at once, to rounding.
    """
    held = np.zeros(0, dtype=np.float32)
    first = coming = 0  # frame at the first held sample, first frame not yet given
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= (end := (coming - first + block_frames + margin_frames) * hop):
            yield compute(held[:end])[coming - first :][:block_frames]
            coming += block_frames
            start = max(0, coming - margin_frames)
            held, first = held[(start - first) * hop :], start
    yield compute(held)[coming - first :]


def at_least(rows: Iterable[np.ndarray], count: int, fill: np.ndarray) -> Iterator[np.ndarray]:
    """The same rows, continued with the row `fill` if there are fewer than `count`."""
    seen = 0
    for block in rows:
        seen += len(block)
        yield block
    if seen < count:
        yield np.repeat(fill[None], count - seen, axis=0)


def windowed(
    rows: Iterable[np.ndarray], length: int, step: int, *, flush: bool
) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Windows of `length` rows every `step` rows, in batches.

    Args:
        flush: whether a last window ends with the last row, wherever that is.

    Yields:
        Rows that are held, (rows, …); number of the first of them; numbers of the first rows
        of the windows that lie in them, (windows,).
    """
    held: np.ndarray | None = None
    first = start = 0
    last = -1
    for block in rows:
        held = block if held is None else np.concatenate([held, block])
        available = first + len(held)
        starts = np.arange(start, available - length + 1, step)
        if len(starts):
            yield held, first, starts
            last = int(starts[-1])
            start = last + step
        # A flush window may begin before the next regular one.
        keep = max(first, min(start, available - length) if flush else min(start, available))
        held, first = held[keep - first :], keep
    if flush and held is not None and first + len(held) - length != last:
        yield held, first, np.array([first + len(held) - length])


def outputs_of(
    network: Network,
    rows: Iterable[np.ndarray],
    length: int,
    step: int,
    inputs: Callable[[np.ndarray], np.ndarray],
    *,
    flush: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Outputs, batch by batch.

    Args:
        length: rows of a window.
        step: rows between windows.
        inputs: windows (windows, length, …) → what the network takes.
        flush: whether a last window ends with the last row.

    Yields:
        Outputs (windows, …), and first rows of the windows in the file, (windows,).
    """
    for held, first, starts in windowed(rows, length, step, flush=flush):
        # The windows overlap and would fill the memory.
        for part in np.array_split(starts, -(-len(starts) // BATCH)):
            yield network.outputs(inputs(windows_at(held, part - first, length))), part
