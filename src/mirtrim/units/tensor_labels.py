"""Which label each tensor carries while labels are followed through one forward pass."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.units.gated_calls import Site, calling, running
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label
from mirtrim.units.ledger import Ledger
from mirtrim.units.resolving import Findings
from mirtrim.units.widths import tensor_attributes
from mirtrim.utils.errors import TraceError

_CUSTOM = torch.autograd.function.BackwardCFunction
# Of `torch.utils.checkpoint`: it runs in plain sight what it will run again.
_PLAIN = "CheckpointFunctionBackward"


class TensorLabels:
    """Labels of tensors, names of parameters and buffers, and the module that is running."""

    def __init__(
        self, model: nn.Module, *, strict: bool = False, updated: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.ledger = Ledger(strict)
        self.findings = Findings(self.ledger)
        self._modules = {id(m): (path, m) for path, m in model.named_modules()}
        attributes = self._attributes = tensor_attributes(model)
        self._tables = {**dict(model.named_buffers()), **attributes}
        frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
        # Where everything is frozen, nothing is by intention.
        self._frozen = frozen if len(frozen) < len(list(model.parameters())) else set()
        self._frozen -= set(updated)
        # Strong references: an id is only a name while its object lives.
        self._known: dict[int, tuple[Tensor, Label | Free | None]] = {}
        self._places: dict[tuple[Any, ...] | None, Label] = {}
        self._whole: dict[int, Tensor] = {}
        self._nodes: dict[int, tuple[Any, list[Ids]]] = {}
        self._custom: set[int] = set()
        self._names: dict[int, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self.used: set[str] = set()
        named = (*model.named_parameters(), *model.named_buffers(), *attributes.items())
        for name, tensor in named:
            self._names[id(tensor)] = name
            self._shapes[name] = tuple(tensor.shape)
            self._known[id(tensor)] = (tensor, Free(((name, tuple(range(tensor.dim()))),)))

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
            made = known[1] if known is not None else None
            if isinstance(made, Label) and type(history).__name__ == _PLAIN:
                return made
            return self._unwatched(
                tensor,
                f"uses a tensor {tuple(tensor.shape)} from the custom autograd function "
                f"{type(history).__name__.removesuffix('Backward')}, which cannot be followed",
                "write it with torch operations or protect its module",
                made,
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

    def _unwatched(
        self, tensor: Tensor, why: str, what_to_do: str, made: Label | Free | None = None
    ) -> Label:
        """Label of a tensor that was made where nobody could watch; its history tells of what.

        Without a history it may have been made of anything that was seen so far. `made` is what
        was seen of how it was made.
        """
        message = f"{self.place()} {why}; {what_to_do}"
        if self.ledger.strict:
            raise TraceError(message)
        if tensor.grad_fn is None:
            ids = np.arange(1, self.ledger.count, dtype=np.int64)
        else:
            ids = self._ancestors(tensor.grad_fn)
        if isinstance(made, Label):
            ids = np.union1d(ids, made.ids)
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
        if isinstance(label, Free):
            name = self.name_of(self._whole.get(id(tensor), tensor))
            if name in self._frozen and not all(self.is_frozen(n) for n, _ in label.origins):
                self.findings.updated.add(str(name))
        if isinstance(label, Label) and label.axis is not None:
            self._places[_place(tensor)] = label
        node = tensor.grad_fn
        if node is not None and isinstance(label, Label):
            # A node has several results when a tensor is cut into parts.
            self._nodes.setdefault(id(node), (node, []))[1].append(label.ids)

    def alias(self, tensor: Tensor, whole: Tensor) -> None:
        """What is written into `tensor` is written into the parameter `whole`."""
        if self.name_of(whole) is not None:
            self._whole[id(tensor)] = whole

    def name_of(self, tensor: Any) -> str | None:
        """Name of a parameter or buffer, None for any other object."""
        return self._names.get(id(tensor))

    def is_buffer(self, name: str) -> bool:
        """Whether `name` is that of a buffer."""
        return self.findings.root(name) in self._tables

    def is_frozen(self, name: str) -> bool:
        """Whether `name` is a parameter that is not trained, in a network of which others are."""
        return self.findings.root(name) in self._frozen

    def length(self, name: str, dim: int) -> int:
        """The size of a parameter, buffer or part along one dimension."""
        home = self.findings.home(name, dim)
        if home in self.findings.parts:
            return len(self.findings.slots[home][dim])
        return self._shapes[home][dim]

    def owner(self) -> tuple[str, nn.Module | None]:
        """Path and object of the innermost module whose code is running."""
        return running(self._modules) or ("", None)

    def caller(self) -> tuple[str, Site]:
        """Path of that module, and the place in its code."""
        found, site = calling(self._modules)
        return (found[0] if found else ""), site

    def place(self) -> str:
        """Words for the module that is running."""
        path, module = self.owner()
        return f"module {path!r}" if path else f"the network ({type(module).__name__})"

    def fix_tensor(self, tensor: Tensor) -> None:
        """None of the parameters in `tensor` may change shape."""
        label = self._known.get(id(tensor), (tensor, None))[1]
        if isinstance(label, Free):
            for dim in range(tensor.dim()):
                self.fix_dim(label, dim)

    def fix_dim(self, label: Free, dim: int) -> None:
        """Parameters that lie along one dimension of a tensor keep their size there."""
        for name, dims in label.origins:
            place = dims[dim]
            if place is not None:
                self.findings.rigid.add((name, place))


def _place(tensor: Tensor) -> tuple[Any, ...] | None:
    """Where a tensor lies in memory and how; None if it lies nowhere."""
    try:
        start = tensor.data_ptr()
    except (RuntimeError, NotImplementedError):
        return None
    return (start, tensor.dtype, tuple(tensor.shape), tensor.stride()) if start else None
