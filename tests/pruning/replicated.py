"""The percent-per-round schedule of the replicated paper, to the letter.

Each round keeps int((100 − q) / 100 · n) of the n units of every layer; a layer that would be
left with fewer than three units keeps all of them. Layers are ranked apart (local scope). The
recorded parameter counts of seven networks over fifteen rounds follow this rule exactly.
`mirtrim.pruning.selection` is the schedule to use: it meets a counted ratio, and it has a
floor instead of the all-or-nothing rule.
"""

from collections.abc import Collection, Mapping

import numpy as np
from torch import Tensor

from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import ConfigError, TraceError

FEWEST_UNITS = 3


def keep_percentage(
    graph: UnitGraph,
    scores: Mapping[str, Tensor],
    percent: float,
    protected: Collection[str] = (),
) -> np.ndarray:
    """The groups that survive one round.

    Args:
        scores: per layer name, a score for every unit, (units,); high ones stay.
        percent: share of the units of each layer to remove, q.
        protected: names of layers that lose no units.

    Returns:
        Boolean mask (groups,) for `mirtrim.units.cutting.cut`.

    Raises:
        ConfigError: a protected layer is not in the graph.
        TraceError: two layers share units, for which the replicated rule has no answer.
    """
    unknown = set(protected) - {layer.name for layer in graph.layers}
    if unknown:
        raise ConfigError(f"protected layers {sorted(unknown)} are not layers of the network")
    keep = np.ones(graph.group_count, dtype=bool)
    seen: dict[int, str] = {}
    for layer in graph.layers:
        groups = layer.groups
        for group in set(groups.tolist()) - {0}:
            if group in seen:
                raise TraceError(
                    f"layers {seen[group]} and {layer.name} share units; the replicated"
                    " schedule cannot rank them, use mirtrim.pruning.selection"
                )
            seen[group] = layer.name
        if layer.name in protected or not groups.any():
            continue
        units = len(groups)
        kept = int((100 - percent) / 100 * units)
        if kept >= FEWEST_UNITS:
            values = scores[layer.name].detach().double().cpu().numpy()
            keep[groups[np.argsort(-values, kind="stable")[kept:]]] = False
    keep[0] = True
    return keep
