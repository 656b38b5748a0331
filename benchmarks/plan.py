"""What a profile of the replication asks for: jobs, trainings, multiply-accumulates, disk."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from snakemake.utils import update_config

from mirtrim.counting.operations import macs, parameters
from mirtrim.pruning.methods import get_method, settings_of
from mirtrim.pruning.methods.interface import Round
from mirtrim.runs.config import validate
from mirtrim.runs.jobs.dense import PARTS
from mirtrim.runs.jobs.rounds import MACS_PER_TRAINING_EXAMPLE
from mirtrim.tasks.registry import get_task

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Plan:
    """The main runs of one task. Epochs are the most there can be: training may stop early.

    Attributes:
        parameters, macs: of the dense network, for one example.
        steps, epochs: optimiser steps of an epoch, epochs of a training.
        trainings: trainings of the dense job and of the job of every run.
        stored: networks that those jobs leave, in networks of the dense size.
        seeds: how often all that is done.
    """

    task: str
    parameters: int
    macs: int
    batch: int
    steps: int
    epochs: int
    trainings: Mapping[str, int]
    stored: float
    seeds: int

    @property
    def jobs(self) -> int:
        """Jobs that train."""
        return len(self.trainings) * self.seeds

    @property
    def network_mb(self) -> float:
        """Of the dense network in a file."""
        return 4 * self.parameters / 1e6

    @property
    def training_macs(self) -> int:
        """Of one training of a network with the dense number of multiply-accumulates."""
        return MACS_PER_TRAINING_EXAMPLE * self.macs * self.batch * self.steps * self.epochs

    @property
    def longest_chain(self) -> int:
        """Trainings that follow each other: dense, then the longest run."""
        dense, *runs = self.trainings.values()
        return dense + max(runs, default=0)


def read_config(path: Path = ROOT / "config/default.yaml") -> dict[str, Any]:
    """A profile over the default one, with defaults filled in, as the workflow sees it."""
    config: dict[str, Any] = {}
    for source in (ROOT / "config/default.yaml", path):
        update_config(config, yaml.safe_load(source.read_text(encoding="utf-8")))
    return validate(config, ROOT / "workflow/schemas/config.schema.yaml")


def plan_of(name: str, config: Mapping[str, Any]) -> Plan:
    """What the workflow's default target trains for a task."""
    block = copy.deepcopy(config["tasks"][name])
    task, training = get_task(name), block["training"]
    network = task.network(block["features"], block["network"])
    example = task.example_input(block["features"])
    trainings, stored = {"dense": 1}, float(len(PARTS))
    for run in config["runs"]:
        choices = settings_of(run)
        method = get_method(choices.method)
        rounds = [
            Round(ratio, {}, example, {}, number=number)
            for number, ratio in enumerate(block["ratios"], start=1)
            if ratio in (run["ratios"] or block["ratios"])
        ]
        epochs = sum(method.epochs_factor(r) for r in rounds)
        trainings[choices.method] = method.trainings(choices) * epochs
        stored += sum(1.0 if method.masks else 1 / r.ratio for r in rounds)
    return Plan(
        name,
        parameters(network),
        macs(network, example),
        training["batch_size"],
        training["examples_per_epoch"] // training["batch_size"],
        training["epochs"],
        trainings,
        stored,
        len(config["seeds"]),
    )
