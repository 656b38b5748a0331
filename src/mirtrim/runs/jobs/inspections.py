"""The inspection job: calibration, worst class and units left of every network of a run."""

import json
from pathlib import Path

import pandas as pd
from torch import nn

from mirtrim.runs.jobs.networks import Count, trained_networks
from mirtrim.runs.jobs.setting import Setting
from mirtrim.runs.measured_rows import Inspection, shared_of, write_measured
from mirtrim.tasks.certainty import (
    reliability,
    reliability_of_equal_mass,
    statements,
    worst_class,
)


def inspect_networks(
    setting: Setting,
    rows: pd.DataFrame,
    networks: Path,
    path: Path,
    *,
    code_digest: str,
    count: Count = lambda done, total: None,
) -> None:
    """Write one `Inspection` per network of a run and seed.

    Args:
        rows: result rows of that run and seed; `networks`: what its job wrote.
        count: called with (networks done, networks in all).

    Raises:
        ArtefactError: a network is missing or damaged.
    """
    found = [
        _inspected(setting, row, network, code_digest)
        for row, network in trained_networks(setting, rows, networks, count)
    ]
    write_measured(path, found)


def _inspected(
    setting: Setting, row: pd.Series, network: nn.Module, code_digest: str
) -> Inspection:
    task, store, features = setting.task, setting.store, setting.features
    # As `Setting.evaluate` does, but that the predictions are wanted here as well.
    decoding = task.tune(task.predict(network, store, "validation", features), store, features)
    predictions = task.predict(network, store, "test", features)
    scores = task.summarise(task.score(predictions, store, features, decoding))
    said = statements(task, predictions, store, features)
    bins = reliability(said)
    name, share = worst_class(said)
    table = zip(bins.counts, bins.probability, bins.share, strict=True)
    return Inspection(
        **shared_of(row, code_digest),
        test_error=1.0 - scores[task.main_score],
        judgements=len(said.probability),
        share_true=float(said.true.mean()),
        calibration_error=bins.calibration_error,
        calibration_error_equal_mass=reliability_of_equal_mass(said).calibration_error,
        overconfidence=float(said.probability.mean() - said.true.mean()),
        brier=float(((said.probability - said.true) ** 2).mean()),
        reliability=json.dumps([[int(n), round(p, 6), round(s, 6)] for n, p, s in table]),
        worst_class=name,
        worst_class_share=share,
        units=json.dumps(units_of(network)),
    )


def units_of(network: nn.Module) -> dict[str, int]:
    """Outputs of every layer with weights, by its name, in the order of the network."""
    found = {}
    for name, module in network.named_modules():
        weight = getattr(module, "weight", None)
        # Norms have a vector of weights, whose units are those of the layer before.
        if weight is not None and weight.dim() >= 2:
            sizes = (getattr(module, "out_channels", None), getattr(module, "out_features", None))
            found[name] = int(next(size for size in (*sizes, weight.shape[0]) if size))
    return found
