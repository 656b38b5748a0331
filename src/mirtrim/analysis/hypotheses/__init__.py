"""Hypotheses: sentences in `config/hypotheses.yaml`, computed by registered functions.

A new computation is one function with one decorator, in a file imported here.
"""

from mirtrim.analysis.hypotheses import (  # noqa: F401 - every file registers what it defines
    connectivity,
    counted,
    economy,
    errors,
    free_ratios,
    ordering,
)
from mirtrim.analysis.hypotheses.finding import COMPUTATIONS, Finding, computation

__all__ = ["COMPUTATIONS", "Finding", "computation"]
