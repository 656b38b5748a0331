"""Curves that the authors of the replicated paper have recorded, with the true compression ratio.

Their figures place round n of masking at 1 / 0.7^n, regardless of what was masked. `true_ratio`
counts the remaining weights instead; `config/recorded_curves.yaml` has the source of every number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirtrim.analysis.config_files import list_of, mapping_of, read_checked
from mirtrim.utils.errors import ConfigError


@dataclass(frozen=True)
class RecordedCurve:
    """One curve.

    Attributes:
        name: "trim", "trim_reinit" or "mask", or the criterion.
        task: the task, "-" for a mean over tasks.
        source: name of the figure file.
        plotted_ratio: compression ratio in the figure.
        ratio: compression ratio that was actually reached.
        relative_error: error / error of the dense network.
        corrected: whether `ratio` was recounted.
    """

    name: str
    task: str
    source: str
    plotted_ratio: tuple[float, ...]
    ratio: tuple[float, ...]
    relative_error: tuple[float, ...]
    corrected: bool


@dataclass(frozen=True)
class RecordedCurves:
    """All of them: `curves` of single tasks, `criteria` as means over tasks."""

    curves: tuple[RecordedCurve, ...]
    criteria: tuple[RecordedCurve, ...]

    def of_task(self, task: str) -> tuple[RecordedCurve, ...]:
        """The curves of `task`, none if it has not been recorded."""
        return tuple(curve for curve in self.curves if curve.task == task)


def true_ratio(
    plotted: float, plotted_removed: float, never_masked: float, removed: float
) -> float:
    """Compression ratio of a masked network that a figure places at `plotted`.

    Args:
        plotted: nominal ratio, 1 / (1 − plotted_removed)^n after n rounds (n need not be whole,
            the figures interpolate).
        plotted_removed: share that each round removes in the eyes of the figure.
        never_masked: share of the parameters that no round touches.
        removed: share of the remaining maskable weights that each round really removes.
    """
    rounds = math.log(plotted) / -math.log(1 - plotted_removed)
    return 1 / (never_masked + (1 - never_masked) * (1 - removed) ** rounds)


def read_recorded_curves(path: Path) -> RecordedCurves:
    """Read and check the file of recorded curves.

    Raises:
        ConfigError: names the file, the key, and what is wrong.
    """
    content = read_checked(path, SCHEMA)
    plotted_removed = float(content["plotted_removed_per_round"])
    parts: dict[str, list[RecordedCurve]] = {"curves": [], "criteria": []}
    for part, made in parts.items():
        for place, entry in enumerate(content[part]):
            where = f"{path}: key {part}.{place}"
            curve = _curve(entry, plotted_removed, where)
            if any((curve.task, curve.name) == (other.task, other.name) for other in made):
                raise ConfigError(f"{where}: {curve.name} of {curve.task} is there twice")
            made.append(curve)
    return RecordedCurves(tuple(parts["curves"]), tuple(parts["criteria"]))


def _curve(entry: dict[str, Any], plotted_removed: float, where: str) -> RecordedCurve:
    plotted = tuple(map(float, entry["plotted_ratio"]))
    errors = tuple(map(float, entry["relative_error"]))
    if len(plotted) != len(errors):
        raise ConfigError(
            f"{where}: {len(plotted)} values of plotted_ratio, {len(errors)} of relative_error"
        )
    if list(plotted) != sorted(set(plotted)):
        raise ConfigError(f"{where}.plotted_ratio: must rise without repeats")
    networks = entry.get("masked_networks", [])
    if (entry.get("series") == "mask") != bool(networks):
        raise ConfigError(f"{where}.masked_networks: needed for mask, and only there")
    ratio = tuple(_mean_true_ratio(p, plotted_removed, networks) for p in plotted if networks)
    return RecordedCurve(
        name=entry.get("series") or entry["criterion"],
        task=entry.get("task", "-"),
        source=entry["source"],
        plotted_ratio=plotted,
        ratio=ratio or plotted,
        relative_error=errors,
        corrected=bool(networks),
    )


def _mean_true_ratio(
    plotted: float, plotted_removed: float, networks: Sequence[dict[str, float]]
) -> float:
    """Mean over the networks behind a mean curve."""
    ratios = [
        true_ratio(plotted, plotted_removed, n["never_masked"], n["removed_per_round"])
        for n in networks
    ]
    return sum(ratios) / len(ratios)


_SHARE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
_POINTS = {
    "source": {"type": "string", "minLength": 1},
    "plotted_ratio": {"type": "array", "minItems": 2, "items": {"type": "number", "minimum": 1}},
    "relative_error": {
        "type": "array",
        "minItems": 2,
        "items": {"type": "number", "exclusiveMinimum": 0},
    },
}
_CURVE = {
    "task": {"type": "string"},
    "series": {"enum": ["trim", "trim_reinit", "mask"]},
    "masked_networks": list_of(mapping_of({"never_masked": _SHARE, "removed_per_round": _SHARE})),
}
SCHEMA = mapping_of(
    {
        "plotted_removed_per_round": _SHARE,
        "curves": {"type": "array", "items": mapping_of(_CURVE | _POINTS, ["masked_networks"])},
        "criteria": {
            "type": "array",
            "items": mapping_of({"criterion": {"type": "string"}} | _POINTS),
        },
    }
)
