"""One task of one profile, with its data: what every job of that task shares."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.corpora.splits import TrackRow, assert_disjoint
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import FeatureStore, open_store
from mirtrim.tasks.task import Task
from mirtrim.training import CPU, EpochReport, FitSettings
from mirtrim.training.initialise import initialise
from mirtrim.utils.seeds import numpy_generator, torch_generator

Progress = Callable[[str, EpochReport], None]


def silent(stage: str, epoch: EpochReport) -> None:
    """A progress callback that says nothing."""


@dataclass(frozen=True)
class Setting:
    """A task at the widths and budgets of a profile.

    Attributes:
        profile, corpus: names that go into the rows.
        config: the task's block of the configuration: features, network, training.
        store: its features.
        device: where networks are trained and run; everything else happens on the processor.
        config_digest: digest of every setting that a result of this task depends on.
    """

    profile: str
    corpus: str
    task: Task
    config: Mapping[str, Any]
    store: FeatureStore
    device: torch.device = CPU
    config_digest: str = "-"

    @property
    def features(self) -> Mapping[str, Any]:
        """Feature parameters."""
        result: Mapping[str, Any] = self.config["features"]
        return result

    @property
    def training(self) -> dict[str, Any]:
        """Training parameters, with what batches need to know of the features."""
        return {**self.config["features"], **self.config["training"]}

    @property
    def fit_settings(self) -> FitSettings:
        """The part of the training parameters that `fit` reads."""
        names = FitSettings.__dataclass_fields__
        return FitSettings(**{k: v for k, v in self.config["training"].items() if k in names})

    def new_network(self, seed: int) -> nn.Module:
        """The network with freshly drawn weights."""
        network = self.task.network(self.features, self.config["network"])
        self.initialise(network, torch_generator(seed, self.task.name, "initial weights"))
        return network

    def initialise(self, network: nn.Module, generator: torch.Generator) -> None:
        """Draw fresh weights for `network`, as the configuration says, in place."""
        initialise(network, generator, self.config["training"]["initialisation"])

    def evaluate(self, network: nn.Module) -> "Evaluation":
        """Tune the decoding on validation, then score validation and test.

        The network runs where it is.
        """
        validation = self.task.predict(network, self.store, "validation", self.features)
        decoding = self.task.tune(validation, self.store, self.features)
        test = self.task.predict(network, self.store, "test", self.features)
        pieces = {
            split: self.task.score(predictions, self.store, self.features, decoding)
            for split, predictions in (("validation", validation), ("test", test))
        }
        scores = {split: self.task.summarise(table) for split, table in pieces.items()}
        main = self.task.main_score
        return Evaluation(
            validation_error=1.0 - scores["validation"][main],
            test_error=1.0 - scores["test"][main],
            test_scores={**scores["test"], **decoding},
            test_pieces=pieces["test"],
        )


@dataclass(frozen=True)
class Evaluation:
    """Scores of one trained network; the decoding was chosen on validation alone."""

    validation_error: float
    test_error: float
    test_scores: dict[str, float]
    test_pieces: pd.DataFrame


def open_setting(
    profile: str,
    task_name: str,
    config: Mapping[str, Any],
    features_folder: Path,
    device: torch.device = CPU,
    config_digest: str = "-",
) -> Setting:
    """Open the features of a task and assert once more that its splits are disjoint."""
    store = open_store(features_folder)
    assert_disjoint(
        [
            TrackRow(str(track_id), row["split"], row["source"], row["duration_seconds"])
            for track_id, row in store.tracks.iterrows()
        ]
    )
    task = get_task(task_name)
    return Setting(profile, config["corpus"], task, config, store, device, config_digest)


@dataclass(frozen=True)
class TaskData:
    """The batches of a setting under one seed, as `training.fit` wants them.

    `stream` names the training (for instance "round 3"), so that every round draws its own
    batches while two methods with the same seed see the same ones.
    """

    setting: Setting
    seed: int
    stream: str

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""
        return self.setting.task.steps_per_epoch(self.setting.store, self.setting.training)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of `epoch`."""
        rng = numpy_generator(self.seed, self.setting.task.name, self.stream, "batches", epoch)
        return self.setting.task.batches(self.setting.store, self.setting.training, rng)

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The validation split."""
        return self.setting.task.validation_batches(self.setting.store, self.setting.training)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch."""
        return self.setting.task.loss(outputs, targets, self.setting.training)


def single_thread() -> None:
    """Use one thread: the same bits for any number of cores, and no contention."""
    torch.set_num_threads(1)
