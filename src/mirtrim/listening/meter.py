"""Where a recording sounds, and how loud it is, measured while it is read."""

from collections.abc import Iterable, Iterator

import numpy as np

# One step of 16 bits. Deviations below it are nothing to hear.
STEP = 1 / 32768
CHUNKS_PER_SECOND = 100


class Meter:
    """Measures a stream of samples at `sample_rate` Hz, in chunks of `chunk` samples."""

    def __init__(self, sample_rate: int, chunk: int | None = None) -> None:
        self.sample_rate = sample_rate
        self.chunk = chunk or max(1, sample_rate // CHUNKS_PER_SECOND)
        self.samples = 0
        self.peak = 0.0
        self.square_sum = 0.0
        self._rest = np.zeros(0, dtype=np.float32)
        self._deviations: list[np.ndarray] = []

    def through(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks, measured."""
        for block in blocks:
            self.samples += len(block)
            self.peak = max(self.peak, float(np.abs(block).max(initial=0)))
            self.square_sum += float(np.square(block, dtype=np.float64).sum())
            held = np.concatenate([self._rest, block])
            whole = len(held) - len(held) % self.chunk
            self._deviations.append(deviations(held[:whole].reshape(-1, self.chunk)))
            self._rest = held[whole:]
            yield block

    @property
    def sounding(self) -> np.ndarray:
        """Whether a chunk deviates from its own mean by a step of 16 bits, (chunks,); the last
        chunk may be shorter."""
        rest = [deviations(self._rest[None])] if len(self._rest) else []
        joined = np.concatenate([np.zeros(0), *self._deviations, *rest])
        return joined >= STEP

    def sounds_at(self, chunks: np.ndarray, before: int, behind: int) -> np.ndarray:
        """Whether anything sounds from `before` chunks before the beginnings of `chunks` to
        `behind` chunks behind it, (chunks,)."""
        reached = np.concatenate([[0], np.cumsum(self.sounding)])
        first, last = (np.clip(chunks + shift, 0, len(reached) - 1) for shift in (-before, behind))
        return reached[last] > reached[first]

    @property
    def silent(self) -> bool:
        """Whether nothing sounds anywhere."""
        return not self.sounding.any()

    @property
    def silence(self) -> str:
        """The message for `silent`: content above half the sample rate cannot be used."""
        return f"silent below {self.sample_rate // 2} Hz"

    @property
    def rms(self) -> float:
        """Root mean square of everything so far."""
        return float(np.sqrt(self.square_sum / max(self.samples, 1)))


def deviations(chunks: np.ndarray) -> np.ndarray:
    """Standard deviation of each of (chunks, samples), (chunks,)."""
    return np.asarray(chunks.std(axis=1, dtype=np.float64))
