"""Settings whose pruned networks attend to what pruning has damaged.

Jiang, Chen, Mortazavi and Wang (Self-damaging contrastive learning, ICML 2021) let a network learn
from how it differs from a pruned copy of itself, which forgets rare and difficult examples first.
Theirs is a contrastive loss without labels; here is what that comes to with labels. Example i of
a batch of n has

    d_i = ½ Σ_c |p_c(x_i) − q_c(x_i)|,   w_i = (1 + λ d_i) / (1 + λ · mean d),
    loss = (1 / n) Σ_i w_i · loss_i

with the probabilities p of the network in training, as it is at that step, and q of the trained
dense one. λ is `training.damage_weight`. Weights are constants to the gradient, and their mean is
1, so the learning rate means what it meant. The dense training has no other network to disagree
with, and stays as it is; so do validation and test.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.runs.jobs.setting import Setting
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Parameters, Task
from mirtrim.tasks.windowed import WindowedTask
from mirtrim.training import device_of, forward_of
from mirtrim.utils.errors import ConfigError


def check_damage(task: Task) -> None:
    """Whether the outputs of a task are logits of classes.

    Raises:
        ConfigError: they are not.
    """
    if not isinstance(task, Classification | Chord):
        raise ConfigError(
            f"task {task.name}: training.damage_weight is for tasks with one class per track and "
            "chord; leave it out there"
        )


def damage_weights(here: Tensor, dense: Tensor, weight: float) -> Tensor:
    """How much the examples of a batch count, (batch,); see the module.

    Args:
        here, dense: probabilities of both networks, (batch, classes).
        weight: λ, at least 0.
    """
    disagreement = (here - dense).abs().sum(1) / 2
    return (1 + weight * disagreement) / (1 + weight * disagreement.mean())


class SelfDamaged(WindowedTask):
    """The part of a task that weights its training examples; see `self_damaged`.

    Its training targets are labels as shares and, beside them, the dense network's probabilities,
    (batch, 2 · classes).
    """

    dense: nn.Module
    weight: float

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        device, forward = device_of(self.dense), forward_of(self.dense)
        for inputs, targets in super().batches(store, training, rng):
            with torch.no_grad():
                said = forward(inputs.to(device)).softmax(1).cpu()
            if not targets.is_floating_point():
                targets = nn.functional.one_hot(targets, said.shape[1]).float()
            yield inputs, torch.cat([targets, said], dim=1)

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        if targets.dim() == 1:  # of validation, as they always are
            return super().loss(outputs, targets, training)  # type: ignore[safe-super]
        labels, said = targets.chunk(2, dim=1)
        weights = damage_weights(outputs.detach().float().softmax(1), said, self.weight)
        # Cross-entropy is linear in its targets, and its mean counts examples, not weights.
        weighted = labels * weights[:, None]
        return super().loss(outputs, weighted, training)  # type: ignore[safe-super]


def self_damaged(setting: Setting, dense: nn.Module) -> Setting:
    """The setting with `training.damage_weight`, if it asks for any.

    Args:
        dense: the trained dense network; put into evaluation mode.

    Raises:
        ConfigError: the task's outputs are no logits of classes.
    """
    weight = setting.config["training"].get("damage_weight")
    if not weight:
        return setting
    check_damage(setting.task)
    kind = type(setting.task)
    dense = dense.to(setting.device).eval().requires_grad_(False)
    attributes: dict[str, Any] = {"dense": dense, "weight": float(weight)}
    task = type(f"SelfDamaged{kind.__name__}", (SelfDamaged, kind), attributes)()
    return replace(setting, task=task)
