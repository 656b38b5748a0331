"""Criteria: functions that score units or weights; low scores are removed first.

A new criterion is one function with one decorator, in a file of this folder that is
imported here:

    @unit_criterion("mine")
    def mine(context: Scoring) -> UnitScores: ...

`UnitScores` maps the name of each layer of the unit graph to a tensor (units,).
"""

from mirtrim.pruning.criteria import (  # noqa: F401 - every file registers what it defines
    activity,
    bits,
    flow,
    second_order,
    sensitivity,
    weights,
)
from mirtrim.pruning.criteria.scoring import (
    UNIT_CRITERIA,
    WEIGHT_CRITERIA,
    Scoring,
    UnitScores,
    assert_can_score,
    score_units,
    score_weights,
    unit_criterion,
    weight_criterion,
)

__all__ = [
    "UNIT_CRITERIA",
    "WEIGHT_CRITERIA",
    "Scoring",
    "UnitScores",
    "assert_can_score",
    "score_units",
    "score_weights",
    "unit_criterion",
    "weight_criterion",
]
