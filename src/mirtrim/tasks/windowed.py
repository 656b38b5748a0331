"""Shared base of the tasks whose examples are windows of the rows of long arrays.

A subclass defines how many rows a window has, and how rows become an input and a target. This class
chooses the windows of an epoch and of the validation split.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Parameters, Task
from mirtrim.tasks.windows import random_starts, tiled_starts
from mirtrim.training import device_of, forward_of

EVALUATION_BATCH = 256

# First rows of windows, (batch,) → their inputs or targets, (batch, …).
Cut = Callable[[Tensor], Tensor]


class WindowedTask(Task):
    """A task whose examples are cut out of a store as they are needed."""

    @abstractmethod
    def window_rows(self, parameters: Parameters) -> int:
        """Rows of one example."""

    @abstractmethod
    def inputs(self, store: FeatureStore, parameters: Parameters) -> Cut:
        """What cuts out inputs as the network takes them."""

    @abstractmethod
    def targets(self, store: FeatureStore, parameters: Parameters) -> Cut:
        """What cuts out targets as the loss takes them."""

    def track_starts(self, track: pd.Series, parameters: Parameters) -> Tensor:
        """First rows of the windows that a track is validated on: side by side."""
        length = self.window_rows(parameters)
        return tiled_starts(int(track["first"]), int(track["count"]), length, length)

    def split_starts(self, store: FeatureStore, split: str, parameters: Parameters) -> Tensor:
        """The same of all tracks of a split."""
        tracks = store.of_split(split).iterrows()
        return torch.cat([self.track_starts(track, parameters) for _, track in tracks])

    def predicted_starts(self, track: pd.Series, features: Parameters) -> Tensor:
        """First rows of the windows that a track is predicted from."""
        return self.track_starts(track, features)

    @abstractmethod
    def activation(self, outputs: Tensor, starts: Tensor, rows: int) -> np.ndarray:
        """Outputs for the windows of one track, (windows, …), as its prediction.

        Args:
            starts: first row of each window within the track, (windows,).
            rows: rows of the track.
        """

    def steps_per_epoch(self, store: FeatureStore, training: Parameters) -> int:
        return int(training["examples_per_epoch"]) // int(training["batch_size"])

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Windows drawn from all places of all training tracks."""
        inputs, targets = self.inputs(store, training), self.targets(store, training)
        for starts in self.drawn_starts(store, training, rng):
            yield inputs(starts), targets(starts)

    def drawn_starts(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Sequence[Tensor]:
        """First rows of the windows of one epoch, batch by batch."""
        size = int(training["batch_size"])
        count = self.steps_per_epoch(store, training) * size
        length = self.window_rows(training)
        return random_starts(store.of_split("train"), length, count, rng).split(size)

    def validation_batches(self, store: FeatureStore, training: Parameters) -> Iterator[Batch]:
        inputs, targets = self.inputs(store, training), self.targets(store, training)
        starts = self.split_starts(store, "validation", training)
        for part in starts.split(EVALUATION_BATCH):
            yield inputs(part), targets(part)

    def predict(
        self, network: nn.Module, store: FeatureStore, split: str, features: Parameters
    ) -> dict[str, np.ndarray]:
        inputs = self.inputs(store, features)
        pieces = {}
        for track_id, track in store.of_split(split).iterrows():
            starts = self.predicted_starts(track, features)
            outputs = outputs_at(network, inputs, starts)
            within = starts - int(track["first"])
            pieces[str(track_id)] = self.activation(outputs, within, int(track["count"]))
        return pieces


@torch.no_grad()
def outputs_at(network: nn.Module, inputs: Cut, starts: Tensor) -> Tensor:
    """Outputs of `network` in eval mode for the windows that begin at `starts`, (windows, …).

    The network computes where it is, the outputs are on the CPU.

    The windows are cut out batch by batch, as those of a long track overlap and would fill the
    memory.
    """
    network.eval()
    device, forward = device_of(network), forward_of(network)
    parts = starts.split(EVALUATION_BATCH)
    return torch.cat([forward(inputs(part).to(device)).cpu() for part in parts])
