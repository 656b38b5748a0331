"""Automatic checks of the credibility checklist, one small function each.

A new one is a function with one decorator, in a file imported here.
"""

from mirtrim.analysis.checks import (  # noqa: F401 - every file registers what it defines
    measured,
    records,
    runs,
)
from mirtrim.analysis.checks.outcomes import CHECKS, Material, check

__all__ = ["CHECKS", "Material", "check"]
