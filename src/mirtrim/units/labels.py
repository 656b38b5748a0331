"""Unit ids, and the labels that tensors carry.

Every unit of every layer gets an integer id; id 0 stands for "never removed". A label says
along which dimension of a tensor units lie and which unit each position belongs to.
"""

from dataclasses import dataclass

import numpy as np

Ids = np.ndarray  # int64 (positions,), unit ids


@dataclass(frozen=True, slots=True)
class Label:
    """Where the units of one tensor lie.

    Attributes:
        axis: the dimension along which units lie, None if the tensor belongs to `ids[0]` as a
            whole (0: no units at all, as for network inputs).
        ids: unit id of each position along `axis`.
        source: name of the layer whose output this is, unit by unit and in order, else "".
            Without units, that of a layer that keeps all of its own.
    """

    axis: int | None
    ids: Ids
    source: str = ""

    def moved(self, axis: int) -> "Label":
        """The same units along another dimension."""
        return Label(axis, self.ids, self.source)

    def of(self, source: str) -> "Label":
        """The same of a named layer."""
        return Label(self.axis, self.ids, source)


IMMORTAL = Label(None, np.zeros(1, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Free:
    """A tensor made from parameters that no unit has claimed yet.

    Attributes:
        origins: per parameter, its name and, per dimension of the tensor, the dimension of the
            parameter that lies along it (None: none).
        copied: dimensions that hold copies, as many as the code says.
    """

    origins: tuple[tuple[str, tuple[int | None, ...]], ...]
    copied: frozenset[int] = frozenset()
