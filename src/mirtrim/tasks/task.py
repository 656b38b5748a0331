"""What a task is: features, targets, a network, a loss, decoding and scores."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from torch import Tensor, nn

from mirtrim.tasks.hearing import Hearing
from mirtrim.tasks.schema import Schema
from mirtrim.tasks.store import FeatureStore

Parameters = Mapping[str, Any]
Batch = tuple[Tensor, Tensor]  # inputs, targets
Predictions = Mapping[str, np.ndarray]  # track id → what `Task.predict` makes of it
Decoding = Mapping[str, float]  # what `Task.tune` chooses


@dataclass(frozen=True)
class Recording:
    """One track turned into arrays.

    Attributes:
        arrays: name → array; all share their first axis (frames, samples or examples).
        reference: what the predictions are scored against, one row per event or segment.
    """

    arrays: Mapping[str, np.ndarray]
    reference: pd.DataFrame


class Task(ABC):
    """One task of the replication. Stateless: everything it needs is passed to it.

    `name` is what users type, `main_score` the score s whose error 1 − s is reported,
    `normalised_array` the array whose mean and deviation per column are measured on the training
    split (None: no array is normalised). `schema` describes the parameters that the task adds to a
    configuration: for each of "features", "network" and "training" the JSON schema of every key,
    with its description and, if it may be left out, its default. `hearing` says how its networks
    are listened with (None: they are packed, but not listened with).
    """

    name: ClassVar[str]
    main_score: ClassVar[str]
    normalised_array: ClassVar[str | None] = None
    schema: ClassVar[Schema]
    hearing: ClassVar[Hearing | None] = None

    @abstractmethod
    def recording(self, track: Any, features: Parameters) -> Recording:
        """Features, targets and reference of one mirdata track."""

    @abstractmethod
    def network(self, features: Parameters, network: Parameters) -> nn.Module:
        """The network at the widths of the configuration, its weights not yet drawn."""

    @abstractmethod
    def example_input(self, features: Parameters) -> Tensor:
        """A batch of one input, for tracing and counting."""

    @abstractmethod
    def steps_per_epoch(self, store: FeatureStore, training: Parameters) -> int:
        """How many batches `batches` yields."""

    @abstractmethod
    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """One epoch of training batches."""

    @abstractmethod
    def validation_batches(self, store: FeatureStore, training: Parameters) -> Iterator[Batch]:
        """Fixed batches over the whole validation split."""

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        """Mean loss of a batch, a scalar."""

    @abstractmethod
    def predict(
        self, network: nn.Module, store: FeatureStore, split: str, features: Parameters
    ) -> dict[str, np.ndarray]:
        """Activations of every piece of `split`: track id → array."""

    @abstractmethod
    def tune(
        self, predictions: Predictions, store: FeatureStore, features: Parameters
    ) -> dict[str, float]:
        """Choose the decoding parameters (thresholds …) on predictions for validation pieces."""

    @abstractmethod
    def score(
        self,
        predictions: Predictions,
        store: FeatureStore,
        features: Parameters,
        decoding: Decoding,
    ) -> pd.DataFrame:
        """Scores of each piece: one row per track id (the index), one column per score."""

    @abstractmethod
    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        """Scores of a split from the scores of its pieces; contains `main_score`."""
