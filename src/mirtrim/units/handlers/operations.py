"""The table of operations that tracing understands, and what a handler gets to see."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import writes
from mirtrim.units.labels import IMMORTAL, Free, Ids, Label
from mirtrim.units.sizes import AdaptiveInt, plain_sizes
from mirtrim.units.trace import Trace
from mirtrim.utils.errors import TraceError

Handler = Callable[["Call"], None]
HANDLERS: dict[Any, Handler] = {}
RUN_BY_HANDLERS: set[Any] = set()
METADATA: set[Any] = set()

_NAMESPACES = (
    torch,
    torch.Tensor,
    torch.nn.functional,
    torch._C._nn,
    torch.special,
    torch.fft,
)


def functions_named(name: str) -> Iterator[Any]:
    """Every torch function, method and in-place variant called `name`."""
    for space in _NAMESPACES:
        for spelling in (name, f"{name}_", f"__{name}__", f"__i{name}__", f"__r{name}__"):
            found = getattr(space, spelling, None)
            if callable(found):
                yield found


def handles(*which: Any, runs: bool = False) -> Callable[[Handler], Handler]:
    """Register a handler for torch functions.

    Args:
        which: functions; of a text, all functions and methods that its words name.
        runs: whether the handler makes the call itself; else it was made when it gets it.
    """

    def register(handler: Handler) -> Handler:
        for one in which:
            if isinstance(one, str):
                for name in one.split():
                    for function in functions_named(name):
                        HANDLERS.setdefault(function, handler)
            else:
                HANDLERS[one] = handler
                if runs:
                    RUN_BY_HANDLERS.add(one)
        return handler

    return register


class Unfollowed(TraceError):
    """A call that cannot be followed.

    Attributes:
        why: the end of a sentence that begins with the call.
    """

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why


class Call:
    """One torch call: its arguments, its result once it ran, and what is known about both."""

    __slots__ = ("_before", "args", "func", "gate", "kwargs", "out", "ran", "trace")

    # What a gated network does in this call: kind, dimension of the tensor concerned, units.
    gate: tuple[str, int | None, Ids]

    def __init__(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], trace: Trace):
        self.func, self.args, self.kwargs, self.trace = func, args, kwargs, trace
        self.out: Any = None
        self.ran = False
        self.gate = (self.name, None, IMMORTAL.ids)
        self._before: dict[int, Label | Free | None] = {}

    def run(self) -> Any:
        """Really compute it, with ordinary ints.

        Labels of arguments are read before, because the call may write into them.
        """
        tensors = self.tensors()
        self._before = {id(t): self.trace.label_of(t) for t in tensors}
        self.trace.use(tensors)
        for label in self._before.values():
            if isinstance(label, Label) and label.axis is None:
                self.trace.ledger.confirm(label)
        args = [plain_sizes(value) for value in self.args]
        kwargs = {key: plain_sizes(value) for key, value in self.kwargs.items()}
        first = args[0] if args else None
        into_leaf = isinstance(first, Tensor) and first.is_leaf and first.requires_grad
        # Gradients are on for our sake only, and then some things cannot be written into.
        forbidden = (into_leaf and writes(self.func)) or kwargs.get("out") is not None
        with torch.no_grad() if forbidden else contextlib.nullcontext():
            self.out = self.func(*args, **kwargs)
        self.ran = True
        return self.out

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """An argument by position or keyword."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    @property
    def name(self) -> str:
        """The operation's name without decoration."""
        owner = getattr(self.func, "__self__", None)
        name = getattr(self.func, "__name__", str(self.func))
        if name == "__get__":
            name = getattr(owner, "__name__", name)
        return name

    @property
    def place(self) -> str:
        """Words for operation and module."""
        return f"{self.name} in {self.trace.place()}"

    def tensors(self) -> list[Tensor]:
        """All tensors among the arguments, nested ones included."""
        found: list[Tensor] = []
        for value in self.args:
            _collect(value, found)
        for value in self.kwargs.values():
            _collect(value, found)
        return found

    def label(self, tensor: Tensor) -> Label | Free | None:
        """What was known about an argument before the call."""
        if id(tensor) in self._before:
            return self._before[id(tensor)]
        return self.trace.label_of(tensor)

    def units(self, tensor: Tensor) -> Label | None:
        """The label of an argument that has units along one of its dimensions."""
        label = self.label(tensor)
        return label if isinstance(label, Label) and label.axis is not None else None

    def blocked(self, tensors: Iterable[Tensor]) -> bool:
        """Whether an argument depends on units in a way that could not be followed.

        If so, and if that is to be refused, the result does as well, and nothing else may be
        concluded from it.
        """
        for tensor in tensors:
            label = self.label(tensor)
            if isinstance(label, Label) and self.trace.ledger.bars(label):
                self.unknown("uses something that could not be followed")
                return True
        return False

    def made_of(self, labels: Iterable[Label | Free | None]) -> Label:
        """Label of something that is made of tensors with these and has no units itself."""
        ids = units_of(labels)
        return self.trace.ledger.depend(ids) if len(ids) else IMMORTAL

    def set_all(self, label: Label | Free | None) -> None:
        """Label every tensor of the result."""
        if isinstance(self.out, Tensor):
            self.trace.set(self.out, label)
        else:
            results: list[Tensor] = []
            _collect(self.out, results)
            for tensor in results:
                self.trace.set(tensor, label)

    def unknown(self, why: str = "is not an operation that can be followed") -> None:
        """No handler, or none for this case: whoever is touched must be immortal."""
        tensors = self.tensors()
        labels = [self.label(tensor) for tensor in tensors]
        for tensor, label in zip(tensors, labels, strict=True):
            if isinstance(label, Free):
                self.trace.fix_tensor(tensor)
        self.fix_sizes()
        ids = units_of(labels)
        if len(ids):
            self.set_all(self.trace.ledger.barrier(ids, *self.texts(why)))
        elif any(label is not None for label in labels):
            self.set_all(IMMORTAL)

    def recover(self, why: str) -> None:
        """A handler gave up half-way: run the call if it has not, and follow it no further."""
        if not self.ran:
            self.run()
        self.unknown(why)

    def refuse(self, ids: Ids, why: str) -> None:
        """Units for which this call cannot be followed; see `Ledger.refuse`."""
        self.trace.ledger.refuse(ids, *self.texts(why))

    def texts(self, why: str) -> tuple[str, str]:
        """Message of a refusal, and its cause in a few words."""
        return self.message(why), f"{self.place} {why}"

    def message(self, why: str) -> str:
        """One line that names operation, module and shapes."""
        shapes = " × ".join(str(tuple(t.shape)) for t in self.tensors())
        return (
            f"{self.name} in {self.trace.place()} on {shapes or 'no tensors'} {why}; rewrite it "
            "or protect the layers that feed it"
        )

    def fail(self, why: str) -> TraceError:
        """The error for a case that can never be right."""
        return Unfollowed(self.message(why), why)

    def fix_sizes(self) -> None:
        """Sizes of unit dimensions used where nothing follows them: their units stay."""
        for value in (*self.args, *self.kwargs.values()):
            for item in value if isinstance(value, tuple | list) else (value,):
                if isinstance(item, AdaptiveInt):
                    item.fix(self.name)


def units_of(labels: Iterable[Label | Free | None]) -> Ids:
    """Ids of all units in some labels, each once."""
    ids = [label.ids for label in labels if isinstance(label, Label)]
    return np.unique(np.concatenate([IMMORTAL.ids, *ids]))[1:]


def _collect(value: Any, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        found.append(value)
    elif isinstance(value, tuple | list):
        for item in value:
            _collect(item, found)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found)
