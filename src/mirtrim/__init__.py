"""mirtrim: how small a music network can get before it stops hearing.

small = mirtrim.trim(model, example_inputs, ratio=8, criterion="magnitude")
print(small.trim_report)
mirtrim.save(small, "small")
again = mirtrim.load("small", factory)
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mirtrim.pruning.api import trim
    from mirtrim.pruning.dynamic import feedback
    from mirtrim.pruning.lottery import tickets
    from mirtrim.pruning.report import TrimReport
    from mirtrim.units.storage import load, save
    from mirtrim.utils.errors import MirtrimError

__all__ = ["MirtrimError", "TrimReport", "feedback", "load", "save", "tickets", "trim"]

_HOME = {
    "MirtrimError": "mirtrim.utils.errors",
    "TrimReport": "mirtrim.pruning.report",
    "feedback": "mirtrim.pruning.dynamic",
    "load": "mirtrim.units.storage",
    "save": "mirtrim.units.storage",
    "tickets": "mirtrim.pruning.lottery",
    "trim": "mirtrim.pruning.api",
}


def __getattr__(name: str) -> Any:
    # Imported on first use (PEP 562): workers that only render audio need no torch.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
