"""The computations by name. A new one is one function with one decorator in this folder."""

from collections.abc import Callable

from mirtrim.evidence.hypotheses.finding import Finding

# (TaskEvidence, numpy generator, *, settings of the hypothesis) -> Finding.
Computation = Callable[..., Finding]
COMPUTATIONS: dict[str, Computation] = {}


def computation(name: str) -> Callable[[Computation], Computation]:
    """Register a computation; its keyword arguments are what a hypothesis may set."""

    def register(function: Computation) -> Computation:
        COMPUTATIONS[name] = function
        return function

    return register
