"""Following labels through one forward pass: every torch call is seen and handed to its handler."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from mirtrim.units.composed import composed
from mirtrim.units.gated_calls import in_order
from mirtrim.units.graph import NormCall
from mirtrim.units.handlers import HANDLERS, METADATA, RUN_BY_HANDLERS
from mirtrim.units.handlers.operations import Call, Unfollowed
from mirtrim.units.labels import IMMORTAL, Label
from mirtrim.units.random_numbers import RANDOM
from mirtrim.units.trace import Trace
from mirtrim.utils.errors import TraceError

# What a handler may stumble over when a call is unlike any that it was written for.
_STUMBLES = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError)


class Tracer(Trace, TorchFunctionMode):
    """Sees every torch call together with the real parameter objects."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run `func` and label what comes out."""
        kwargs = kwargs or {}
        if func in METADATA:
            return func(*args, **kwargs)
        parts = composed(func, kwargs)
        if parts is not None:
            with self:
                return parts(*args, **kwargs)
        call = Call(func, args, kwargs, self)
        try:
            if func not in RUN_BY_HANDLERS:
                call.run()
            HANDLERS.get(func, Call.unknown)(call)
        except TraceError as refusal:
            if self.ledger.strict:
                raise
            call.recover(refusal.why if isinstance(refusal, Unfollowed) else str(refusal))
        except _STUMBLES as error:
            if not call.ran:
                raise
            why = f"is called in a way that cannot be followed ({type(error).__name__}: {error})"
            if self.ledger.strict:
                raise TraceError(call.message(why)) from error
            call.recover(why)
        if func in RANDOM:
            label = self.label_of(call.out) if isinstance(call.out, Tensor) else None
            label = label if isinstance(label, Label) else IMMORTAL
            self.findings.draws.append((label.axis, label.ids))
        if in_order(func, call.args, call.kwargs, self.name_of):
            self.findings.norms.append(NormCall(*call.gate, *self.caller()))
        return call.out
