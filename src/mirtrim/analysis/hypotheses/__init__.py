"""Hypotheses: sentences in `config/hypotheses.yaml`, computed by registered functions.

Every module of this folder is imported, so that it can register its computations.
"""

import importlib
import pkgutil

from mirtrim.analysis.hypotheses.finding import COMPUTATIONS, Finding, computation

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = ["COMPUTATIONS", "Finding", "computation"]
