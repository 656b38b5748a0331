"""The ledger of what must live together.

Facts found while a network runs (these units are one, these can never go, these two sizes must
stay equal) are only written down; `Ledger.solve` draws the consequences once the whole network
was seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mirtrim.units.labels import Ids, Label
from mirtrim.utils.errors import TraceError

OUTPUT = "it is an output of the network"
Terms = tuple[tuple[Ids, Fraction], ...]


@dataclass(frozen=True)
class Solution:
    """Outcome of `Ledger.solve`.

    Attributes:
        component: of each unit id, the smallest id that lives and dies with it; 0: immortal.
        reason: why a component is immortal, by its smallest id before it became 0.
        root: like `component`, but with immortal components kept apart.
    """

    component: np.ndarray
    root: np.ndarray
    reason: dict[int, str]


class Ledger:
    """What was learned about unit ids while a network ran."""

    def __init__(self, strict: bool = True) -> None:
        self.count = 1
        self.strict = strict
        self.closed = False
        self.typed_divisors = False
        self.runs: list[Ids] = []
        self._fixed: set[tuple[int, int]] = set()
        self._unions: list[tuple[Ids, Ids]] = []
        self._pins: list[tuple[Ids, str]] = []
        self._equations: list[tuple[Ids, Terms, str, bool, bool]] = []
        self._refusals: list[tuple[Ids, str, str]] = []
        self._barriers: list[tuple[Ids, Ids]] = []
        self._barred: set[int] = set()
        self._suspects: dict[int, tuple[Ids, str, str]] = {}

    def fresh(self, units: int) -> Ids:
        """New ids for the units of one layer."""
        ids = np.arange(self.count, self.count + units, dtype=np.int64)
        self.count += units
        return ids

    def pin(self, ids: Ids, reason: str) -> None:
        """These units can never be removed."""
        if ids.any():
            self._pins.append((ids[ids != 0], reason))

    def fix(self, terms: Terms, reason: str) -> None:
        """Sizes that are used as numbers: the units that they count can never be removed."""
        for ids, _ in terms:
            self.pin(ids, reason)
            self._fixed.add((int(ids[0]) if len(ids) else 0, len(ids)))

    def fixes(self, ids: Ids) -> bool:
        """Whether `fix` was called for these ids."""
        return (int(ids[0]) if len(ids) else 0, len(ids)) in self._fixed

    def met(self, ids: Ids) -> bool:
        """Whether anything is known of these units: that they are others, or as many."""
        told = [*(x for pair in self._unions for x in pair), *(one for one, *_ in self._equations)]
        told += [one for _, terms, *_ in self._equations for one, _ in terms]
        return bool(len(ids)) and any((one == ids[0]).any() for one in told)

    def stays(self, ids: Ids) -> bool:
        """Whether it is clear already that none of these units can be removed."""
        pinned = np.concatenate([np.zeros(1, dtype=np.int64), *(one for one, _ in self._pins)])
        parent = _connect(np.arange(self.count, dtype=np.int64), self._unions)
        return bool(np.isin(parent[ids], parent[pinned]).all())

    def unite(self, one: Ids, other: Ids, reason: str) -> None:
        """Position by position, these units live or die together."""
        if one is other:
            return
        one, other = np.broadcast_arrays(one, other)
        differ = one != other
        if not differ.any():
            return
        self.pin(one[differ & (other == 0)], reason)
        self.pin(other[differ & (one == 0)], reason)
        both = differ & (one != 0) & (other != 0)
        if both.any():
            self._unions.append((one[both], other[both]))

    def unite_pieces(self, ids: Ids, pieces: int, reason: str) -> None:
        """Position i of each of `pieces` equal runs of `ids` live or die together."""
        rows = ids.reshape(pieces, -1)
        self.unite(rows[1:], rows[:1], reason)

    def equate(
        self, ids: Ids, terms: Terms, reason: str, *, unite: bool = False, late: bool = False
    ) -> None:
        """After any cut, as many of `ids` are left as `terms` say (Σ scale · units left).

        Args:
            unite: where the two differ, units of the same position are made one if that helps;
                otherwise they are pinned.
            late: look only once everything else is settled, which may balance the two.
        """
        if len(terms) == 1 and terms[0][1] == 1 and np.array_equal(ids, terms[0][0]):
            return
        self._equations.append((ids, terms, reason, unite, late))

    def refuse(self, ids: Ids, message: str, cause: str = "") -> None:
        """What happens to these units cannot be followed.

        Unless all of them turn out to be immortal, they are pinned because of `cause`, or, if
        the ledger is strict, `message` is raised.
        """
        if ids.any():
            self._refusals.append((ids, message, cause or message))

    def depend(self, ids: Ids) -> Label:
        """Label of something that is made of all these units but has none itself.

        It stands for one new id. If that turns out immortal (because it reaches an output of
        the network), so are the units.
        """
        result = self.fresh(1)
        self._barriers.append((result, ids))
        if any(int(one) in self._barred for one in np.unique(ids)):
            self._barred.add(int(result[0]))
        return Label(None, result)

    def barrier(self, ids: Ids, message: str, cause: str = "") -> Label:
        """Label of something that depends on these units in a way that cannot be followed."""
        label = self.depend(ids)
        self._barred.add(int(label.ids[0]))
        self.refuse(ids, message, cause)
        return label

    def suspect(self, ids: Ids, message: str, cause: str) -> Label:
        """Like `barrier`, but only if the tensor is used at all."""
        label = self.depend(ids)
        self._suspects[int(label.ids[0])] = (ids, message, cause)
        return label

    def confirm(self, label: Label) -> None:
        """A tensor with this label is used."""
        suspect = self._suspects.pop(int(label.ids[0]), None)
        if suspect is not None:
            self._barred.add(int(label.ids[0]))
            self.refuse(*suspect)

    def bars(self, label: Label) -> bool:
        """Whether nothing may be concluded from a tensor, because it would be refused."""
        return self.strict and label.axis is None and int(label.ids[0]) in self._barred

    def solve(self, extra: "Constraints") -> Solution:
        """Draw the consequences until nothing changes.

        Raises:
            TraceError: an operation that cannot be followed touches removable units.
        """
        parent = np.arange(self.count, dtype=np.int64)
        while True:
            parent = _connect(parent, self._unions)
            self._unions = []
            reason: dict[int, str] = {}
            # What is an output stays for that alone, whatever else it meets on the way.
            for ids, why in sorted(self._pins, key=lambda pin: pin[1] != OUTPUT):
                for root in np.unique(parent[ids]).tolist():
                    reason.setdefault(root, why)
            component = parent.copy()
            if reason:
                component[np.isin(parent, list(reason))] = 0
            before = len(self._pins)
            self._balance_all(component, late=False)
            for result, ids in self._barriers:
                blocked, dependent = component[ids].any(), component[result[0]] != 0
                if blocked and not dependent:
                    self.pin(ids, reason[int(parent[result[0]])])
                elif dependent and not blocked:
                    self.pin(result, "it depends on nothing that can be removed")
            extra.apply(component)
            if len(self._pins) == before and not self._unions:
                self._balance_all(component, late=True)
            if len(self._pins) == before and not self._unions:
                extra.settle(component)
            if len(self._pins) == before and not self._unions:
                self._pin_refused(component)
            if len(self._pins) == before and not self._unions:
                break
        return Solution(component, parent, reason)

    def _balance_all(self, component: np.ndarray, *, late: bool) -> None:
        for ids, terms, why, unite, is_late in self._equations:
            if is_late is late:
                self._balance(component, ids, terms, why, unite)

    def _pin_refused(self, component: np.ndarray) -> None:
        for ids, message, cause in self._refusals:
            if component[ids].any():
                if self.strict:
                    raise TraceError(message)
                self.pin(ids, cause)

    def _balance(
        self, component: np.ndarray, ids: Ids, terms: Terms, why: str, unite: bool
    ) -> None:
        balance: dict[int, Fraction] = {}
        for one, scale in ((ids, Fraction(1)), *((i, -s) for i, s in terms)):
            roots, counts = np.unique(component[one], return_counts=True)
            for root, count in zip(roots.tolist(), counts.tolist(), strict=True):
                balance[root] = balance.get(root, Fraction(0)) + scale * count
        wrong = [root for root, rest in balance.items() if root and rest]
        if wrong and not (unite and self._unite_counted(component, ids, terms, why)):
            self.pin(np.array(wrong, dtype=np.int64), why)

    def _unite_counted(self, component: np.ndarray, ids: Ids, terms: Terms, why: str) -> bool:
        """Two equal sizes stay equal if position by position they live and die together.

        A size that counts the same units several times does so run by run or entry by entry.
        """
        if len(terms) != 1:
            return False
        counted, scale = terms[0]
        if scale.denominator != 1 or scale < 1 or len(ids) != scale * len(counted):
            return False
        times = int(scale)
        rows = ids.reshape(times, -1)
        columns = ids.reshape(-1, times).T
        interleaved = component[columns]
        if times > 1 and (interleaved == interleaved[:1]).all():
            rows = columns
        self.unite(rows, counted[None], why)
        return True


class Constraints:
    """Facts that depend on what the ledger has found so far; subclasses override `apply`."""

    def apply(self, component: np.ndarray) -> None:
        """Write further pins and unions that follow from `component` into the ledger."""

    def settle(self, component: np.ndarray) -> None:
        """The same once all unions are known."""


def _connect(parent: np.ndarray, unions: Iterable[tuple[Ids, Ids]]) -> np.ndarray:
    """Connected components by repeated hooking to the smaller root and pointer jumping."""
    pairs = list(unions)
    if not pairs:
        return parent
    one = np.concatenate([a.ravel() for a, _ in pairs])
    other = np.concatenate([b.ravel() for _, b in pairs])
    while True:
        a, b = parent[one], parent[other]
        apart = a != b
        if not apart.any():
            return parent
        one, other, a, b = one[apart], other[apart], a[apart], b[apart]
        np.minimum.at(parent, np.maximum(a, b), np.minimum(a, b))
        while True:
            shorter = parent[parent]
            if np.array_equal(shorter, parent):
                break
            parent = shorter
