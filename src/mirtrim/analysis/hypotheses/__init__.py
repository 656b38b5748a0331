"""Hypotheses: sentences in `config/hypotheses.yaml`, computed by registered functions.

A new computation is one function with one decorator, in a file named in `MODULES`.
"""

from mirtrim.analysis.hypotheses import connectivity, counted, economy, errors, ordering, regimes
from mirtrim.analysis.hypotheses.finding import COMPUTATIONS, Finding, computation

MODULES = (connectivity, counted, economy, errors, ordering, regimes)

__all__ = ["COMPUTATIONS", "Finding", "computation"]
