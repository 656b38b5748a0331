"""One round: train a network, score it, count it, and write down a row."""

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from mirtrim.counting import measure_counts
from mirtrim.counting.operations import macs
from mirtrim.pruning.settings import PruningSettings
from mirtrim.runs.jobs.setting import Progress, Setting, TaskData
from mirtrim.runs.rows import RUN_KEYS, Row
from mirtrim.training import FitResult, Hook, device_of, fit, name_of_device
from mirtrim.utils import provenance
from mirtrim.utils.files import sha256_of_value
from mirtrim.utils.seeds import derive

# One forward pass, and a backward pass that costs two: gradients of inputs and of weights.
MACS_PER_TRAINING_EXAMPLE = 3


@dataclass(frozen=True)
class Cost:
    """What trainings have cost: how many, their seconds, their multiply-accumulates."""

    trainings: int = 0
    seconds: float = 0.0
    macs: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.trainings + other.trainings, self.seconds + other.seconds, self.macs + other.macs
        )


@dataclass(frozen=True)
class Stage:
    """Where in a run a training stands.

    Attributes:
        round: position of the ratio among the task's, 0 for the dense network.
        target_ratio: target compression ratio.
        part: number of the training within the round, from 0.
    """

    round: int
    target_ratio: float
    part: int = 0

    @property
    def stream(self) -> str:
        """Name of the stream of batches: the same for all methods in the same place."""
        return f"round {self.round}" + (f" part {self.part}" if self.part else "")


@dataclass(frozen=True)
class Trained:
    """A training, its cost and what its hook has to say."""

    fitted: FitResult
    cost: Cost
    diagnostics: dict[str, float]


def train(
    setting: Setting,
    network: nn.Module,
    seed: int,
    stage: Stage,
    *,
    hook: Hook | None = None,
    epochs_factor: int = 1,
    training_cost: float = 1.0,
    snapshot_epoch: int | None = None,
    resume_path: Path | None,
    progress: Progress,
    name: str,
) -> Trained:
    """Train `network` in place.

    Args:
        progress, name: callback for finished epochs, and the training's name in its calls.
        epochs_factor: times the epochs of the setting.
        training_cost: work per example relative to plain training.
    """
    settings = replace(setting.fit_settings, epochs=setting.fit_settings.epochs * epochs_factor)
    hook = hook or Hook()
    example = setting.task.example_input(setting.features).to(device_of(network))
    example_macs = macs(network, example)
    fitted = fit(
        network,
        TaskData(setting, seed, stage.stream),
        settings,
        derive(seed, setting.task.name, "round", stage.round, stage.part),
        hook=hook,
        snapshot_epoch=snapshot_epoch,
        resume_path=resume_path,
        report=partial(progress, name),
    )
    work = MACS_PER_TRAINING_EXAMPLE * example_macs * fitted.examples * training_cost
    return Trained(fitted, Cost(1, round(fitted.seconds, 3), round(work)), hook.diagnostics())


def measure(
    setting: Setting,
    network: nn.Module,
    seed: int,
    stage: Stage,
    trained: Trained,
    *,
    settings: PruningSettings,
    masked: bool,
    dense_parameters: int,
    total: Cost,
    equivalence_difference: float,
    code_digest: str,
) -> tuple[Row, pd.DataFrame]:
    """The row of a finished round, and its test score of every piece.

    The network is scored where it is, and is on the processor afterwards.

    Args:
        masked: whether the ratio counts non-zero weights.
        total: cost of everything that led to this network, the dense training included if it
            was needed.
    """
    scores = setting.evaluate(network)
    gpu = name_of_device(device_of(network))
    counts = measure_counts(network.cpu(), setting.task.example_input(setting.features))
    row = Row(
        profile=setting.profile,
        task=setting.task.name,
        corpus=setting.corpus,
        **settings.columns,
        seed=seed,
        round=stage.round,
        target_ratio=float(stage.target_ratio),
        ratio=dense_parameters / (counts.nonzeros if masked else counts.parameters),
        **asdict(counts),
        validation_error=scores.validation_error,
        test_error=scores.test_error,
        scores=_json(scores.test_scores),
        epochs=trained.fitted.epochs,
        best_epoch=trained.fitted.best_epoch,
        train_seconds=trained.cost.seconds,
        training_macs=trained.cost.macs,
        trainings=total.trainings,
        total_train_seconds=round(total.seconds, 3),
        total_training_macs=total.macs,
        equivalence_difference=equivalence_difference,
        diagnostics=_json(trained.diagnostics),
        code_digest=code_digest[:16],
        data_digest=setting.store.digest[:16],
        config_digest=setting.config_digest[:16],
        versions=provenance.versions(),
        machine="; ".join([provenance.machine(), *([gpu] if gpu else [])]),
    )
    pieces = scores.test_pieces.rename_axis("track_id").reset_index()
    main = pieces[["track_id", setting.task.main_score]].rename(
        columns={setting.task.main_score: "score"}
    )
    names = ("task", *RUN_KEYS, "seed", "round", "target_ratio")
    return row, main.assign(**{name: getattr(row, name) for name in names})


def _json(numbers: dict[str, float]) -> str:
    return json.dumps({name: round(value, 6) for name, value in numbers.items()}, sort_keys=True)


def job_digest(setting: Setting, seed: int, code_digest: str, *more: Any) -> str:
    """Digest of everything that determines the result of a job; names its resume files."""
    return sha256_of_value(
        [
            setting.profile,
            setting.task.name,
            sha256_of_value({"corpus": setting.corpus, **setting.config}),
            setting.store.digest,
            setting.device.type,
            seed,
            code_digest,
            provenance.versions(),
            *more,
        ]
    )[:24]
