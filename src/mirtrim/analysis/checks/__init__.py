"""What can be checked by computation of the credibility checklist, one small function each.

A new one is a function with one decorator, in a file named in `MODULES`.
"""

from mirtrim.analysis.checks import measured, records, runs
from mirtrim.analysis.checks.outcomes import CHECKS, Material, check

MODULES = (measured, records, runs)

__all__ = ["CHECKS", "Material", "check"]
