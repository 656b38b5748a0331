"""Linear mode connectivity of a ticket (Frankle, Dziugaite, Roy, Carbin, ICML 2020).

    B = max_α E(α · w₁ + (1 − α) · w₂) − ½ · (E(w₁) + E(w₂)),  α between 0 and 1

w₁ and w₂ are two trainings of one network from the same weights, on batches in another order.
Without a barrier B, the order of the batches does not decide in which valley a training ends; the
paper finds that tickets which train well are those without one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import nn

from mirtrim.pruning.methods.batch_statistics import recompute_statistics
from mirtrim.runs.jobs.rounds import Stage
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.training import Hook, State, fit, state_of
from mirtrim.utils.seeds import derive

POINTS = 11  # of α, both ends among them
STATISTICS_BATCHES = 16


@dataclass(frozen=True)
class Connectivity:
    """Errors on the line between two trainings.

    Attributes:
        shares: α, rising from 0 to 1.
        errors: at each of them.
    """

    shares: tuple[float, ...]
    errors: tuple[float, ...]

    @property
    def error_barrier(self) -> float:
        """The highest error on the line above the mean of its ends.

        At least half of what the ends differ by, as they are on the line.
        """
        return max(self.errors) - (self.errors[0] + self.errors[-1]) / 2


def interpolated(first: State, second: State, share: float) -> State:
    """`share` · second + (1 − `share`) · first, tensor by tensor; what counts is taken over.

    Raises:
        ValueError: the states are not of one network.
    """
    if {n: t.shape for n, t in first.items()} != {n: t.shape for n, t in second.items()}:
        raise ValueError("the two states are not of one network")
    return {
        name: torch.lerp(value, second[name], share) if value.is_floating_point() else value
        for name, value in first.items()
    }


def along_the_line(
    first: State, second: State, error_of: Callable[[State], float], points: int = POINTS
) -> Connectivity:
    """Errors at `points` places from `first` to `second`, both among them."""
    shares = tuple(place / (points - 1) for place in range(points))
    errors = (error_of(interpolated(first, second, share)) for share in shares)
    return Connectivity(shares, tuple(errors))


def connectivity(
    setting: Setting,
    network: nn.Module,
    seed: int,
    hook: Callable[[], Hook] = Hook,
    parts: Sequence[int] = (0, 1),
    points: int = POINTS,
) -> Connectivity:
    """Train `network` twice from the weights that it has, and score what lies between.

    Statistics of batch norms are measured anew at every point, as those of two networks are not
    those of a network between them (Jordan et al., REPAIR, ICLR 2023).

    Args:
        network: a ticket at the weights that it is rewound to; has them again afterwards.
        hook: makes the hook of a training, for a ticket with masks a `MaskHook`.
        parts: two numbers that name the order of the batches and the noise of dropout.

    Returns:
        Test errors; decodings are tuned on validation at every point.
    """
    begin = state_of(network)
    ends = []
    for part in parts:
        network.load_state_dict(begin)
        stream = Stage(0, 1.0, part).stream
        data = TaskData(setting, seed, f"connectivity {stream}")
        dropout = derive(seed, setting.task.name, "connectivity", part)
        ends.append(fit(network, data, setting.fit_settings, dropout, hook=hook()).best)
    measuring = TaskData(setting, seed, "connectivity")

    def error_of(state: State) -> float:
        network.load_state_dict(state)
        seen = list(islice(measuring.batches(1), STATISTICS_BATCHES))
        recompute_statistics(network, lambda: seen)
        return setting.evaluate(network).test_error

    found = along_the_line(ends[0], ends[1], error_of, points)
    network.load_state_dict(begin)
    return found
