"""Criteria: functions that score units or weights; low scores are removed first.

A new criterion is one function with one decorator, in a file of this folder:

    @unit_criterion("mine")
    def mine(context: Scoring) -> UnitScores: ...

`UnitScores` maps the name of each layer of the unit graph to a tensor (units,).
"""

import importlib
import pkgutil

from mirtrim.pruning.criteria.scoring import (
    UNIT_CRITERIA,
    WEIGHT_CRITERIA,
    Scoring,
    UnitScores,
    score_units,
    score_weights,
    unit_criterion,
    weight_criterion,
)

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = [
    "UNIT_CRITERIA",
    "WEIGHT_CRITERIA",
    "Scoring",
    "UnitScores",
    "score_units",
    "score_weights",
    "unit_criterion",
    "weight_criterion",
]
