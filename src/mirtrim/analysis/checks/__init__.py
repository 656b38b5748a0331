"""What can be checked by computation of the credibility checklist, one small function each.

Every module of this folder is imported, so that it can register its checks.
"""

import importlib
import pkgutil

from mirtrim.analysis.checks.outcomes import CHECKS, Material, check

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)

__all__ = ["CHECKS", "Material", "check"]
