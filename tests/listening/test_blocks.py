"""Streams give what whole arrays give, and hold only a stretch of them."""

import numpy as np
import pytest

from mirtrim.listening.blocks import at_least, framed, in_multiples, windowed
from mirtrim.tasks.windows import spaced_starts, tiled_starts


def cut(array, sizes, seed=0):
    """`array` in pieces of random sizes."""
    rng = np.random.default_rng(seed)
    first = 0
    while first < len(array):
        size = int(rng.integers(*sizes))
        yield array[first : first + size]
        first += size


def test_blocks_become_multiples_and_lose_nothing():
    values = np.arange(103)
    blocks = list(in_multiples(cut(values, (0, 9)), 8))
    assert all(len(block) % 8 == 0 for block in blocks[:-1])
    assert len(blocks[-1]) == 7
    np.testing.assert_array_equal(np.concatenate(blocks), values)


def moving_sum(samples, hop=4, reach=6):
    """Frames that see `reach` samples to each side, and silence beyond the ends."""
    padded = np.pad(samples, reach)
    centres = np.arange(1 + len(samples) // hop) * hop
    return np.stack([padded[c : c + 2 * reach + 1].sum() for c in centres])


@pytest.mark.parametrize("length", [0, 3, 4, 39, 40, 41, 200, 203])
def test_frames_do_not_depend_on_the_stretches(length):
    samples = np.random.default_rng(1).integers(0, 9, length).astype(np.float32)
    blocks = framed(cut(samples, (1, 30)), 4, 2, 5, moving_sum)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), moving_sum(samples))


def test_a_margin_that_is_too_small_is_seen_at_the_seams():
    samples = np.ones(203, dtype=np.float32)
    frames = np.concatenate(list(framed(iter([samples]), 4, 1, 5, moving_sum)))
    assert (frames != moving_sum(samples)).any()


def test_only_one_stretch_is_held():
    longest = []

    def compute(samples):
        longest.append(len(samples))
        return moving_sum(samples)

    for _ in framed(cut(np.ones(4000, np.float32), (1, 30)), 4, 2, 5, compute):
        pass
    assert max(longest) <= (2 + 5 + 2) * 4 + 30


@pytest.mark.parametrize("count", [6, 7, 8, 11, 12, 50])
def test_windows_with_a_last_one_flush_stand_where_tasks_put_them(count):
    rows = np.arange(count)
    starts = [s for *_, part in windowed(cut(rows, (1, 9)), 6, 3, flush=True) for s in part]
    assert starts == tiled_starts(0, count, 6, 3).tolist()


@pytest.mark.parametrize(("length", "step"), [(6, 4), (2, 5), (5, 1)])
def test_windows_without_one_stand_where_tasks_put_them(length, step):
    rows = np.arange(50)
    found = []
    for held, first, part in windowed(cut(rows, (1, 9)), length, step, flush=False):
        assert len(held) <= length + 9 + step
        for start in part:
            window = held[start - first : start - first + length]
            np.testing.assert_array_equal(window, np.arange(start, start + length))
            found.append(start)
    assert found == spaced_starts(0, 50, length, step).tolist()


def test_short_rows_are_continued():
    rows = list(at_least(iter([np.zeros((2, 3))]), 4, np.ones(3)))
    assert np.concatenate(rows).tolist() == [[0, 0, 0], [0, 0, 0], [1, 1, 1], [1, 1, 1]]
    assert sum(map(len, at_least(iter([np.zeros((5, 3))]), 4, np.ones(3)))) == 5
