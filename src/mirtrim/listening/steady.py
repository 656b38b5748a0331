"""The smoothest path through the bins of a pitch network.

Single frames sometimes have octave errors. Voices and strings glide and seldom leap, so the bins b
of a file are chosen jointly,

    max over b of  Σ_t a_t(b_t) − Σ_t min(SLOPE · |b_t − b_{t−1}|, LEAP),

with a_t the activations of frame t: Viterbi decoding, as in CREPE's own code, with a bounded cost
of leaps. A frame without sound has small activations and hardly any influence. Both numbers were
chosen on rendered validation pieces, with frames every 8 ms; between half and twice their values
raw pitch moves by less than half a point.
"""

from collections.abc import Iterable, Iterator

import numpy as np

SLOPE = 0.1  # activation per bin of 20 cents
LEAP = 8.0  # of any interval from 80 bins on
# Paths into the newest frame part further back than this only in sound that has no pitch.
LAG_FRAMES = 500


def steady_paths(activations: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of activations with the bin of every frame, (frames, bins) and (frames,).

    Frames are returned `LAG_FRAMES` behind the newest one, so that a file of any length needs
    little memory; the rest follows after the last block.
    """
    held: list[np.ndarray] = []
    sources: list[np.ndarray] = []
    score: np.ndarray | None = None
    for block in activations:
        held.append(block)
        for frame in block:
            if score is None:
                score = frame.astype(np.float64)
                sources.append(np.arange(len(frame), dtype=np.int16))
            else:
                score, source = _step(score)
                score += frame
                score -= score.max()  # or it would grow with the file
                sources.append(source.astype(np.int16))
        if score is not None and len(sources) >= 2 * LAG_FRAMES:
            path = _traced(sources, int(score.argmax()))
            joined = np.concatenate(held)
            count = len(joined) - LAG_FRAMES
            yield joined[:count], path[:count]
            held, sources = [joined[count:]], sources[count:]
    if score is not None and sources:
        yield np.concatenate(held), _traced(sources, int(score.argmax()))


def _step(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Best score of a path into each bin, and the bin it comes from, both (bins,)."""
    bins = np.arange(len(score))
    ramp = SLOPE * bins
    rising, from_below = _running_best(score + ramp, bins)
    # The same from the other end.
    falling, from_above = _running_best((score - ramp)[::-1], bins)
    below, above = rising - ramp, falling[::-1] + ramp
    best = np.maximum(below, above)
    source = np.where(below >= above, from_below, bins[-1] - from_above[::-1])
    top = int(score.argmax())
    leap = score[top] - LEAP
    return np.maximum(best, leap), np.where(leap > best, top, source)


def _running_best(values: np.ndarray, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest value so far, and its bin."""
    best = np.maximum.accumulate(values)
    return best, np.maximum.accumulate(np.where(values == best, bins, 0))


def _traced(sources: list[np.ndarray], last: int) -> np.ndarray:
    """The path that ends in bin `last`."""
    path = np.empty(len(sources), dtype=np.int64)
    path[-1] = last
    for frame in range(len(sources) - 1, 0, -1):
        path[frame - 1] = sources[frame][path[frame]]
    return path
