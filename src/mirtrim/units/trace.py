"""What is known while labels are followed through one forward pass.

`Trace` keeps, for each activation, a `Label` that says which units lie where. Handlers push labels
through the operations and note in its ledger what must live together.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.gated_calls import running
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label
from mirtrim.units.ledger import OUTPUT, Ledger, Terms
from mirtrim.units.resolving import Findings, RowLayout
from mirtrim.units.sizes import AdaptiveInt
from mirtrim.units.widths import WEIGHTED, own_sizes, tensor_attributes, unit_attributes
from mirtrim.utils.errors import TraceError

_CUSTOM = torch.autograd.function.BackwardCFunction


class Trace:
    """What is known of one forward pass; handlers act through its methods."""

    def __init__(
        self,
        model: nn.Module,
        protect: Sequence[str],
        *,
        strict: bool = False,
        follow_attributes: bool = True,
        prefer_last: bool = False,
    ) -> None:
        super().__init__()
        self.ledger = Ledger(strict)
        self.findings = Findings(self.ledger)
        self._follow_attributes = follow_attributes
        self._prefer_last = prefer_last
        self.chose = False
        self._modules = {id(m): (path, m) for path, m in model.named_modules()}
        unknown = set(protect) - {path for path, _ in self._modules.values()}
        if unknown:
            raise TraceError(f"cannot protect {sorted(unknown)[0]!r}: there is no such module")
        self._protect = tuple(protect)
        attributes = self._attributes = tensor_attributes(model)
        self._buffers = {name for name, _ in model.named_buffers()} | attributes.keys()
        frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
        # Where everything is frozen, nothing is by intention.
        self._frozen = frozen if len(frozen) < len(list(model.parameters())) else set()
        # Strong references: an id is only a name while its object lives.
        self._known: dict[int, tuple[Tensor, Label | Free | None]] = {}
        self._places: dict[tuple[Any, ...] | None, Label] = {}
        self._nodes: dict[int, tuple[Any, list[Ids]]] = {}
        self._custom: set[int] = set()
        self._names: dict[int, str] = {}
        self.used: set[str] = set()
        self.without_gradients = False
        named = (*model.named_parameters(), *model.named_buffers(), *attributes.items())
        for name, tensor in named:
            self._names[id(tensor)] = name
            self._known[id(tensor)] = (tensor, Free(((name, tuple(range(tensor.dim()))),)))

    # What is known about a tensor

    def use(self, tensors: Sequence[Tensor]) -> None:
        """Remember which parameters take part in the network."""
        for tensor in tensors:
            name = self._names.get(id(tensor))
            if name is not None:
                self.used.add(name)

    def label_of(self, tensor: Tensor) -> Label | Free | None:
        """The label of `tensor`; None for a constant made in the forward pass."""
        known = self._known.get(id(tensor))
        history = tensor.grad_fn
        if isinstance(history, _CUSTOM) and id(tensor) not in self._custom:
            self._custom.add(id(tensor))
            return self._unwatched(
                tensor,
                f"uses a tensor {tuple(tensor.shape)} from the custom autograd function "
                f"{type(history).__name__.removesuffix('Backward')}, which cannot be followed",
                "write it with torch operations or protect its module",
            )
        if known is not None and known[1] is not None:
            return known[1]
        if history is None and known is None:
            # Another name of something known, as `Variable(x)` makes it.
            alias = self._places.get(_place(tensor))
            if alias is not None:
                return alias
        if history is not None or tensor.is_inference():
            return self._unwatched(
                tensor,
                f"uses a tensor {tuple(tensor.shape)} of unknown origin (scripted or compiled "
                "code, inference mode, or written to under another name)",
                "call plain torch operations instead",
            )
        if tensor.requires_grad and self.ledger.strict:
            raise TraceError(
                f"{self.place()} uses a parameter {tuple(tensor.shape)} that is not part of the "
                "network; register it as one"
            )
        return None

    def _unwatched(self, tensor: Tensor, why: str, what_to_do: str) -> Label:
        """Label of a tensor that was made where nobody could watch; its history tells of what.

        Without a history it may have been made of anything that was seen so far.
        """
        message = f"{self.place()} {why}; {what_to_do}"
        if self.ledger.strict:
            raise TraceError(message)
        if tensor.grad_fn is None:
            ids = np.arange(1, self.ledger.count, dtype=np.int64)
        else:
            ids = self._ancestors(tensor.grad_fn)
        label = IMMORTAL
        if ids.any():
            label = self.ledger.barrier(ids, message, f"{self.place()} {why}")
        self.set(tensor, label)
        return label

    def _ancestors(self, node: Any) -> Ids:
        """Units of the nearest known tensors that something was computed from.

        Parameters on the way keep their shape.
        """
        found = [np.zeros(1, dtype=np.int64)]
        stack, seen = [node], {id(node): node}
        while stack:
            node = stack.pop()
            known = self._nodes.get(id(node))
            if known is not None:
                found += known[1]
                continue
            variable = getattr(node, "variable", None)
            if variable is not None:
                self.use([variable])
                self.fix_tensor(variable)
                label = self._known.get(id(variable), (variable, None))[1]
                if isinstance(label, Label):
                    found.append(label.ids)
            for earlier, _ in getattr(node, "next_functions", ()):
                if earlier is not None and id(earlier) not in seen:
                    seen[id(earlier)] = earlier
                    stack.append(earlier)
        ids = np.unique(np.concatenate(found))
        return ids[ids != 0]

    def set(self, tensor: Tensor, label: Label | Free | None) -> None:
        """Give `tensor` a label."""
        if isinstance(label, Label) and label.axis is not None:
            if len(label.ids) != tensor.shape[label.axis]:
                raise TraceError(
                    f"{self.place()} yields {tuple(tensor.shape)} where {len(label.ids)} positions "
                    f"were expected along dimension {label.axis}; please report this network"
                )
            if (label.ids == label.ids[0]).all():
                self.ledger.pin(label.ids, f"nothing else lies beside it in {self.place()}")
                label = IMMORTAL
        self._known[id(tensor)] = (tensor, label)
        if isinstance(label, Label) and label.axis is not None:
            self._places[_place(tensor)] = label
        node = tensor.grad_fn
        if node is not None and isinstance(label, Label):
            # A node has several results when a tensor is cut into parts.
            self._nodes.setdefault(id(node), (node, []))[1].append(label.ids)

    def name_of(self, tensor: Any) -> str | None:
        """Name of a parameter or buffer, None for any other object."""
        return self._names.get(id(tensor))

    def is_buffer(self, name: str) -> bool:
        """Whether `name` is that of a buffer."""
        return name in self._buffers

    def is_frozen(self, name: str) -> bool:
        """Whether `name` is a parameter that is not trained, in a network of which others are."""
        return name in self._frozen

    # Where the forward pass is

    def owner(self) -> tuple[str, nn.Module | None]:
        """Path and object of the innermost module whose code is running."""
        return running(self._modules) or ("", None)

    def place(self) -> str:
        """Words for the module that is running."""
        path, module = self.owner()
        return f"module {path!r}" if path else f"the network ({type(module).__name__})"

    # What handlers report

    def bind(self, name: str, dim: int, ids: Ids) -> None:
        """The positions of dimension `dim` of the tensor called `name` belong to `ids`."""
        slot = self.findings.slots.setdefault(name, {})
        if dim in slot:
            self.ledger.unite(slot[dim], ids, f"{name} is shared in {self.place()}")
        else:
            slot[dim] = ids

    def bind_optional(self, tensor: Any, ids: Ids, what: str) -> None:
        """Bind the only dimension of a bias, gain or statistic, where there is one."""
        if tensor is None:
            return
        name = self.name_of(tensor)
        if name is None:
            self.fix_tensor(tensor)
            cause = (
                f"{what} in {self.place()} takes a vector {tuple(tensor.shape)} that is neither "
                "a parameter nor a buffer"
            )
            self.ledger.refuse(ids, f"{cause}; register it or protect the layer before it", cause)
        else:
            self.bind(name, 0, ids)

    def choose(self, count: int) -> int:
        """Which of several sizes shrinks, where each of them could."""
        self.chose = True
        return count - 1 if self._prefer_last else 0

    def fix_tensor(self, tensor: Tensor) -> None:
        """None of the parameters in `tensor` may change shape."""
        label = self._known.get(id(tensor), (tensor, None))[1]
        if isinstance(label, Free):
            for dim in range(tensor.dim()):
                self.fix_dim(label, dim)

    def fix_remade(self) -> None:
        """A table that a module keeps beside a size of its own may be made anew from it.

        That happens for longer inputs, say, in code that this pass did not run. If it did not
        ask for the size either, size and table stay as they are.
        """
        modules = {path: module for path, module in self._modules.values()}
        for name in self._attributes:
            path = next(p for p in _parents(name) if p in modules)
            module = modules[path]
            sizes = {
                getattr(module, size)
                for size in own_sizes(module)
                if (path, size, None) not in self.findings.widths
            }
            for dim, ids in self.findings.slots.get(name, {}).items():
                if len(ids) in sizes:
                    self.findings.rigid.add((name, dim))

    def fix_dim(self, label: Free, dim: int) -> None:
        """Parameters that lie along one dimension of a tensor keep their size there."""
        for name, dims in label.origins:
            place = dims[dim]
            if place is not None:
                self.findings.rigid.add((name, place))

    def rows(
        self, weight: str, dim: int, units: int, kind: str, layout: RowLayout, fixed: str = ""
    ) -> Ids:
        """Ids of the units whose incoming weights lie along `dim` of the tensor `weight`.

        Args:
            fixed: why the units cannot be removed, "" if they can.
        """
        path, module = self.owner()
        plain = isinstance(module, WEIGHTED) and path and weight.rpartition(".")[0] == path
        if not plain and isinstance(module, WEIGHTED) and path:
            parameters = module._parameters.values()
            plain = any(self.name_of(p) == weight for p in parameters)
            # Parametrisations keep their parameters in modules of their own.
            plain = plain or weight.startswith(f"{path}.parametrizations.")
        layer = path if plain else weight
        known = self.findings.layers.get(layer)
        if known is None:
            fixed = fixed or self._protected(path) or ("it has a single unit" if units == 1 else "")
            ids = np.zeros(units, dtype=np.int64) if fixed else self.ledger.fresh(units)
            known = self.findings.add_layer(layer, kind, ids, fixed)
        elif fixed:
            self.ledger.pin(known.ids, fixed)
        known.weights.setdefault(weight, layout)
        return known.ids

    def _protected(self, path: str) -> str:
        for name in self._protect:
            if not name or path == name or path.startswith(f"{name}."):
                return f"{name or 'the network'} is protected"
        return ""

    def finish(self, leaf: Any) -> None:
        """Something that the network returns: its units stay, and sizes stay what they are."""
        if not isinstance(leaf, Tensor):
            if isinstance(leaf, AdaptiveInt):
                leaf.fix("an output of the network")
            return
        tensor = leaf
        label = self.label_of(tensor)
        if isinstance(label, Label):
            self.ledger.pin(label.ids, OUTPUT)
        self.fix_tensor(tensor)

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
        changed: list[tuple[dict[str, Any], str, Any]] = []
        try:
            for path, module in self._modules.values():
                names = unit_attributes(module)
                if self._follow_attributes:
                    names += own_sizes(module)
                for name in names:
                    value = module.__dict__[name]
                    changed.append((module.__dict__, name, value))
                    if isinstance(value, tuple):
                        module.__dict__[name] = tuple(
                            self._attribute(path, name, i, v) for i, v in enumerate(value)
                        )
                    else:
                        module.__dict__[name] = self._attribute(path, name, None, value)
            yield
        finally:
            for attributes, name, value in reversed(changed):
                attributes[name] = value

    def _attribute(self, path: str, name: str, index: int | None, value: int) -> int:
        def terms() -> Terms:
            widths = self.findings.widths
            key = (path, name, index)
            if key not in widths:
                # Asked for before its module ran: ids that will be united with the units'.
                widths[key] = self.ledger.fresh(value)
            return ((widths[key], Fraction(1)),)

        return AdaptiveInt(value, terms, self.ledger, self.place)


def _place(tensor: Tensor) -> tuple[Any, ...] | None:
    """Where a tensor lies in memory and how; None if it lies nowhere."""
    try:
        start = tensor.data_ptr()
    except (RuntimeError, NotImplementedError):
        return None
    return (start, tensor.dtype, tuple(tensor.shape), tensor.stride()) if start else None


def _parents(name: str) -> Iterator[str]:
    """Dotted names from the longest that `name` lies in to the empty one."""
    while name:
        name = name.rpartition(".")[0]
        yield name
