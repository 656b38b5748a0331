"""What handlers report while labels are followed through one forward pass.

Handlers push the labels of tensors through the operations. What they learn about units on the way
they tell the `Trace`, which notes it in the ledger and the findings.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from torch import Tensor, nn

from mirtrim.units.gated_calls import Site, calling
from mirtrim.units.graph import RowLayout
from mirtrim.units.labels import Free, Ids, Label
from mirtrim.units.ledger import OUTPUT, Terms
from mirtrim.units.remaking import parents, remade
from mirtrim.units.resolving import FoundLayer
from mirtrim.units.sizes import AdaptiveInt
from mirtrim.units.tensor_labels import TensorLabels
from mirtrim.units.widths import WEIGHTED, holder, own_sizes, several, size_at, unit_attributes
from mirtrim.utils.errors import TraceError

# Why units stay, however the network is followed.
SINGLE, PROTECTED = "it has a single unit", "is protected"


@dataclass(frozen=True)
class Plan:
    """How a network is traced.

    Attributes:
        protect, strict: see `finding.discover`.
        follow_attributes: whether integers of somebody's own modules may count units.
        prefer_last: whether the last of several sizes shrinks where each of them could, not the
            first.
        turned: places in the code where it is the other way round.
        typed_divisors: whether sizes by which others are divided stay.
        updated: frozen parameters that are made from trained ones.
        numbers: (module, attribute, index) of integers that count no units.
    """

    protect: Sequence[str]
    strict: bool
    follow_attributes: bool = True
    prefer_last: bool = False
    turned: frozenset[Site] = frozenset()
    typed_divisors: bool = False
    updated: frozenset[str] = frozenset()
    numbers: frozenset[tuple[str, str, int | None]] = frozenset()


class Trace(TensorLabels):
    """What is known of one forward pass; handlers act through its methods."""

    def __init__(self, model: nn.Module, plan: Plan) -> None:
        super().__init__(model, strict=plan.strict, updated=plan.updated)
        self.ledger.typed_divisors = plan.typed_divisors
        self._plan = plan
        unknown = set(plan.protect) - {path for path, _ in self._modules.values()}
        if unknown:
            raise TraceError(f"cannot protect {sorted(unknown)[0]!r}: there is no such module")

    def bind(self, name: str, dim: int, ids: Ids) -> None:
        """The positions of dimension `dim` of the tensor called `name` belong to `ids`."""
        name = self.findings.home(name, dim)
        if len(ids) != self.length(name, dim):
            # A part of it was taken in a way that leaves it whole.
            self.findings.rigid.add((name, dim))
            self.ledger.pin(ids, f"the size of {name} is fixed by the code")
            return
        slot = self.findings.slots.setdefault(name, {})
        if dim in slot:
            self.ledger.unite(slot[dim], ids, f"{name} is shared in {self.place()}")
        else:
            slot[dim] = ids

    def bind_optional(self, tensor: Any, ids: Ids, what: str, place: int = 0) -> None:
        """Bind a dimension of a bias, gain or statistic, most often its only one, if it is one."""
        if tensor is None:
            return
        name, label = self.name_of(tensor), self.label_of(tensor)
        origins = label.origins if isinstance(label, Free) else ()
        parts = [(n, dim) for n, dims in origins if (dim := dims[place]) is not None]
        if name is None and parts:
            # Computed, as a pruned bias is from its mask; single numbers may scale it.
            for part, dim in parts:
                self.bind(part, dim, ids)
        elif name is None:
            self.fix_tensor(tensor)
            cause = (
                f"{what} in {self.place()} takes a vector {tuple(tensor.shape)} that is neither "
                "a parameter nor a buffer"
            )
            self.ledger.refuse(ids, f"{cause}; register it or protect the layer before it", cause)
        else:
            self.bind(name, place, ids)

    def choose(self, count: int) -> int:
        """Which of several sizes shrinks, where each of them could."""
        _, site = calling(self._modules)
        self.findings.choices.setdefault(site)
        last = self._plan.prefer_last is not (site in self._plan.turned)
        return count - 1 if last else 0

    def along(self, name: str, dim: int) -> Ids:
        """Unit ids of the positions of one dimension, new ones if nothing is known of them."""
        ids = self.findings.slot(name, dim)
        if ids is None:
            ids = self.ledger.fresh(self.length(name, dim))
            self.bind(name, dim, ids)
        return ids

    def part(self, name: str, dim: int, start: int, stop: int) -> str:
        """A name for positions `start` to `stop` of one dimension of a tensor."""
        part = f"{name}[{':, ' * dim}{start}:{stop}]"
        self.findings.slots.setdefault(part, {dim: self.along(name, dim)[start:stop]})
        self.findings.parts[part] = name, dim, start
        return part

    def fix_remade(self, model: nn.Module) -> None:
        """Tables that the network may make anew keep their size.

        That happens for longer inputs, say, in code that this pass did not run. A module may
        also keep a table beside a size of its own: if the pass did not ask for the size, size
        and table stay as they are.
        """
        modules = {path: module for path, module in self._modules.values()}
        for name in remade(model, self._tables):
            self.findings.rigid |= {(name, dim) for dim in self.findings.slots.get(name, {})}
        for name in self._attributes:
            path = next(p for p in parents(name) if p in modules)
            module = modules[path]
            asked = {(of, place) for of, place, _ in self.findings.widths}
            sizes = {
                size
                for place in own_sizes(module)
                if (path, place) not in asked
                for size in several(size_at(module, place))
            }
            for dim, ids in self.findings.slots.get(name, {}).items():
                if len(ids) in sizes:
                    self.findings.rigid.add((name, dim))

    def rows(
        self,
        weight: str,
        dim: int,
        units: int,
        kind: str,
        layout: RowLayout,
        fixed: str = "",
        *,
        apart: bool = False,
    ) -> Ids:
        """Ids of the units whose incoming weights lie along `dim` of the tensor `weight`.

        Args:
            fixed: why the units cannot be removed, "" if they can.
            apart: whether they are others than those of the module that runs.
        """
        weight = self.findings.home(weight, dim)
        parted = weight in self.findings.parts
        if (layout.parts == 1 or parted) and units * layout.gates != self.length(weight, dim):
            # Rows of a tensor that stays whole.
            self.findings.rigid.add((weight, dim))
            return np.zeros(units, dtype=np.int64)
        if parted:
            start = self.findings.start(weight)
            layout = replace(layout, start=start, stop=start + units * layout.gates)
        path, module = self.owner()
        layer = weight
        if not apart and isinstance(module, WEIGHTED) and path:
            # Parametrisations keep their parameters in modules of their own.
            inside = weight.rpartition(".")[0] == path
            inside = inside or weight.startswith(f"{path}.parametrizations.")
            if inside or any(self.name_of(p) == weight for p in module._parameters.values()):
                layer = path
        known = self.findings.layers.get(layer)
        if known is None:
            fixed = fixed or self._protected(path) or (SINGLE if units == 1 else "")
            ids = np.zeros(units, dtype=np.int64) if fixed else self.ledger.fresh(units)
            known = self.findings.layers[layer] = FoundLayer(kind, ids, fixed)
        elif fixed:
            self.ledger.pin(known.ids, fixed)
        known.weights.setdefault(weight, layout)
        return known.ids

    def _protected(self, path: str) -> str:
        for name in self._plan.protect:
            if not name or path == name or path.startswith(f"{name}."):
                return f"{name or 'the network'} {PROTECTED}"
        return ""

    def finish(self, leaf: Any) -> None:
        """Something that the network returns: its units stay, and sizes stay what they are."""
        if isinstance(leaf, AdaptiveInt):
            leaf.fix("an output of the network")
        elif isinstance(leaf, Tensor):
            label = self.label_of(leaf)
            if isinstance(label, Label):
                self.ledger.pin(label.ids, OUTPUT)
            self.fix_tensor(leaf)

    def adaptive(self, value: int, ids: Ids) -> int:
        """The size of a dimension whose positions belong to `ids`."""
        return AdaptiveInt(value, ((ids, Fraction(1)),), self.ledger, self.place)

    def size_of(self, tensor: Tensor, label: Free, dim: int) -> int:
        """The size of a parameter, or of what was made from some, along one dimension."""
        size, origins = tensor.shape[dim], label.origins

        def terms() -> Terms:
            ids = self.ledger.fresh(size)
            for name, place in places:
                self.bind(name, place, ids)
            return ((ids, Fraction(1)),)

        places = {(name, place) for name, dims in origins if (place := dims[dim]) is not None}
        if not places or places & self.findings.rigid:
            return size
        return AdaptiveInt(size, terms, self.ledger, self.place)

    @contextmanager
    def adaptive_attributes(self) -> Iterator[None]:
        """While the network runs, `conv.out_channels` and the like follow their units too."""
        with ExitStack() as stack:
            for path, module in self._modules.values():
                names = unit_attributes(module)
                if self._plan.follow_attributes:
                    names += own_sizes(module)
                for name in names:
                    inside, key = holder(module, name)
                    value = size_at(module, name)
                    if any(isinstance(size, AdaptiveInt) for size in several(value)):
                        continue  # in a configuration that another module has as well
                    stack.callback(_restored(inside, key))
                    if isinstance(value, tuple | list):
                        inside[key] = tuple(
                            self._attribute(path, name, i, v) for i, v in enumerate(value)
                        )
                    else:
                        inside[key] = self._attribute(path, name, None, value)
            yield

    def _attribute(self, path: str, name: str, index: int | None, value: int) -> int:
        key = (path, name, index)
        if value < 1 or key in self._plan.numbers:  # below 1: whatever is left over
            return value

        def terms() -> Terms:
            widths = self.findings.widths
            if key not in widths:
                # Asked for before its module ran: ids that will be united with the units'.
                widths[key] = self.ledger.fresh(value)
            return ((widths[key], Fraction(1)),)

        return AdaptiveInt(value, terms, self.ledger, self.place)


def _restored(inside: Any, key: Any) -> Callable[[], None]:
    """A function that puts back what a dict or list has now, if the network left it there."""
    there = isinstance(inside, list) or key in inside
    value = inside[key] if there else None

    def restore() -> None:
        if not there:
            inside.pop(key, None)
        elif isinstance(inside, dict) or key < len(inside):
            inside[key] = value

    return restore
