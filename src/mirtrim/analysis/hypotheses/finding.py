"""What a computation finds out about one hypothesis on one task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

from mirtrim.analysis.spread import Spread
from mirtrim.analysis.statistics import Comparison


@dataclass(frozen=True)
class Finding:
    """An effect, and on which side of the hypothesis' line it lies.

    Attributes:
        compared: the runs, in words.
        ratios: target compression ratios that it is about.
        measure: what `effect` is.
        effect, low, high: the effect and its 95 % interval (NaN where nothing is estimated).
        favourable: whether the effect lies on the side of the hypothesis.
        counted: exact counts, the same for every seed, which need no test.
        p_value: two-sided, that the effect lies on the line; NaN if counted or with one seed.
        p_signs: of another test that does not affect the verdict (`statistics.sign_flip_p`).
        seeds, pieces, clusters: how many the numbers rest on.
        distance, spread: from the line, and how sure it is, for the seeds that would decide.
        note: what else a reader should know.
    """

    compared: str
    ratios: tuple[float, ...]
    measure: str
    effect: float
    favourable: bool
    low: float = nan
    high: float = nan
    counted: bool = False
    p_value: float = nan
    p_signs: float = nan
    seeds: int = 0
    pieces: int = 0
    clusters: int = 0
    distance: float = 0.0
    spread: Spread | None = None
    note: str = ""


# What a finding takes over from a comparison.
OF_COMPARISON = ("p_signs", "seeds", "pieces", "clusters", "spread")


def finding_of(
    comparison: Comparison,
    compared: str,
    ratios: Sequence[float],
    *,
    relative: bool = False,
    p_value: float | None = None,
    note: str = "",
) -> Finding:
    """The finding of a comparison whose hypothesis is that its effect is below 0.

    Args:
        relative: report the ratio of the errors rather than their difference.
        p_value: replaces that of the comparison.
    """
    if comparison.seeds < 2:
        note = "; ".join([*([note] if note else []), "one seed decides nothing"])
    interval = comparison.ratio_interval if relative else comparison.difference_interval
    return Finding(
        compared,
        tuple(ratios),
        "ratio of errors" if relative else "difference of errors",
        comparison.ratio if relative else comparison.difference,
        comparison.effect < 0,
        *interval,
        p_value=comparison.p_value if p_value is None else p_value,
        distance=comparison.effect,
        note=note,
        **{name: getattr(comparison, name) for name in OF_COMPARISON},
    )


# (TaskEvidence, numpy generator, *, settings of the hypothesis) -> Finding.
Computation = Callable[..., Finding]
COMPUTATIONS: dict[str, Computation] = {}


def computation(function: Computation) -> Computation:
    """Register a computation by its name; its keyword arguments are what a hypothesis may set."""
    COMPUTATIONS[function.__name__] = function
    return function
