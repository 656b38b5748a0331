"""The singular job: what a run has changed in the directions of the dense network's weights."""

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor, nn

from mirtrim.pruning.singular import INTRUDER, Directions, compared, matrices_of
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.connectivity import tickets_of
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.measured_rows import SingularView, shared_of, write_measured
from mirtrim.training import State
from mirtrim.units.cutting import cut_tensors
from mirtrim.utils.errors import ConfigError


def changed_networks(run: Run, networks: Path | None) -> Iterator[tuple[float, nn.Module, State]]:
    """Ratio, trained network, and the dense network's trained weights for the units that it kept.

    Args:
        run: of the dense network, with any settings of that method.
        networks: the folder that the run's job wrote; None for the dense network itself.

    Raises:
        ConfigError: no dense network is behind the weights of the method.
        ArtefactError: a network is missing or damaged.
    """
    new_network = partial(run.setting.new_network, run.seed)
    state = dict(run.dense.best)
    if networks is None:
        network = new_network()
        network.load_state_dict(state)
        yield 1.0, network, state
        return
    name = run.settings.name
    if run.method.start == "initial":
        raise ConfigError(
            f"singular: {name} is trained from scratch, no weights of the dense network are behind "
            "its own; leave it out"
        )
    if run.method.start == "dense":
        for ratio in run.rounds.values():
            yield ratio, load_round(networks, ratio, new_network), state
        return
    # Which units a chain has kept is decided by its networks, and found again by preparing them.
    for ratio, _, ticket in tickets_of(run, networks):
        if ticket.cut is not None:
            state = cut_tensors(state, ticket.cut.graph, ticket.cut.keep)
        yield ratio, load_round(networks, ratio, new_network), state


def layers_compared(
    network: nn.Module, dense: State, threshold: float = INTRUDER
) -> dict[str, Directions]:
    """The directions of every layer with two outputs or more, by name, compared with the dense
    ones.

    Raises:
        ConfigError: a layer has other sizes than in `dense`.
    """
    found = {}
    for name, weight in matrices_of(network).items():
        before: Tensor | None = dense.get(f"{name}.weight")
        if before is None or before.flatten(1).shape != weight.shape:
            raise ConfigError(
                f"singular: layer {name} is not of the dense network's sizes, and which units were "
                "kept is not known; leave the run out"
            )
        if len(weight) > 1:  # a single vector has one direction only
            found[name] = compared(weight, before.flatten(1), threshold)
    return found


def measure_directions(
    run: Run,
    rows: pd.DataFrame,
    networks: Path | None,
    ratios: Collection[float],
    path: Path,
    *,
    code_digest: str,
) -> None:
    """Write one `SingularView` per ratio of a run and seed.

    Args:
        rows: result rows of the run and seed.
        networks: the folder that the run's job wrote; None for the dense network.
        ratios: others are passed over; of the dense network there is one.

    Raises:
        ConfigError: the run has none of the ratios, or there is nothing to compare it with.
    """
    of_ratio = {row.target_ratio: row for _, row in rows.iterrows()}
    wanted = {1.0} if networks is None else set(ratios) & set(run.rounds.values())
    if not wanted:
        listed = ", ".join(f"{ratio:g}" for ratio in ratios)
        raise ConfigError(f"singular: {run.settings.name} has no ratio of {listed}")
    # Rounds after the last one that is needed may be missing.
    short = replace(run, rounds={n: r for n, r in run.rounds.items() if r <= max(wanted)})
    found = [
        _row(of_ratio[ratio], layers_compared(network, dense), code_digest)
        for ratio, network, dense in changed_networks(short, networks)
        if ratio in wanted
    ]
    write_measured(path, found)


def _row(row: pd.Series, layers: dict[str, Directions], code_digest: str) -> SingularView:
    of_all = list(layers.values())
    return SingularView(
        **shared_of(row, code_digest),
        threshold=INTRUDER,
        intruder_share=_mean(layer.intruders / layer.directions for layer in of_all),
        leading_intruder_share=_mean(layer.leading_intruders / layer.leading for layer in of_all),
        effective_rank=_mean(layer.effective_rank for layer in of_all),
        leading_energy=_mean(layer.leading_energy for layer in of_all),
        layers=json.dumps(
            {
                name: {key: round(value, 6) for key, value in asdict(layer).items()}
                for name, layer in layers.items()
            }
        ),
    )


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))
