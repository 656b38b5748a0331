"""Linear mode connectivity of a ticket (Frankle, Dziugaite, Roy, Carbin, ICML 2020).

    B = max_α E(α · w₁ + (1 − α) · w₂) − ½ · (E(w₁) + E(w₂)),  α between 0 and 1

w₁ and w₂ are two trainings of one network from the same weights, on batches in another order.
Without a barrier B, the order of the batches does not decide in which valley a training ends; the
paper finds that tickets which train well are those without one.
"""

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from mirtrim.pruning.methods import Round, Ticket
from mirtrim.pruning.methods.batch_statistics import recompute_statistics
from mirtrim.runs.jobs import compress
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.jobs.rounds import Stage
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.runs.measured_rows import Barrier, shared_of, write_measured
from mirtrim.training import Hook, State, fit, state_of
from mirtrim.utils.errors import ArtefactError, ConfigError
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

    Batch-norm statistics are re-estimated at every point, because those of two networks do not fit
    a network between them (Jordan et al., REPAIR, ICLR 2023).

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


def tickets_of(run: compress.Run, networks: Path) -> Iterator[tuple[float, Round, Ticket]]:
    """The ticket of every round of a finished run, with the weights that it was trained from.

    Each is recreated from the stored trained network of the previous round: the cuts are those of
    the run, because nothing else affects them.

    Args:
        networks: the folder that the run's job wrote.

    Yields:
        Ratio, round and ticket. The ticket's network is free to be changed.

    Raises:
        ConfigError: the method has no tickets, as its rounds do not build on each other.
        ArtefactError: a network is missing, damaged, or not of the shape of the ticket.
    """
    method, settings, setting = run.method, run.settings, run.setting
    if method.start != "last" or method.trainings(settings) != 1:
        raise ConfigError(
            f"connectivity: {settings.name} does not go from ticket to ticket; choose runs of "
            "trim or mask"
        )
    ticket = run.first_ticket()
    dense = run.sizes_of(ticket.network)
    for number, ratio in run.rounds.items():
        # By its private name: what a digest of finished rows covers is not renamed for this.
        current = compress._round(run, number, ratio, dense)
        ticket = method.prepare(ticket, settings, current)
        begin = state_of(ticket.network)
        yield ratio, current, ticket
        trained = load_round(networks, ratio, partial(setting.new_network, run.seed)).state_dict()
        if {n: t.shape for n, t in trained.items()} != {n: t.shape for n, t in begin.items()}:
            raise ArtefactError(
                f"{networks / f'ratio-{ratio:g}'} is not of the ticket that its run would train "
                f"now; delete {networks} and run again"
            )
        ticket.network.load_state_dict(trained)
        ticket = method.finish(ticket, settings, current, method.hook(ticket, settings, current))


def measure_barriers(
    run: compress.Run,
    rows: pd.DataFrame,
    networks: Path | None,
    ratios: Collection[float],
    path: Path,
    *,
    code_digest: str,
    tell: Callable[[str], None] = lambda text: None,
) -> None:
    """Train every ticket of a run twice and write the barriers between.

    Args:
        run: its settings; of the dense network, those of any run.
        rows: result rows of the run and seed; of the dense network its row.
        networks: the folder that the run's job wrote; None for the dense network, which is
            trained twice from the weights to which tickets are rewound.
        ratios: at which ratios; others are passed over.
    """
    found = []
    for row, network, hook in _begun(run, rows, networks, ratios):
        line = connectivity(run.setting, network, run.seed, hook)
        first, second, barrier = line.errors[0], line.errors[-1], line.error_barrier
        tell(f"ratio {row.target_ratio:g}: errors {first:.4f}, {second:.4f}, barrier {barrier:.4f}")
        found.append(
            Barrier(
                **shared_of(row, code_digest),
                error_barrier=barrier,
                first_error=first,
                second_error=second,
                errors=json.dumps([round(error, 6) for error in line.errors]),
                epochs=run.setting.fit_settings.epochs,
            )
        )
    if not found:
        raise ConfigError(f"connectivity: no ratio of {', '.join(map(str, ratios))} was run")
    write_measured(path, found)


def _begun(
    run: compress.Run, rows: pd.DataFrame, networks: Path | None, ratios: Collection[float]
) -> Iterator[tuple[pd.Series, nn.Module, Callable[[], Hook]]]:
    """Row, network at the weights it is trained from, and what makes the hook of its trainings."""
    of_ratio = {row.target_ratio: row for _, row in rows.iterrows()}
    if networks is None:
        network = run.setting.new_network(run.seed)
        network.load_state_dict(run.dense.rewind)
        yield of_ratio[1.0], network, Hook
        return
    last = max((ratio for ratio in ratios if ratio in of_ratio), default=0.0)
    for ratio, current, ticket in tickets_of(run, networks):
        if ratio in ratios:
            hook = partial(run.method.hook, ticket, run.settings, current)
            yield of_ratio[ratio], ticket.network, hook
        if ratio == last:
            return
